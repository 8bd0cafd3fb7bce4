// Times in a report, from times that were made up: of modules, of stages and the run, in seconds, joules and dollars.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "config/yaml.h"
#include "hardware/catalog.h"
#include "report/builder.h"
#include "report/json.h"
#include "report/timing.h"
#include "report/timing_text.h"
#include "testing/tiny_model.h"

namespace modelmeter {
namespace {

using testing::HasSubstr;

// A device of round figures: 100 TFLOP/s in bf16, 7.2 dollars an hour.
Machine machine(const std::string& more = "") {
  const std::string device =
      "name: Round\nvendor: Nobody\narchitecture: sm90\n"
      "sources:\n  sheet: {title: a sheet, date: 2026-11, kind: specification}\n"
      "memory_size: {value: 16, unit: GB, source: sheet}\n"
      "memory_bandwidth: {value: 1, unit: TB/s, source: sheet}\n"
      "sm_count: {value: 100, source: sheet}\nboost_clock: {value: 1, unit: GHz, source: sheet}\n"
      "tensor_rates:\n  bf16: {value: 100, unit: TFLOP/s, source: sheet, accumulate: fp32}\n" +
      more;
  const config::Node node = config::parse_yaml(device, "round.yaml");
  const config::Repository configs(MODELMETER_SOURCE_DIR "/configs");
  return Machine(read_device(config::View(node), "round"), load_kernel_stack(configs, "torch_2_11"),
                 load_host(configs, "virtual_16_cores"));
}
constexpr const char* price = "price: {value: 7.2, unit: USD/h, source: sheet}\n";
constexpr const char* power =
    "power_limit: {value: 500, unit: W, source: sheet}\n"
    "power:\n  idle: {value: 100, unit: W, source: sheet}\n  sustained: {value: 1, source: sheet}\n"
    "  burst: {value: 1, unit: J, source: sheet}\n  memory: {value: 100, unit: pJ/B, source: sheet}\n"
    "  tensor: {value: 2, unit: pJ/FLOP, source: sheet}\n  attention: {value: 3, unit: pJ/FLOP, source: sheet}\n";

// 2 s on the device, 2.5 s in all, 1 s of them the host's; 50e12 FLOP.
StageTime stage(const std::string& id) {
  StageTime out;
  out.stage = id;
  out.part.device = 2;
  out.part.by_bound[static_cast<int>(Bound::memory)] = 1.5;
  out.part.by_bound[static_cast<int>(Bound::tensor)] = 0.5;
  out.wall = 2.5;
  out.low = 2.25;
  out.high = 3;
  out.host = 1;
  out.joules = 600;
  out.launches = 70;
  out.flops = 50e12;
  out.clock = 0.75;
  return out;
}

RunTime times(double factor) {
  RunTime out;
  out.stages = {stage("core/net"), stage("tail/out")};
  for (StageTime& s : out.stages) {
    for (double* time : {&s.part.device, &s.wall, &s.low, &s.high, &s.host, &s.joules, &s.launches, &s.flops})
      *time *= factor;
  }
  return out;
}

TEST(TimingOf, HasSecondsJoulesDollarsAndRates) {
  const Timing t = timing_of(times(0.1), times(1), machine(std::string(price) + power));
  EXPECT_EQ(t.device, "round");
  EXPECT_EQ(t.host, "virtual_16_cores");
  EXPECT_EQ(t.stack, "torch_2_11");
  ASSERT_EQ(t.stages.size(), 2u);
  EXPECT_EQ(t.stages[0].stage, "core/net");
  const TimeFigures& f = t.stages[0].total;
  EXPECT_DOUBLE_EQ(f.device_s, 2);
  EXPECT_DOUBLE_EQ(f.wall_s, 2.5);
  EXPECT_DOUBLE_EQ(f.low_s, 2.25);
  EXPECT_DOUBLE_EQ(f.high_s, 3);
  EXPECT_DOUBLE_EQ(f.host_s, 1);
  EXPECT_DOUBLE_EQ(*f.joules, 600);
  EXPECT_DOUBLE_EQ(*f.usd, 2.5 * 7.2 / 3600);
  EXPECT_DOUBLE_EQ(f.launches, 70);
  EXPECT_DOUBLE_EQ(f.clock_share, 0.75);
  EXPECT_DOUBLE_EQ(f.flops_per_s, 25e12);        // while it computes
  EXPECT_DOUBLE_EQ(*f.mfu, 50e12 / 2.5 / 1e14);  // of what it could have in all
  EXPECT_EQ(f.bound, "memory");
  EXPECT_DOUBLE_EQ(t.stages[1].forward.wall_s, 0.25);
  EXPECT_DOUBLE_EQ(t.total.wall_s, 5);
  EXPECT_DOUBLE_EQ(t.total.launches, 140);
  EXPECT_DOUBLE_EQ(t.forward.device_s, 0.4);
}

TEST(TimingOf, WhatTheDeviceDoesNotSayIsNotKnown) {
  const Timing t = timing_of(times(0.1), times(1), machine());
  EXPECT_FALSE(t.total.usd.has_value());
  EXPECT_FALSE(t.total.joules.has_value());
  EXPECT_TRUE(t.total.mfu.has_value());
  RunTime waiting = times(1);
  waiting.stages[0].host = 2.25;  // longer than the device
  EXPECT_EQ(timing_of(times(0.1), waiting, machine()).stages[0].total.bound, "host");
}

// Each scope takes as many milliseconds as its number: leaves have those of their scopes, what is above their sum.
class ModuleTimes : public testing::Test {
 protected:
  RunTime by_scope() const {
    RunTime out;
    out.scopes.resize(run_.trace().scopes.size());
    for (size_t i = 0; i < out.scopes.size(); ++i) {
      PartTime& part = out.scopes[i];
      part.device = static_cast<double>(i) * 1e-3;
      part.light = part.device / 4;
      part.joules = part.device * 100;
      part.by_bound[static_cast<int>(i % 2 == 0 ? Bound::launch : Bound::vector)] = part.device;
    }
    return out;
  }
  std::map<std::string, ModuleTime> set(const ModuleTreeOptions& options) const {
    Report report = build_report(model_, run_, "run", options);
    set_module_times(*module_tree(model_, run_, options), by_scope(), report);
    std::map<std::string, ModuleTime> out;
    for (const ModuleMetricsSnapshot& s : report.module_metrics) out[s.module_id] = *s.time;
    return out;
  }

