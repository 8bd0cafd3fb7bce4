// What is made of rows of predictions beside measurements: signed errors, and mean, median, 90th percentile, bias and
// worst of those of one kind on one device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "verify/validation.h"

namespace modelmeter {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

ValidationRow kernel(const std::string& name, double predicted, double measured, std::optional<bool> inside = {}) {
  ValidationRow out;
  out.file = "micro.csv";
  out.device = "h100_sxm";
  out.name = name;
  out.group = "gemm bf16";
  out.predicted_device_ms = predicted;
  out.measured_device_ms = measured;
  out.inside = inside;
  return out;
}

// Errors of +10, -20, +30, 0 and -5 %, of which two are within what was said.
std::vector<ValidationRow> five() {
  return {kernel("a", 1.1, 1, true), kernel("b", 0.8, 1, false), kernel("c", 1.3, 1, false), kernel("d", 2, 2, true),
          kernel("e", 1.9, 2)};
}

TEST(Errors, AreOfWhatIsThere) {
  ValidationRow row;
  EXPECT_FALSE(row.device_error() || row.wall_error() || row.joules_error() || row.peak_allocated_error());
  row.predicted_device_ms = 3;
  EXPECT_FALSE(row.device_error().has_value());
  row.measured_device_ms = 2;
  EXPECT_DOUBLE_EQ(*row.device_error(), 0.5);
  row.predicted_joules = 1;
  row.measured_joules = 4;
  EXPECT_DOUBLE_EQ(*row.joules_error(), -0.75);
  row.predicted_peak_allocated = 5;
  row.measured_peak_allocated = 4;
  EXPECT_DOUBLE_EQ(*row.peak_allocated_error(), 0.25);
  row.predicted_wall_ms = 1;
  row.measured_wall_ms = 0;
  EXPECT_FALSE(row.wall_error().has_value());  // of nothing there is no share
}

TEST(Summary, HasTheFiguresOfTheErrorsOfAKind) {
  const auto json = nlohmann::json::parse(validation_json({five(), {}}));
  ASSERT_EQ(json["summary"].size(), 1u);
  const auto& s = json["summary"][0];
  EXPECT_EQ(s["kind"], "gemm bf16");
  EXPECT_EQ(s["device"], "h100_sxm");
  EXPECT_EQ(s["rows"], 5);
  EXPECT_NEAR(s["mean_error"], 0.13, 1e-9);  // of sizes
  EXPECT_NEAR(s["median_error"], 0.10, 1e-9);
  EXPECT_NEAR(s["ninetieth_error"], 0.30, 1e-9);
  EXPECT_NEAR(s["bias"], 0.03, 1e-9);  // with signs
  EXPECT_NEAR(s["worst_error"], 0.30, 1e-9);
  EXPECT_EQ(s["worst"], "c");
  EXPECT_EQ(s["inside"], 0.5);  // of those four that have an interval
}

TEST(Summary, TheWorstKeepsItsSign) {
  std::vector<ValidationRow> rows = five();
  rows.push_back(kernel("f", 0.5, 1));
  const auto json = nlohmann::json::parse(validation_json({rows, {}}));
  const auto& s = json["summary"][0];
  EXPECT_NEAR(s["worst_error"], -0.5, 1e-9);
  EXPECT_EQ(s["worst"], "f");
  EXPECT_NEAR(s["median_error"], 0.2, 1e-9);  // of six, the upper one of the two in the middle
  const std::string text = validation_text({rows, {}});
  EXPECT_THAT(text,
              ContainsRegex("\\| gemm bf16 \\| h100_sxm \\| +6 \\| +19.2 % \\| +20.0 % \\| +50.0 % \\| +-5.8 % \\| "
                            "+-50.0 % \\| f +\\| +2 of 4 \\|"));
  EXPECT_THAT(text, testing::Not(HasSubstr("## Forwards and runs")));
}

// Nine of ten: of twenty errors of 1 to 20 % the nineteenth.
TEST(Summary, TheNinetiethIsWhatNineInTenDoNotPass) {
  std::vector<ValidationRow> rows;
  for (int i = 1; i <= 20; ++i) rows.push_back(kernel(std::to_string(i), 1 + i / 100.0, 1));
  const auto json = nlohmann::json::parse(validation_json({rows, {}}));
  EXPECT_NEAR(json["summary"][0]["ninetieth_error"], 0.19, 1e-9);
  EXPECT_EQ(json["summary"][0]["inside"], nullptr);
}

TEST(Summary, IsOfEachKindOnEachDevice) {
  std::vector<ValidationRow> rows = five();
  rows[1].device = "h200_sxm";
  rows[2].group = "attention";
  const auto json = nlohmann::json::parse(validation_json({rows, {}}));
  std::vector<std::string> parts;
  for (const auto& s : json["summary"]) {
    parts.push_back(s["kind"].get<std::string>() + " " + s["device"].get<std::string>() + " " + s["rows"].dump());
  }
  EXPECT_THAT(parts, testing::ElementsAre("attention h100_sxm 1", "gemm bf16 h100_sxm 3", "gemm bf16 h200_sxm 1"));
}

// A forward's error is that of its wall time, where it is known.
TEST(Rows, OfForwardsHaveALineOfTheirOwn) {
  ValidationRow row = kernel("t2v-14b", 90, 100);
  row.group = "DiT";
  row.predicted_wall_ms = 126;
  row.measured_wall_ms = 120;
  row.predicted_joules = 8;
  row.measured_joules = 10;
  row.launches = 50;
  row.launches_in_place = 48;
  row.launch_error = 0.123;
  const std::string text = validation_text({{row}, {}});
  EXPECT_THAT(text, testing::StartsWith("## Forwards and runs\n\n"));
  EXPECT_THAT(
      text,
      ContainsRegex("\\| h100_sxm \\| t2v-14b \\| +90 \\| +100 \\| -10.0 % \\| +126 \\| +120 \\| \\+5.0 % \\| -20.0 % "
                    "\\|.* 48 of 50 \\| +12.3 % \\|"));
  const auto json = nlohmann::json::parse(validation_json({{row}, {}}));
  EXPECT_NEAR(json["summary"][0]["mean_error"], 0.05, 1e-9);
  const auto& r = json["rows"][0];
  EXPECT_EQ(r["file"], "micro.csv");
  EXPECT_EQ(r["kind"], "DiT");
  EXPECT_NEAR(r["device_ms_error"], -0.1, 1e-9);
  EXPECT_NEAR(r["wall_ms_error"], 0.05, 1e-9);
  EXPECT_NEAR(r["joules_error"], -0.2, 1e-9);
  EXPECT_EQ(r["launches"], 50);
  EXPECT_EQ(r["launches_in_place"], 48);
  EXPECT_EQ(r["launch_error"], 0.123);
  EXPECT_EQ(r["peak_allocated_error"], nullptr);
  EXPECT_EQ(r["inside"], nullptr);
}

}  // namespace
}  // namespace modelmeter
