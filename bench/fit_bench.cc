// How long it takes to follow a run's allocations, and to answer whether it fits and what makes it fit.
#include <benchmark/benchmark.h>

#include "evaluation.h"
#include "fit_search.h"

namespace {

using namespace modelmeter;

using Overrides = std::vector<std::string>;

// Every allocation of the run on the allocator, its programs known from the run before.
void replay(benchmark::State& state, const std::string& name, const Overrides& overrides) {
  bench::Replayer replay(name, overrides);
  RunReplay run;
  for (auto _ : state) run = replay();
  state.counters["reserved_gib"] = static_cast<double>(run.peak_reserved) / 1073741824;
}

// The same from nothing: stages are traced with loops over chunks written out.
void replay_cold(benchmark::State& state, const std::string& name, const Overrides& overrides) {
  const std::unique_ptr<AnalyticModel> model = bench::model_of(name, overrides);
  for (auto _ : state) benchmark::DoNotOptimize(replay_run(*model, default_stack()));
}

// Ways as `modelmeter fit device=rtx_4090` evaluates them, smaller workloads among them where the run does not fit.
void fit(benchmark::State& state, const std::string& name, const Overrides& overrides) {
  bench::FitSearchOnce search(name, overrides);
  int64_t evaluated = 0;
  for (auto _ : state) evaluated = search();
  state.counters["ways"] = static_cast<double>(evaluated);
}

#define PIPELINE(id, ...)                                                         \
  BENCHMARK_CAPTURE(replay, id, __VA_ARGS__)->Unit(benchmark::kMillisecond);      \
  BENCHMARK_CAPTURE(replay_cold, id, __VA_ARGS__)->Unit(benchmark::kMillisecond); \
  BENCHMARK_CAPTURE(fit, id, __VA_ARGS__)->Unit(benchmark::kMillisecond)

PIPELINE(wan2_1_t2v_14b_pipeline_720p_81f, "wan2_1_t2v_14b_pipeline", Overrides{});
PIPELINE(wan2_1_t2v_14b_pipeline_480p_81f, "wan2_1_t2v_14b_pipeline", Overrides{"workload=wan2-1-480p-81f"});
PIPELINE(wan2_2_ti2v_5b_pipeline_704p_121f, "wan2_2_ti2v_5b_pipeline", Overrides{});

}  // namespace
