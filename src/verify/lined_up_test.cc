// Launches of a profiled forward lined up with our trace of it: the profile is made of our own recording, with the
// names that torch.profiler gives, then changed.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "config/compose.h"
#include "model/registry.h"
#include "verify/comparison.h"
#include "verify/validation.h"

namespace modelmeter {
namespace {

const config::Repository& configs() {
  static const config::Repository repository(MODELMETER_SOURCE_DIR "/configs");
  return repository;
}

// 256 x 256, 4 frames, 64 tokens of text: "ci-tiny" in names of measurements.
const std::vector<std::string>& profiled() {
  static const std::vector<std::string> names = [] {
    const config::Node node = config::resolve(config::compose(
        configs(), "wan2_1_t2v_1_3b",
        {"workload.height=256", "workload.width=256", "workload.num_frames=4", "workload.text_len=64"}));
    const auto model = build_model(config::View(node), {MODELMETER_SOURCE_DIR});
    const std::map<std::string, std::string> renamed = {{"_to_copy", "copy_"},
                                                        {"clone", "copy_"},
                                                        {"zeros", "fill_"},
                                                        {"ones", "fill_"},
                                                        {"full", "fill_"},
                                                        {"new_zeros", "fill_"},
                                                        {"zero_", "fill_"},
                                                        {"scalar_tensor", "fill_"},
                                                        {"zeros_like", "fill_"},
                                                        {"ones_like", "fill_"},
                                                        {"stack", "cat"},
                                                        {"embedding", "gather"},
                                                        {"convolution", "cudnn_convolution"},
                                                        {"silu_", "silu"}};
    std::vector<std::string> out;
    for (const RecordedOp& op : recording_of(*model->stages().front()).ops) {
      if (!op.counted) continue;
      const std::string name = op.kernel.substr(op.kernel.find('.') + 1);
      const auto found = renamed.find(name);
      out.push_back(found == renamed.end() ? name : found->second);
    }
    return out;
  }();
  return names;
}

ValidationRow row_of(const std::vector<std::string>& ops, double us = 10) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / ("modelmeter-lined-up-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = (folder / "launches-h100-t2v-1.3b-official-ci-tiny.csv").string();
  std::ofstream file(path);
  file << "op,module,shapes,dtypes,us,kernels\n";
  for (const std::string& op : ops) file << fmt::format("aten.{},m,[],,{},k\n", op, us);
  file.close();
  return validate_file(path, {configs(), {MODELMETER_SOURCE_DIR}, "", "", {}}).rows.at(0);
}

TEST(LinedUp, AProfileOfTheSameLaunchesIsInPlace) {
  const ValidationRow row = row_of(profiled());
  const auto count = static_cast<int64_t>(profiled().size());
  EXPECT_GT(count, 1000);
  EXPECT_EQ(row.device, "h100_sxm");
  EXPECT_EQ(row.name, "t2v-1.3b-official-ci-tiny");
  EXPECT_EQ(*row.launches, count);
  EXPECT_EQ(*row.launches_in_place, count);
  EXPECT_FALSE(row.not_predicted_ms.has_value());
  EXPECT_NEAR(*row.measured_device_ms, static_cast<double>(count) * 0.01, 1e-6);
  EXPECT_GT(*row.predicted_device_ms, 1);
}

TEST(LinedUp, ALaunchThatWeDoNotHaveIsOnItsOwn) {
  std::vector<std::string> ops = profiled();
  ops.insert(ops.begin() + 100, "invented");
  ops.insert(ops.begin() + 500, "invented_too");
  const ValidationRow row = row_of(ops);
  EXPECT_EQ(*row.launches, static_cast<int64_t>(ops.size()));
  EXPECT_EQ(*row.launches_in_place, static_cast<int64_t>(profiled().size()));
  EXPECT_NEAR(*row.not_predicted_ms, 0.02, 1e-9);
}

TEST(LinedUp, ALaunchThatTheProfileDoesNotHaveIsPassedOver) {
  std::vector<std::string> ops = profiled();
  // One of another name than those around it, so that it is plain which one is missing.
  size_t gone = 200;
  while (ops[gone - 1] == ops[gone] || ops[gone + 1] == ops[gone] || ops[gone + 2] == ops[gone]) ++gone;
  ops.erase(ops.begin() + static_cast<std::ptrdiff_t>(gone));
  const ValidationRow row = row_of(ops);
  EXPECT_EQ(*row.launches, static_cast<int64_t>(ops.size()));
  EXPECT_GE(*row.launches_in_place, static_cast<int64_t>(ops.size()) - 2);
  EXPECT_LT(*row.launches_in_place, static_cast<int64_t>(ops.size()));
  EXPECT_FALSE(row.not_predicted_ms.has_value());
}

// One side lacks what many others look like: casts of a block whose weights are bfloat16 already (the H200's profile of
// diffusers' block). Going through both alone lost its way there.
TEST(LinedUp, WhereCastsAreMissingTheRestIsFound) {
  std::vector<std::string> ops = profiled();
  size_t removed = 0;
  for (size_t i = 0; i + 1 < ops.size() && removed < 40; ++i) {
    if (ops[i] != "copy_" || ops[i + 1] == "copy_") continue;
    ops.erase(ops.begin() + static_cast<std::ptrdiff_t>(i));
    ops.insert(ops.begin() + static_cast<std::ptrdiff_t>(i) + 1, removed % 2 == 0 ? "copy_" : "invented");
    i += 20;
    ++removed;
  }
  ASSERT_EQ(removed, 40u);
  const ValidationRow row = row_of(ops);
  EXPECT_EQ(row.group, "DiT");
  EXPECT_LE(row.not_predicted_ms.value_or(0), 0.4 + 1e-9);  // no more than the 40 of 10 us that were put there
}

// The mean of the launches' errors, weighted by their times: of launches that took no time ours are all error.
TEST(LinedUp, TheErrorOfALaunchIsWeightedByItsTime) {
  const ValidationRow slow = row_of(profiled(), 1e6);
  EXPECT_NEAR(*slow.launch_error, 1, 1e-3);  // a second each: all of it is missing
  const double ours = *slow.predicted_device_ms * 1e3 / static_cast<double>(profiled().size());
  const ValidationRow quick = row_of(profiled(), ours / 100);
  EXPECT_NEAR(*quick.launch_error, 99, 3);
  EXPECT_EQ(*quick.predicted_device_ms, *slow.predicted_device_ms);
}

}  // namespace
}  // namespace modelmeter
