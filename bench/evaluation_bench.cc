// How long one warm evaluation takes: trace, count, live memory and roll-up of a whole model. No report is written.
#include <benchmark/benchmark.h>

#include "config/compose.h"
#include "model/registry.h"
#include "report/builder.h"

namespace {

using namespace modelmeter;

std::unique_ptr<AnalyticModel> model_of(const std::string& name, const std::vector<std::string>& overrides) {
  const std::string root = MODELMETER_SOURCE_DIR;
  const config::Repository repository(root + "/configs");
  const config::Node config = config::resolve(config::compose(repository, name, overrides));
  return build_model(config::View(config), DataFiles{root});
}

void evaluate(benchmark::State& state, const std::string& name, const std::vector<std::string>& overrides) {
  const std::unique_ptr<AnalyticModel> model = model_of(name, overrides);
  Tracer tracer;
  Rollup rollup;
  for (auto _ : state) {
    tracer.clear();
    model->trace(tracer);
    roll_up(tracer.trace(), rollup);
    benchmark::DoNotOptimize(model->cost_of(tracer.trace(), rollup));
  }
  state.counters["ops"] = static_cast<double>(tracer.trace().ops.size());
}

void compose_configuration(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(model_of("wan2_1_t2v_14b", {}));
}

void build_whole_report(benchmark::State& state) {
  const std::unique_ptr<AnalyticModel> model = model_of("wan2_1_t2v_14b", {});
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
