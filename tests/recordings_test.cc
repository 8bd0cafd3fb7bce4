// Recordings of the tree, of models that modelmeter has twins of and others, as models themselves: their sums and peaks
// are those of the file. That the twins have the same is reference_test's.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "layer/stage_cost.h"
#include "model/registry.h"
#include "recording/recording.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> recordings_of_the_tree() {
  std::vector<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(MODELMETER_SOURCE_DIR) / "tests" / "reference")) {
    if (entry.path().extension() == ".json") out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

TEST(RecordingsOfTheTree, HaveTheSumsAndPeaksOfTheirFiles) {
  int compared = 0;
  for (const std::string& file : recordings_of_the_tree()) {
    const Recording recording = read_recording_file(file);
    if (recording.ops.empty()) continue;
    const RecordedTotals totals = recording.totals;
    const std::unique_ptr<AnalyticModel> model = model_of_recording(recording, "r");
    const Evaluation run = evaluate(*model);
    const Cost& cost = run.rollup().total();
    EXPECT_EQ(cost.kernels, totals.kernels) << file;
    EXPECT_EQ(cost.flops_torch(), totals.flops) << file;
    EXPECT_EQ(cost.bytes_read, totals.read) << file;
    EXPECT_EQ(cost.bytes_written, totals.write) << file;
    EXPECT_EQ(run.rollup().peak_live_bytes(run.trace()), totals.peak_live) << file;
    EXPECT_EQ(model->parameter_bytes(), totals.param_bytes) << file;
    ++compared;
  }
  EXPECT_GT(compared, 20);
}

}  // namespace
}  // namespace modelmeter
