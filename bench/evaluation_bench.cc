// How long one warm evaluation takes, and what stands around it.
#include <benchmark/benchmark.h>

#include "evaluation.h"
#include "report/builder.h"

namespace {

using namespace modelmeter;

void evaluate(benchmark::State& state, const std::string& name, const std::vector<std::string>& overrides) {
  bench::Evaluator evaluate(name, overrides);
  for (auto _ : state) benchmark::DoNotOptimize(evaluate());
  state.counters["ops"] = static_cast<double>(evaluate.ops());
}

void compose_configuration(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(bench::model_of("wan2_1_t2v_14b", {}));
}

void build_whole_report(benchmark::State& state) {
  const std::unique_ptr<AnalyticModel> model = bench::model_of("wan2_1_t2v_14b", {});
  for (auto _ : state) benchmark::DoNotOptimize(build_report(*model, "bench"));
}

BENCHMARK_CAPTURE(evaluate, wan2_1_t2v_14b_720p_81f_official, "wan2_1_t2v_14b", {"workload=wan2-1-720p-81f"});
BENCHMARK_CAPTURE(evaluate, wan2_1_t2v_14b_720p_81f_diffusers, "wan2_1_t2v_14b",
                  {"workload=wan2-1-720p-81f", "runtime.implementation=diffusers"});
BENCHMARK_CAPTURE(evaluate, wan2_1_t2v_14b_pipeline_720p_81f_official, "wan2_1_t2v_14b_pipeline", {});
BENCHMARK_CAPTURE(evaluate, wan2_1_t2v_14b_pipeline_720p_81f_diffusers, "wan2_1_t2v_14b_pipeline",
                  {"runtime.implementation=diffusers"});
BENCHMARK_CAPTURE(evaluate, deepseek_ocr_base_8192_tokens, "deepseek_ocr",
                  {"workload=dsocr-base", "workload.max_new_tokens=8193"});
BENCHMARK_CAPTURE(evaluate, deepseek_ocr_gundam_8192_tokens, "deepseek_ocr",
                  {"workload=dsocr-gundam", "workload.max_new_tokens=8193"});
BENCHMARK_CAPTURE(evaluate, deepseek_ocr_gundam_8192_tokens_eager, "deepseek_ocr",
                  {"workload=dsocr-gundam", "workload.max_new_tokens=8193", "runtime.attention=eager"});
BENCHMARK(compose_configuration);
BENCHMARK(build_whole_report);

}  // namespace
