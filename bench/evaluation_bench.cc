// How long one warm evaluation takes, and what stands around it.
#include <benchmark/benchmark.h>

#include "evaluation.h"
#include "report/builder.h"

namespace {

using namespace modelmeter;

using Evaluator = bench::Evaluator;

void evaluate(benchmark::State& state, Evaluator::Detail detail, const std::string& name,
              const std::vector<std::string>& overrides) {
  Evaluator evaluate(detail, name, overrides);
  for (auto _ : state) benchmark::DoNotOptimize(evaluate());
  state.counters["ops"] = static_cast<double>(evaluate.ops());
}

// With every kernel where it runs, as reports want it.
void kernels(benchmark::State& state, const std::string& name, const std::vector<std::string>& overrides) {
  evaluate(state, Evaluator::Detail::kernels, name, overrides);
}
// The same, and what the stages take on a device: known from the evaluation before.
void timed(benchmark::State& state, const std::string& name, const std::vector<std::string>& overrides) {
  evaluate(state, Evaluator::Detail::timed, name, overrides);
}
// Sums and peaks only, as sweeps want them.
void sums(benchmark::State& state, const std::string& name, const std::vector<std::string>& overrides) {
  evaluate(state, Evaluator::Detail::sums, name, overrides);
}

void compose_configuration(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(bench::model_of("wan2_1_t2v_14b", {}));
}

void build_whole_report(benchmark::State& state) {
  const std::unique_ptr<AnalyticModel> model = bench::model_of("wan2_1_t2v_14b", {});
  for (auto _ : state) benchmark::DoNotOptimize(build_report(*model, "bench"));
}

#define EVALUATION(id, ...)                    \
  BENCHMARK_CAPTURE(kernels, id, __VA_ARGS__); \
  BENCHMARK_CAPTURE(timed, id, __VA_ARGS__);   \
  BENCHMARK_CAPTURE(sums, id, __VA_ARGS__)

using Overrides = std::vector<std::string>;
EVALUATION(wan2_1_t2v_14b_720p_81f_official, "wan2_1_t2v_14b", Overrides{"workload=wan2-1-720p-81f"});
EVALUATION(wan2_1_t2v_14b_720p_81f_diffusers, "wan2_1_t2v_14b",
           Overrides{"workload=wan2-1-720p-81f", "runtime.implementation=diffusers"});
EVALUATION(wan2_1_t2v_14b_pipeline_720p_81f_official, "wan2_1_t2v_14b_pipeline", Overrides{});
EVALUATION(wan2_1_t2v_14b_pipeline_720p_81f_diffusers, "wan2_1_t2v_14b_pipeline",
           Overrides{"runtime.implementation=diffusers"});
EVALUATION(deepseek_ocr_base_8192_tokens, "deepseek_ocr",
           Overrides{"workload=dsocr-base", "workload.max_new_tokens=8193"});
EVALUATION(deepseek_ocr_gundam_8192_tokens, "deepseek_ocr",
           Overrides{"workload=dsocr-gundam", "workload.max_new_tokens=8193"});
EVALUATION(deepseek_ocr_gundam_8192_tokens_eager, "deepseek_ocr",
           Overrides{"workload=dsocr-gundam", "workload.max_new_tokens=8193", "runtime.attention=eager"});
// A forward of 14B parameters, read from its recording.
void recorded(benchmark::State& state) {
  bench::RecordedForward forward("wan2_1_t2v_14b", {"workload=wan2-1-720p-81f"});
  for (auto _ : state) benchmark::DoNotOptimize(forward());
  state.counters["ops"] = static_cast<double>(forward.ops());
}

BENCHMARK(recorded);
BENCHMARK(compose_configuration);
BENCHMARK(build_whole_report);

}  // namespace
