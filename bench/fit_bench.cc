// How long it takes to follow a run's allocations, and to answer whether it fits and what makes it fit.
#include <benchmark/benchmark.h>

#include "evaluation.h"
#include "fit/fit.h"

namespace {

using namespace modelmeter;

using Overrides = std::vector<std::string>;

// Every allocation of the run on the allocator, its programs known from the run before.
void replay(benchmark::State& state, const std::string& name, const Overrides& overrides) {
  const std::unique_ptr<AnalyticModel> model = bench::model_of(name, overrides);
  Tracer tracer;
  model->trace(tracer);
  StagePrograms programs(default_stack());
  RunReplay run;
  for (auto _ : state) run = replay_run(*model, tracer.trace(), programs, {});
  state.counters["reserved_gib"] = static_cast<double>(run.peak_reserved) / 1073741824;
}

// The same from nothing: stages are traced with loops over chunks written out.
void replay_cold(benchmark::State& state, const std::string& name, const Overrides& overrides) {
  const std::unique_ptr<AnalyticModel> model = bench::model_of(name, overrides);
  for (auto _ : state) benchmark::DoNotOptimize(replay_run(*model, default_stack()));
}

// Ways as `modelmeter fit` evaluates them for a run that does not fit, smaller workloads among them.
void fit(benchmark::State& state, const std::string& name, const Overrides& overrides) {
  const std::string root = MODELMETER_SOURCE_DIR;
  const config::Repository repository(root + "/configs");
  const Machine machine(load_device(repository, "rtx_4090"), load_kernel_stack(repository, "torch_2_11"),
                        load_host(repository, "virtual_16_cores"));
  FitQuestion question;
  question.memory = usable_memory(machine.device());
  question.stack = &stack_of(machine.device().architecture);
  question.machine = &machine;
  const ModelOf model_of = [&](const Overrides& more) {
    Overrides all = overrides;
    all.insert(all.end(), more.begin(), more.end());
    const config::Node config = config::resolve(config::compose(repository, name, all));
    return build_model(config::View(config), DataFiles{root});
  };
  const std::vector<Overrides> smaller = {{"workload.num_frames=61"},
                                          {"workload.num_frames=41"},
                                          {"workload.num_frames=21"},
                                          {"workload.height=352", "workload.width=608"},
                                          {"workload.height=224", "workload.width=416"}};
  int64_t evaluated = 0;
  for (auto _ : state) {
    FitSearch search(model_of, question);
    benchmark::DoNotOptimize(search.way({}));
    benchmark::DoNotOptimize(search.ways());
    benchmark::DoNotOptimize(search.best_of_each(smaller));
    evaluated = search.evaluated();
  }
  state.counters["ways"] = static_cast<double>(evaluated);
}

#define PIPELINE(id, ...)                                                         \
  BENCHMARK_CAPTURE(replay, id, __VA_ARGS__)->Unit(benchmark::kMillisecond);      \
  BENCHMARK_CAPTURE(replay_cold, id, __VA_ARGS__)->Unit(benchmark::kMillisecond); \
  BENCHMARK_CAPTURE(fit, id, __VA_ARGS__)->Unit(benchmark::kMillisecond)

PIPELINE(wan2_1_t2v_14b_pipeline_480p_81f, "wan2_1_t2v_14b_pipeline", Overrides{"workload=wan2-1-480p-81f"});
PIPELINE(wan2_2_ti2v_5b_pipeline_704p_121f, "wan2_2_ti2v_5b_pipeline", Overrides{});

}  // namespace