  testing_models::TinyModel model_;
  Evaluation run_ = evaluate(model_);
};

TEST_F(ModuleTimes, AddUpToTheRun) {
  auto times = set({});
  const auto children = [&](const std::vector<std::string>& ids, double ModuleTime::* member) {
    double sum = 0;
    for (const std::string& id : ids) sum += times.at(id).*member;
    return sum;
  };
  const std::vector<std::string> of_net = {"core/net/scaled", "core/net/block_00", "core/net/head", "core/net/other"},
                                 of_mlp = {"core/net/block_00/mlp/up", "core/net/block_00/mlp/down"};
  for (double ModuleTime::* member : {&ModuleTime::total_time_ms, &ModuleTime::light_ms, &ModuleTime::joules}) {
    EXPECT_NEAR(times["core/net"].*member, children(of_net, member), 1e-9);
    EXPECT_NEAR(times["core/net/block_00/mlp"].*member, children(of_mlp, member), 1e-9);
    EXPECT_NEAR(times["pipeline"].*member, children({"core/net", "tail/out"}, member), 1e-9);
  }
  EXPECT_GT(times["core/net/block_00/act"].total_time_ms, 0);
  EXPECT_DOUBLE_EQ(times["pipeline"].share_of_model_time, 1);
  EXPECT_DOUBLE_EQ(times["core/net/head"].share_of_model_time,
                   times["core/net/head"].total_time_ms / times["pipeline"].total_time_ms);
  EXPECT_DOUBLE_EQ(times["core/net/head"].light_ms, times["core/net/head"].total_time_ms / 4);
  EXPECT_DOUBLE_EQ(times["core/net/head"].joules, times["core/net/head"].total_time_ms / 10);
  const bool even = static_cast<int64_t>(times["core/net/block_00/act"].total_time_ms + 0.5) % 2 == 0;
  EXPECT_EQ(times["core/net/block_00/act"].bound, even ? "launch" : "vector");
}

TEST_F(ModuleTimes, OfExpandedBlocksAreThirds) {
  auto all = set({}), each = set({true});
  for (const char* number : {"00", "01", "02"}) {
    EXPECT_NEAR(each[std::string("core/net/block_") + number + "/mlp/up"].total_time_ms,
                all["core/net/block_00/mlp/up"].total_time_ms / 3, 1e-9);
  }
  EXPECT_NEAR(each["pipeline"].total_time_ms, all["pipeline"].total_time_ms, 1e-9);
}

Report timed() {
  const testing_models::TinyModel model;
  Report r = build_report(model, "run");
  r.timing = timing_of(times(0.1), times(1), machine(std::string(price) + power));
  r.timing->stages[1].on_device = false;
  for (ModuleMetricsSnapshot& s : r.module_metrics) {
    ModuleTime t;
    t.total_time_ms = s.module_id == "core/net/head" ? 0.5 : 2000;
    t.share_of_model_time = 0.25;
    t.light_ms = 0.0005;
    t.joules = 3;
    t.bound = "tensor";
    s.time = t;
  }
  return r;
}

TEST(TimedReport, AsJsonHasMillisecondsOfAForwardAndSecondsOfTheRun) {
  const auto json = nlohmann::json::parse(to_json(timed()));
  EXPECT_EQ(json["predicted_total_time_ms"], 5000.0);
  const auto& t = json["timing"];
  EXPECT_EQ(t["device"], "round");
  EXPECT_EQ(t["total"]["device_s"], 4.0);
  EXPECT_EQ(t["total"]["wall_s"], 5.0);
  EXPECT_EQ(t["total"]["host_s"], 2.0);
  EXPECT_EQ(t["total"]["interval_s"], nlohmann::json::parse("[4.5, 6.0]"));
  EXPECT_EQ(t["total"]["launches"], 140);
  EXPECT_EQ(t["total"]["joules"], 1200.0);
  EXPECT_EQ(t["total"]["usd"], 5 * 7.2 / 3600);
  EXPECT_EQ(t["total"]["tensor_tflops_per_s"], 25.0);
  EXPECT_EQ(t["total"]["clock_share"], 0.75);
  EXPECT_EQ(t["total"]["bound"], "memory");
  EXPECT_DOUBLE_EQ(t["forward"]["device_ms"], 400);
  EXPECT_DOUBLE_EQ(t["forward"]["wall_ms"], 500);
  const auto& stage_0 = t["stages"][0];
  EXPECT_EQ(stage_0["stage"], "core/net");
  EXPECT_EQ(stage_0["on_device"], true);
  EXPECT_DOUBLE_EQ(stage_0["forward"]["wall_ms"], 250);
  EXPECT_EQ(stage_0["total"]["wall_s"], 2.5);
  EXPECT_EQ(t["stages"][1]["on_device"], false);
  for (const auto& s : json["module_metrics"]) {
    if (s["module_id"] != "core/net/head") continue;
    EXPECT_EQ(s["total_time_ms"], 0.5);
    EXPECT_EQ(s["share_of_model_time"], 0.25);
    EXPECT_EQ(s["time"], nlohmann::json::parse(R"({"bound": "tensor", "speed_of_light_ms": 0.0005, "joules": 3.0})"));
  }
}

TEST(TimedReport, SaysTheTimesOfStagesAndLayers) {
  const std::string text = timing_section(timed());
  EXPECT_THAT(text, testing::StartsWith("## Time on round\n\n"));
  EXPECT_THAT(text,
              testing::ContainsRegex(
                  "\\| core/net, one forward +\\| +250 ms \\| +225 ms to 300 ms \\| +200 ms \\| +100 ms \\| memory"));
  EXPECT_THAT(
      text,
      testing::ContainsRegex(
          "\\| core/net +\\| +2.5 s \\| +2.25 s to 3 s \\| +2 s \\| +1 s \\| memory \\| +25 \\| +20.0 % \\| +75.0 % \\| +600 \\| +0.0050 "));
  EXPECT_THAT(text, testing::ContainsRegex("\\| whole run +\\| +5 s "));
  EXPECT_THAT(text, testing::Not(HasSubstr("| tail/out, one forward")));
  EXPECT_THAT(text, HasSubstr("\nNot timed: tail/out, which runs on the CPU.\n"));
  EXPECT_THAT(text, testing::ContainsRegex("\\| core/net/head +\\| +500 us \\| +25.0 % \\| tensor \\| +0.5 us "));
  EXPECT_THAT(text, HasSubstr("| core/net/block x 3/mlp/up "));
  EXPECT_THAT(text, testing::ContainsRegex("\\| tail/out +\\|    2 s \\|"));
}

TEST(SecondsText, HasFourDigitsInTheUnitThatFits) {
  const std::pair<double, const char*> cases[] = {
      {1234.56, "1235 s"}, {12.345, "12.35 s"},     {1, "1 s"},      {0.99999, "1000 ms"},
      {0.5, "500 ms"},     {0.0123456, "12.35 ms"}, {0.001, "1 ms"}, {0.0009999, "999.9 us"},
      {1.5e-6, "1.5 us"},  {2e-9, "0.002 us"},      {0, "0 us"},
  };
  for (const auto& [seconds, text] : cases) EXPECT_EQ(seconds_text(seconds), text) << seconds;
}

}  // namespace
}  // namespace modelmeter
