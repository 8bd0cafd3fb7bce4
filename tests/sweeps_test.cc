// Points of a sweep are what the evaluation of their configuration gives, figure by figure: random points over every
// entry file, implementation and way to run, residency among what varies. Also what is refused is refused alike.
#include <gtest/gtest.h>

#include <random>

#include "entries.h"
#include "sweep/sweep.h"

namespace modelmeter {
namespace {

using Point = std::vector<int64_t>;
using Random = std::mt19937_64;

int64_t between(Random& random, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random);
}

// Mostly what runs, at times what is refused or cut off.
int64_t side(Random& random) {
  const int64_t multiple = between(random, 0, 9) == 0 ? 8 : 32;
  return multiple * between(random, 2, 1280 / multiple);
}

Point wan_point(Random& random) {
  const int64_t frames = between(random, 0, 9) == 0 ? between(random, 1, 20) : 4 * between(random, 0, 30) + 1;
  const int64_t batch = between(random, 0, 4) == 0 ? 2 : 1, prompt = between(random, 0, 1) == 0 ? 60 : 7;
  return {frames, side(random), side(random), between(random, 1, 60), batch, prompt, between(random, 0, 2)};
}

Point ocr_point(Random& random) {
  const int64_t batch = between(random, 1, 2);
  return {between(random, 300, 2000), between(random, 300, 2000), between(random, 1, 300), batch,
          batch * between(random, 1, 3)};
}

std::vector<SweepAxis> axes_of(const std::string& entry) {
  const auto named = [](std::initializer_list<const char*> keys) {
    std::vector<SweepAxis> out;
    for (const char* key : keys) out.push_back({key, {}});
    return out;
  };
  if (!entries::is_wan(entry)) {
    return named({"workload.page_width", "workload.page_height", "workload.max_new_tokens", "workload.batch_size",
                  "workload.num_pages"});
  }
  std::vector<SweepAxis> out = named({"workload.num_frames", "workload.height", "workload.width",
                                      "workload.num_inference_steps", "workload.batch_size", "workload.prompt_tokens"});
  SweepAxis residency{"runtime.residency", {}};
  for (const char* name : {"all", "offload", "sequential"}) residency.choices.push_back(config::Node::string(name));
  out.push_back(std::move(residency));
  return out;
}

// Every figure as text, or the error.
template <class F>
std::string text_of(const F& figures) {
  std::string out;
  try {
    const Figures f = figures();
    for (const FigureRow& row : figure_rows) {
      const std::optional<Count> value = row.get(f);
      out += std::string(row.name) + " " + (value ? to_string(*value) : "null") + "\n";
    }
  } catch (const Error& error) {
    out = error.what();
  }
  return out;
}

Figures whole(const SweepSpace& space, const Point& point) {
  const std::unique_ptr<AnalyticModel> model = space.model(point);
  const StageCost cost = model->get_forward_cost();
  Figures out = figures_of(cost.cost);
  out.parameters = cost.parameters;
  out.weight_bytes = cost.weight_bytes;
  out.activation_peak_bytes = cost.activation_peak_bytes;
  out.kv_cache_bytes = cost.kv_cache_bytes;
  out.peak_live_bytes = cost.peak_live_bytes;
  return out;
}

class Sweeps : public testing::TestWithParam<std::string> {};

// Points of which one in eight is evaluated by itself, too; gives how many polynomials did not fit.
int64_t failed_fits(const std::string& entry, entries::Overrides overrides, Random& random) {
  const bool wan = entries::is_wan(entry);
  if (wan) overrides.emplace_back("runtime.allow_unsupported=true");
  static const config::Repository repository(entries::source + "/configs", {});
  const config::Composition composition = config::compose(repository, entry, overrides);
  const SweepSpace space(composition, {entries::source}, axes_of(entry));
  Sweep sweep(space);
  constexpr int points = 100, compared = 12;
  for (int i = 0; i < points; ++i) {
    const Point point = wan ? wan_point(random) : ocr_point(random);
    const std::string swept = text_of([&] { return sweep.evaluate(point).figures; });
    if (i % (points / compared) != 0) continue;
    EXPECT_EQ(swept, text_of([&] { return whole(space, point); }))
        << testing::PrintToString(overrides) << " " << testing::PrintToString(point);
  }
  return sweep.stats().stages.failed_fits;
}

TEST_P(Sweeps, AreEvaluationsOfTheirPoints) {
  Random random(20261126);
  for (const entries::Overrides& overrides : entries::variants_of(GetParam())) {
    EXPECT_EQ(failed_fits(GetParam(), overrides, random), 0) << testing::PrintToString(overrides);
  }
}

// Where kernels are run otherwise, what does not fit is traced.
TEST(OtherSweeps, AreEvaluationsOfTheirPoints) {
  Random random(20261126);
  for (const char* entry : {"wan2_1_t2v_14b_pipeline", "wan2_2_t2v_a14b", "deepseek_ocr"}) {
    for (const char* execution : {"compiled", "ideal"}) {
      failed_fits(entry, {std::string("runtime.execution=") + execution}, random);
    }
    if (!entries::is_wan(entry)) continue;
    for (const char* shortcut : {"runtime.step_cache=0.35", "runtime.attention_density=0.37"}) {
      failed_fits(entry, {shortcut}, random);
    }
  }
}

// The example of docs/sweeps.md.
TEST(SweepExample, IsWhatTheDocumentSays) {
  const config::Repository repository(entries::source + "/configs");
  const SweepSpace space(config::compose(repository, "wan2_1_t2v_14b_pipeline", {"runtime.allow_unsupported=true"}),
                         DataFiles{entries::source},
                         {{"workload.num_frames", {}},
                          {"workload.height", {}},
                          {"workload.width", {}},
                          {"runtime.residency", {config::Node::string("all"), config::Node::string("offload")}}});
  Sweep sweep(space);
  const Totals totals = sweep.evaluate({81, 720, 1280, 1});
  const StageCost cost =
      entries::model("wan2_1_t2v_14b_pipeline", {"workload=wan2-1-720p-81f", "runtime.residency=offload"})
          ->get_forward_cost();
  EXPECT_EQ(totals.figures.flops_full, cost.cost.flops_full());
  EXPECT_EQ(totals.figures.peak_live_bytes, Count(cost.peak_live_bytes));
  EXPECT_GT(totals.resident_bytes, 0);
}

INSTANTIATE_TEST_SUITE_P(EntryConfigs, Sweeps, testing::ValuesIn(entries::all()),
                         [](const auto& entry) { return entry.param; });

}  // namespace
}  // namespace modelmeter
