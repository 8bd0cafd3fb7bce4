// Loops are folded: what repeats is traced once and counted often. Here every iteration is traced, the slow way, and
// both say the same: kernel by kernel, in total and at the peak. And a tracer that was cleared is as good as a new one.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "cost/rollup.h"
#include "entries.h"
#include "recording/expansion.h"

namespace modelmeter {
namespace {

using entries::Overrides;

// A run small enough to be traced whole.
struct SmallRun {
  std::string entry, implementation = "official", attention = "";   // "": as the entry has it
  int64_t batch = 1, frames = 9, height = 4, width = 6, steps = 3;  // sizes in units of 32 pixels
  int64_t new_tokens = 5;
  bool tiled = false;  // a page in tiles; a video in tiles where the code can
  Execution execution = Execution::eager;
};

std::string shown(const SmallRun& r) {
  return fmt::format("{} {} {} batch {} frames {} size {}x{} steps {} tokens {} tiled {}", r.entry, r.implementation,
                     name_of(r.execution), r.batch, r.frames, r.height, r.width, r.steps, r.new_tokens, r.tiled);
}

std::unique_ptr<AnalyticModel> model_of(const SmallRun& r) {
  const auto set = [](const char* what, int64_t value) { return fmt::format("workload.{}={}", what, value); };
  Overrides overrides = {set("batch_size", r.batch), fmt::format("runtime.execution={}", name_of(r.execution))};
  if (entries::is_wan(r.entry)) {
    overrides.insert(
        overrides.end(),
        {"runtime=" + r.implementation, "workload.allow_unsupported=true", "runtime.allow_unsupported=true",
         set("num_frames", r.frames), set("height", 32 * r.height), set("width", 32 * r.width),
         set("num_inference_steps", r.steps), set("text_len", 32), set("prompt_tokens", 9)});
    if (!r.attention.empty()) overrides.push_back("runtime.attention=" + r.attention);
    if (r.tiled && r.implementation == "diffusers") overrides.push_back("runtime.vae_tiling=true");
  } else {
    const int64_t page = r.tiled ? 1600 : 600;
    overrides.insert(overrides.end(), {set("page_width", page), set("page_height", page + 32 * r.height),
                                       set("max_new_tokens", r.new_tokens), set("num_pages", 2 * r.batch),
                                       "workload.seq_len=null", "workload.prompt_tokens=10"});
  }
  return entries::model(r.entry, overrides);
}

// What tracing a model gives.
struct Traced {
  Cost total;
  int64_t peak = 0, peak_with_residents = 0, given = 0;
  size_t ops = 0;
  std::vector<Cost> scopes;

  friend bool operator==(const Traced& a, const Traced& b) {
    return a.total == b.total && a.peak == b.peak && a.peak_with_residents == b.peak_with_residents &&
           a.given == b.given && a.ops == b.ops && a.scopes == b.scopes;
  }
};

Traced traced(const Tracer& tracer) {
  const Trace& trace = tracer.trace();
  const Rollup rollup = roll_up(trace);
  Traced out = {rollup.total(),    rollup.peak_live, rollup.peak_live_bytes(trace),
                trace.given_bytes, trace.ops.size(), {}};
  for (const ScopeCost& scope : rollup.scopes) out.scopes.push_back(scope.inclusive);
  return out;
}

// "" where both ways say the same, else the first difference.
std::string difference_of_folding(const SmallRun& r) {
  const std::unique_ptr<AnalyticModel> model = model_of(r);
  Tracer folded, unfolded;
  unfolded.folds = false;
  model->trace(folded);
  model->trace(unfolded);
  const std::vector<RecordedOp> ours = recorded_ops(folded.trace()), slow = recorded_ops(unfolded.trace());
  for (size_t i = 0; i < std::min(ours.size(), slow.size()); ++i) {
    const RecordedOp &a = ours[i], &b = slow[i];
    if (a.kernel == b.kernel && a.scope == b.scope && a.inputs == b.inputs && a.outputs == b.outputs &&
        a.flops == b.flops && a.read == b.read && a.write == b.write && a.live == b.live) {
      continue;
    }
    return fmt::format("kernel {}: folded {} @{} live {}, traced {} @{} live {}", i, a.kernel, a.scope, a.live,
                       b.kernel, b.scope, b.live);
  }
  if (ours.size() != slow.size()) return fmt::format("{} kernels folded, {} traced", ours.size(), slow.size());
  const Traced a = traced(folded), b = traced(unfolded);
  if (!(a.total == b.total)) return "the totals differ";
  if (a.peak != b.peak) return fmt::format("the peaks differ: {} folded, {} traced", a.peak, b.peak);
  if (a.peak_with_residents != b.peak_with_residents) return "the peaks with residents differ";
  return a.given == b.given ? "" : "what is given differs";
}

std::vector<SmallRun> every_entry() {
  std::vector<SmallRun> out;
  for (const std::string& entry : entries::all()) {
    out.push_back({entry});
    if (entries::is_wan(entry)) out.push_back({entry, "diffusers"});
  }
  return out;
}

TEST(Folding, GivesWhatTracingEveryIterationGives) {
  for (const SmallRun& run : every_entry()) EXPECT_EQ(difference_of_folding(run), "") << shown(run);
}

// What is compiled once for a loop's body is compiled alike in every iteration.
TEST(Folding, GivesWhatTracingEveryIterationGivesHoweverKernelsAreRun) {
  for (const Execution execution : {Execution::compiled, Execution::ideal}) {
    for (SmallRun run : every_entry()) {
      run.execution = execution;
      EXPECT_EQ(difference_of_folding(run), "") << shown(run);
    }
  }
}

TEST(Folding, GivesWhatTracingEveryIterationGivesAtAnySize) {
  const std::vector<SmallRun> runs = every_entry();
  EXPECT_TRUE(rc::check("folded is unfolded", [&] {
    SmallRun r = *rc::gen::elementOf(runs);
    r.batch = *rc::gen::inRange<int64_t>(1, 3);
    r.frames = 1 + 4 * *rc::gen::inRange<int64_t>(1, 5);
    r.height = *rc::gen::inRange<int64_t>(2, 12);
    r.width = *rc::gen::inRange<int64_t>(2, 12);
    r.steps = *rc::gen::inRange<int64_t>(1, 6);
    r.new_tokens = *rc::gen::inRange<int64_t>(1, 9);
    r.tiled = *rc::gen::arbitrary<bool>();
    r.execution = *rc::gen::element(Execution::eager, Execution::compiled, Execution::ideal);
    if (r.entry.find("t2i") != std::string::npos) r.frames = 1;
    if (r.entry.find("vace") != std::string::npos) r.batch = 1;  // diffusers' pipeline makes one video
    RC_LOG() << shown(r);
    RC_ASSERT(difference_of_folding(r) == "");
  }));
}

TEST(ClearedTracer, IsANewOne) {
  // What leaves the most behind: another attention kernel, autocast.
  SmallRun math = {"wan2_1_t2v_14b_pipeline", "diffusers"};
  math.attention = "math";
  const std::unique_ptr<AnalyticModel> other = model_of(math);
  Tracer used;
  for (const SmallRun& run : every_entry()) {
    const std::unique_ptr<AnalyticModel> model = model_of(run);
    Tracer fresh;
    model->trace(fresh);
    used.clear();
    other->trace(used);
    for (const char* after : {"another model", "itself"}) {
      used.clear();
      model->trace(used);
      EXPECT_TRUE(traced(used) == traced(fresh)) << shown(run) << ", traced after " << after;
    }
  }
}

}  // namespace
}  // namespace modelmeter
