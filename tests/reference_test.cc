// Our traces against recordings of real PyTorch runs, kernel by kernel: every recording that is there and that a model
// of ours has a twin of.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "model/registry.h"
#include "verify/comparison.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;

fs::path folder() {
  const char* shared = std::getenv("MODELMETER_SHARED");
  const fs::path root = shared != nullptr ? fs::path(shared) : fs::path(MODELMETER_SOURCE_DIR) / ".." / "shared";
  return root / "reference";
}

std::vector<std::string> recordings() {
  std::vector<std::string> out;
  std::error_code absent;
  for (const fs::path& of : {folder(), folder() / "ranks"}) {
    for (const auto& entry : fs::directory_iterator(of, absent)) {
      if (entry.path().extension() == ".json") out.push_back(entry.path().string());
    }
  }
  // A small set stands in the tree.
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(MODELMETER_SOURCE_DIR) / "tests" / "reference", absent)) {
    if (entry.path().extension() == ".json") out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

// The stage that a recording is of; null where we have no twin of it.
std::shared_ptr<const Stage> stage_of(const Recording& recording) {
  try {
    return stage_of_recording(recording);
  } catch (const Error& error) {
    if (error.message().find("no twin") == std::string::npos) throw;
    return nullptr;
  }
}

TEST(References, AreThere) {
  if (recordings().empty())
    GTEST_SKIP() << "skipped: no recordings in " << folder() << "; MODELMETER_SHARED can say where";
  for (const std::string& file : recordings()) {
    if (file.find("t2v-14b") == std::string::npos) continue;
    EXPECT_NE(stage_of(read_recording(read_file(file), file)), nullptr) << file;
  }
}

class Reference : public testing::TestWithParam<std::string> {};

TEST_P(Reference, IsWhatWeTrace) {
  const Recording recording = read_recording(read_file(GetParam()), GetParam());
  const std::shared_ptr<const Stage> stage = stage_of(recording);
  if (stage == nullptr) GTEST_SKIP() << "skipped: no twin of " << recording.modules.front().klass;
  const Comparison comparison = compare(recording_of(*stage), recording);
  EXPECT_GT(comparison.kernels_compared, 0);
  EXPECT_TRUE(comparison.equal()) << table_of(comparison, recording);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Reference);
INSTANTIATE_TEST_SUITE_P(Recorded, Reference, testing::ValuesIn(recordings()), [](const auto& test) {
  const fs::path file(test.param);
  std::string name = file.parent_path().filename().string() + "_" + file.stem().string();
  std::replace_if(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
});

}  // namespace
}  // namespace modelmeter
