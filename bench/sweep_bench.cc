// How many points of a sweep one core evaluates in a second. What a sweep has to learn first is part of it: every
// iteration is a new Sweep over the points.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "cli/help.h"
#include "cli/multirun.h"
#include "cli/session.h"
#include "evaluation.h"
#include "sweep/sweep.h"

namespace {

using namespace modelmeter;

using Points = std::vector<std::vector<int64_t>>;  // frames, height, width, steps, residency

// 81 frames of 720 x 1280, 50 steps, everything on the device.
constexpr int64_t frames = 81, height = 720, width = 1280, steps = 50, residency = 0;
constexpr int64_t points = 10'000;

Points steps_only() {
  Points out;
  for (int64_t i = 0; i < points; ++i) out.push_back({frames, height, width, 1 + i % 500, residency});
  return out;
}

Points residency_only() {
  Points out;
  for (int64_t i = 0; i < points; ++i) out.push_back({frames, height, width, steps, i % 2});
  return out;
}

Points frames_only() {
  Points out;
  for (int64_t i = 0; i < points; ++i) out.push_back({1 + 4 * (i % 100), height, width, steps, residency});
  return out;
}

// 20 numbers of frames, 25 sizes, 20 numbers of steps.
Points grid() {
  Points out;
  for (int64_t f = 0; f < 20; ++f) {
    for (int64_t s = 0; s < 25; ++s) {
      for (int64_t n = 0; n < 20; ++n) {
        out.push_back({5 + 8 * f, 256 + 64 * (s % 5), 256 + 128 * (s / 5), 10 + 5 * n, residency});
      }
    }
  }
  return out;
}

// 100 heights by 100 widths: no two alike.
Points all_sizes() {
  Points out;
  for (int64_t h = 0; h < 100; ++h) {
    for (int64_t w = 0; w < 100; ++w) out.push_back({frames, 128 + 16 * h, 128 + 16 * w, steps, residency});
  }
  return out;
}

const SweepSpace& space(const std::string& implementation) {
  static std::map<std::string, std::unique_ptr<SweepSpace>> spaces;
  std::unique_ptr<SweepSpace>& out = spaces[implementation];
  if (out) return *out;
  const config::Repository repository(std::string(MODELMETER_SOURCE_DIR) + "/configs");
  std::vector<SweepAxis> axes;
  for (const char* key : {"num_frames", "height", "width", "num_inference_steps"}) {
    axes.push_back({std::string("workload.") + key, {}});
  }
  axes.push_back({"runtime.residency", {config::Node::string("all"), config::Node::string("offload")}});
  out = std::make_unique<SweepSpace>(config::compose(repository, "wan2_1_t2v_14b_pipeline",
                                                     {"runtime=" + implementation, "runtime.allow_unsupported=true"}),
                                     DataFiles{MODELMETER_SOURCE_DIR}, std::move(axes));
  return *out;
}

void count(benchmark::State& state, const SweepSpace& over, const Points& all) {
  Sweep::Stats stats;
  for (auto _ : state) {
    Sweep sweep(over);
    for (const std::vector<int64_t>& point : all) benchmark::DoNotOptimize(sweep.evaluate(SweepPoint(point)));
    stats = sweep.stats();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(all.size()));
  state.counters["traced"] = static_cast<double>(stats.stages.traced);
  state.counters["fits"] = static_cast<double>(stats.stages.fits);
  state.counters["whole"] = static_cast<double>(stats.whole);
}

void sweep(benchmark::State& state, const std::string& implementation, Points (*make)()) {
  count(state, space(implementation), make());
}

// DeepSeek-OCR: pages of 100 widths and 100 heights, each with another number of tokens.
void reading(benchmark::State& state) {
  Points all;
  for (int64_t w = 0; w < 100; ++w) {
    for (int64_t h = 0; h < 100; ++h) all.push_back({600 + 20 * w, 600 + 20 * h, 100 + (w * h) % 977});
  }
  const config::Repository repository(std::string(MODELMETER_SOURCE_DIR) + "/configs");
  const SweepSpace over(config::compose(repository, "deepseek_ocr", {"workload.profile_id=dsocr-gundam"}),
                        DataFiles{MODELMETER_SOURCE_DIR},
                        {{"workload.page_width", {}}, {"workload.page_height", {}}, {"workload.max_new_tokens", {}}});
  count(state, over, all);
}
BENCHMARK(reading)->Name("sweep/deepseek_ocr_pages_and_tokens")->Unit(benchmark::kMillisecond);

std::string bench_file() {
  return (std::filesystem::temp_directory_path() / ("sweep_bench_" + std::to_string(getpid()))).string();
}

// A multirun from its words to its store: jobs a second on so many threads.
void run_stored(benchmark::State& state, std::vector<std::string> words, int64_t jobs) {
  const std::string file = bench_file();
  setenv("MODELMETER_DATA_DIR", MODELMETER_SOURCE_DIR, 1);
  std::vector<cli::Flag> flags = cli::config_flags();
  flags.push_back({"--multirun", "-m", "", ""});
  words.insert(words.end(), {"-q", "--config-name", "wan2_1_t2v_14b_pipeline", "runtime.allow_unsupported=true",
                             "sweep.store=" + file, "hydra.launcher.n_jobs=" + std::to_string(state.range(0))});
  const cli::Arguments arguments(words, cli::with_common(flags));
  for (auto _ : state) {
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(file + end);
    if (cli::multirun(arguments) != 0) state.SkipWithError("a job failed");
  }
  std::filesystem::remove(file);
  state.SetItemsProcessed(state.iterations() * jobs);
}

void stored(benchmark::State& state) {
  run_stored(state,
             {"workload.num_frames=range(5,165,4)", "workload.height=range(256,1024,64)",
              "workload.width=range(256,1536,64)", "workload.num_inference_steps=range(10,110,5)"},
             192'000);
}
BENCHMARK(stored)->Name("sweep/stored")->Arg(1)->Arg(2)->Arg(4)->Unit(benchmark::kMillisecond)->UseRealTime();

// On four devices, in two precisions, 500 numbers of steps.
void timed(benchmark::State& state) {
  run_stored(state,
             {"device=a100_sxm,h100_sxm,h200_sxm,rtx_4090", "runtime.weight_dtype=float32,bfloat16",
              "workload.num_inference_steps=range(10,510)"},
             4000);
}
BENCHMARK(timed)->Name("sweep/timed")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

// And sizes, each of which is timed anew: 48 runs on each device.
void timed_sizes(benchmark::State& state) {
  run_stored(state,
             {"device=h100_sxm,rtx_4090", "workload.num_frames=17,33,49,81", "workload.height=480,720",
              "workload.width=832,1280", "workload.num_inference_steps=20,30,50"},
             96);
}
BENCHMARK(timed_sizes)->Name("sweep/timed_sizes")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

// Points that are not swept: the configuration with its values resolved, built, evaluated.
void whole(benchmark::State& state, const std::string& implementation) {
  const Points all = grid();
  const SweepSpace& over = space(implementation);
  size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(over.model(all[next++ % all.size()])->get_forward_cost());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(whole, official, "official");
BENCHMARK_CAPTURE(whole, diffusers, "diffusers");

#define SWEEP(points)                                                                             \
  BENCHMARK_CAPTURE(sweep, points##_official, "official", points)->Unit(benchmark::kMillisecond); \
  BENCHMARK_CAPTURE(sweep, points##_diffusers, "diffusers", points)->Unit(benchmark::kMillisecond)

SWEEP(steps_only);
SWEEP(residency_only);
SWEEP(frames_only);
SWEEP(grid);
SWEEP(all_sizes);

}  // namespace
