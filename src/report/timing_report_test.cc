// Times in reports: read back, beside those of another device, and what layers are ranked by.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "hardware/catalog.h"
#include "report/builder.h"
#include "report/difference.h"
#include "report/json.h"
#include "report/layer_tree.h"
#include "testing/models.h"

namespace modelmeter {
namespace {

using testing::HasSubstr;
using testing::Not;

Machine machine_of(const std::string& device) {
  const config::Repository files(std::string(MODELMETER_SOURCE_DIR) + "/configs");
  return {load_device(files, device), load_kernel_stack(files, "torch_2_11"), load_host(files, "cuda_graph")};
}

Report timed_report(const std::string& device) {
  const auto model = testing_models::wan_model({});
  const Machine machine = machine_of(device);
  return build_report(*model, evaluate(*model), "on_" + device, {}, &machine);
}

// In JSON they are in other units.
void expect_equal(const TimeFigures& a, const TimeFigures& b) {
  EXPECT_DOUBLE_EQ(a.device_s, b.device_s);
  EXPECT_DOUBLE_EQ(a.wall_s, b.wall_s);
  EXPECT_DOUBLE_EQ(a.low_s, b.low_s);
  EXPECT_DOUBLE_EQ(a.high_s, b.high_s);
  EXPECT_DOUBLE_EQ(a.host_s, b.host_s);
  EXPECT_EQ(a.joules, b.joules);
  EXPECT_EQ(a.usd, b.usd);
  EXPECT_EQ(a.launches, b.launches);
  EXPECT_EQ(a.bound, b.bound);
  EXPECT_EQ(a.clock_share, b.clock_share);
  EXPECT_DOUBLE_EQ(a.flops_per_s, b.flops_per_s);
  EXPECT_EQ(a.mfu, b.mfu);
}

TEST(TimedReport, IsReadBackUnchanged) {
  Report r = timed_report("h100_sxm");
  r.profile_run_id = "nsys-7";
  r.measured_total_time_ms = r.timing->total.wall_s * 2e3;
  r.timing->stages.at(0).measured_device_s = 0.25;
  const std::string text = to_json(r);
  const Report back = report_from_json(text, "r.json");
  expect_equal(back.timing->total, r.timing->total);
  expect_equal(back.timing->forward, r.timing->forward);
  expect_equal(back.timing->stages.at(0).total, r.timing->stages.at(0).total);
  EXPECT_EQ(back.timing->device, "h100_sxm");
  EXPECT_EQ(back.timing->stages.at(0).measured_device_s, 0.25);
  EXPECT_EQ(back.profile_run_id, r.profile_run_id);
  EXPECT_EQ(back.measured_total_time_ms, r.measured_total_time_ms);
  for (size_t i = 0; i < r.module_metrics.size(); ++i) {
    EXPECT_EQ(back.module_metrics[i].time->total_time_ms, r.module_metrics[i].time->total_time_ms);
    EXPECT_EQ(back.module_metrics[i].time->bound, r.module_metrics[i].time->bound);
  }
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["profile_run_id"], "nsys-7");
  EXPECT_DOUBLE_EQ(json["predicted_vs_measured_ratio"], 0.5);
}

TEST(TimedReport, HasNoRatioWithoutBothTimes) {
  Report r = timed_report("h100_sxm");
  EXPECT_TRUE(nlohmann::json::parse(to_json(r))["predicted_vs_measured_ratio"].is_null());
  r.timing.reset();
  for (ModuleMetricsSnapshot& s : r.module_metrics) s.time.reset();
  r.measured_total_time_ms = 5;
  const auto json = nlohmann::json::parse(to_json(r));
  EXPECT_EQ(json["measured_total_time_ms"], 5.0);
  EXPECT_TRUE(json["predicted_vs_measured_ratio"].is_null());
  EXPECT_TRUE(json["predicted_total_time_ms"].is_null());
}

TEST(Difference, SetsTheTimesOfTwoDevicesSideBySide) {
  const Report a = timed_report("h100_sxm"), b = timed_report("l4");
  const ReportDifference d = difference(a, b);
  EXPECT_EQ(d.device_a, "h100_sxm");
  EXPECT_EQ(d.device_b, "l4");
  const auto wall = std::find_if(d.times.begin(), d.times.end(), [](const auto& t) { return t.name == "wall"; });
  ASSERT_NE(wall, d.times.end());
  EXPECT_DOUBLE_EQ(*wall->a, a.timing->total.wall_s);
  EXPECT_DOUBLE_EQ(*wall->b, b.timing->total.wall_s);
  EXPECT_GT(*wall->b, *wall->a);
  EXPECT_EQ(d.times.front().name, "diffusion/dit, one forward");
  ASSERT_FALSE(d.layers.empty()) << "they cost the same and take other times";
  for (size_t i = 1; i < d.layers.size(); ++i) {
    EXPECT_GE(std::abs(d.layers[i - 1].ms_a - d.layers[i - 1].ms_b), std::abs(d.layers[i].ms_a - d.layers[i].ms_b));
  }
  const std::string text = difference_markdown(d, 3);
  EXPECT_THAT(text, HasSubstr("## Times"));
  EXPECT_THAT(text, HasSubstr("| A: h100_sxm "));
  EXPECT_THAT(text, HasSubstr(" Time A | "));
  const auto json = nlohmann::json::parse(difference_json(d));
  EXPECT_EQ(json["device_b"], "l4");
  EXPECT_TRUE(json["layers"][0]["total_time_ms_b"].is_number());
}

TEST(Difference, HasTimesOfTheOneThatHasADevice) {
  const auto model = testing_models::wan_model({});
  const Report a = timed_report("h100_sxm"), b = build_report(*model, "without");
  const ReportDifference d = difference(a, b);
  ASSERT_FALSE(d.times.empty());
  EXPECT_TRUE(d.times.front().a.has_value());
  EXPECT_FALSE(d.times.front().b.has_value());
  EXPECT_TRUE(d.layers.empty());
  EXPECT_THAT(difference_markdown(d, 3), HasSubstr("| B: no device "));
  const ReportDifference none = difference(b, b);
  EXPECT_TRUE(none.times.empty());
  EXPECT_THAT(difference_markdown(none, 3), Not(HasSubstr("## Times")));
}

TEST(LayerTree, IsSortedByTimeWhereThereIsADevice) {
  const auto model = testing_models::wan_model({});
  const Machine machine = machine_of("h100_sxm");
  const Evaluation run = evaluate(*model);
  const Report report = build_report(*model, run, "run", {}, &machine);
  LayerTreeOptions options;
  options.depth = 2;
  options.by = &rank_key("time");
  options.report = &report;
  const auto tree = module_tree(*model, run, {});
  const std::string text = layer_tree(*tree, run.trace(), run.rollup(), options);
  EXPECT_THAT(text, HasSubstr("Time"));
  EXPECT_THAT(text, HasSubstr("100.0"));
  EXPECT_LT(text.find("block x 3"), text.find("patch_embedding")) << "blocks take longer than what is before them";
  Report without = report;
  without.timing.reset();
  options.report = &without;
  EXPECT_THROW(layer_tree(*tree, run.trace(), run.rollup(), options), Error);
}

}  // namespace
}  // namespace modelmeter
