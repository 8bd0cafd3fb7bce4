#include "cli/multirun.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "base/error.h"
#include "base/files.h"
#include "cli/help.h"
#include "cli/progress_bar.h"
#include "cli/sweep_jobs.h"
#include "sweep/table.h"

namespace modelmeter::cli {
namespace {

namespace fs = std::filesystem;

// A working directory of its own.
class MultirunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(setenv("MODELMETER_DATA_DIR", MODELMETER_SOURCE_DIR, 1), 0);
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    fs::current_path(folder_);
  }
  void TearDown() override {
    fs::current_path(before_);
    fs::remove_all(folder_);
  }

  static Arguments arguments(const std::vector<std::string>& words) {
    std::vector<Flag> flags = config_flags();
    flags.push_back({"--multirun", "-m", "", ""});
    return {words, with_common(flags)};
  }
  static int run(const std::vector<std::string>& words) {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = multirun(arguments(words));
    printed_ = ::testing::internal::GetCapturedStdout();
    complained_ = ::testing::internal::GetCapturedStderr();
    return code;
  }

  static std::string printed_, complained_;

 private:
  fs::path before_ = fs::current_path();
  fs::path folder_ = fs::temp_directory_path() /
                     (std::string("multirun_test_") + ::testing::UnitTest::GetInstance()->current_test_info()->name() +
                      "_" + std::to_string(getpid()));
};

std::string MultirunTest::printed_, MultirunTest::complained_;

// Rows of the same jobs, by points and composed one by one.
class BothWays {
 public:
  BothWays(const Arguments& arguments, std::vector<std::string> words)
      : session_(Session::multirun(arguments, words)),
        product_(config::Product::of(session_.repository(), session_.composition().overrides)),
        named_files_(session_.files()),
        setting_{session_, product_, named_files_, "test", "", {}, {}} {
    for (size_t i = 0; i < product_.axes().size(); ++i) {
      if (product_.axes()[i].swept()) setting_.swept.push_back(i);
    }
    setting_.base = lines_of_job(setting_, config::resolve(session_.job(product_.job(0), 0, "").composition));
    points_ = point_axes(session_, product_);
  }

  const std::vector<size_t>& points() const { return points_; }
  int64_t size() const { return product_.size(); }

  void expect_same() const {
    const std::unique_ptr<JobRunner> one = composed_jobs(setting_);
    const std::unique_ptr<JobRunner> many = point_jobs(setting_, make_spaces(setting_, points_));
    const FindResult none = [](JobHash) { return std::nullopt; };
    for (int64_t i = 0; i < product_.size(); ++i) {
      JobRow a, b;
      a.number = b.number = i;
      one->run(a, none);
      many->run(b, none);
      ASSERT_TRUE(a.key == b.key) << i << "\n" << a.changes << "\n" << b.changes;
      EXPECT_EQ(a.axes, b.axes) << i;
      EXPECT_EQ(a.error.substr(0, a.error.find('\n')), b.error.substr(0, b.error.find('\n'))) << i;
      ASSERT_EQ(a.figures.has_value(), b.figures.has_value()) << i;
      if (!a.figures) continue;
      EXPECT_TRUE(a.figures->totals == b.figures->totals) << i;
      ASSERT_EQ(a.figures->time.has_value(), b.figures->time.has_value());
      if (a.figures->time) expect_same(*a.figures->time, *b.figures->time, i);
    }
  }

  static void expect_same(const JobTime& a, const JobTime& b, int64_t job) {
    EXPECT_EQ(a.latency_s, b.latency_s) << job;
    EXPECT_EQ(a.low_s, b.low_s) << job;
    EXPECT_EQ(a.high_s, b.high_s) << job;
    EXPECT_EQ(a.device_s, b.device_s) << job;
    EXPECT_EQ(a.joules, b.joules) << job;
    EXPECT_EQ(a.usd, b.usd) << job;
    EXPECT_EQ(a.mfu, b.mfu) << job;
  }

 private:
  Session session_;
  config::Product product_;
  NamedFiles named_files_;
  JobSetting setting_;
  std::vector<size_t> points_;
};

TEST_F(MultirunTest, PointsHaveTheKeysAndFiguresOfComposedJobs) {
  const BothWays wan(arguments({"--config-name", "wan2_1_t2v_14b_pipeline"}),
                     {"runtime=official,diffusers", "runtime.residency=all,offload", "workload.num_frames=5,abc,13",
                      "workload.height=256,320", "workload.text_len=64,512", "runtime.allow_unsupported=true"});
  EXPECT_EQ(wan.points().size(), 4U);
  EXPECT_EQ(wan.size(), 48);
  wan.expect_same();
}

TEST_F(MultirunTest, SoHaveJobsOnADeviceAndOfOtherShapes) {
  const BothWays ocr(arguments({"--config-name", "deepseek_ocr"}),
                     {"device=h100_sxm", "model.stages=null,[prefill],[nope]", "workload.max_new_tokens=3,7",
                      "+workload.tile_columns=1,2", "+workload.tile_rows=2"});
  EXPECT_EQ(ocr.points().size(), 2U);
  ocr.expect_same();
}

// Steps, residency and precision on devices: what stages take is put together of what was timed before.
TEST_F(MultirunTest, SoHaveJobsOfManyStepsOnManyDevices) {
  const BothWays wan(arguments({"--config-name", "wan2_1_t2v_14b_pipeline"}),
                     {"device=h100_sxm,rtx_4090", "runtime.weight_dtype=bfloat16,float32",
                      "runtime.residency=all,offload", "workload.num_inference_steps=1,2,7,50"});
  EXPECT_EQ(wan.points().size(), 3U);
  wan.expect_same();
  const BothWays others(arguments({"--config-name", "wan2_2_t2v_a14b_pipeline"}),
                        {"device=h200_sxm", "runtime=diffusers", "runtime.execution=eager,compiled,ideal",
                         "workload.num_inference_steps=1,3,40", "workload.batch_size=1,2"});
  others.expect_same();
}

TEST_F(MultirunTest, SoHaveJobsThatSwapBlocks) {
  const BothWays wan(
      arguments({"--config-name", "wan2_1_t2v_1_3b_pipeline"}),
      {"device=rtx_4090", "runtime.block_swap=0,5", "workload.num_inference_steps=1,4", "workload.num_frames=5,9"});
  wan.expect_same();
}

TEST_F(MultirunTest, SoHaveReadingsOnADevice) {
  const BothWays ocr(arguments({"--config-name", "deepseek_ocr"}),
                     {"device=h100_sxm,a100_sxm", "workload.max_new_tokens=1,2,40", "workload.num_pages=1,3",
                      "workload.page_height=640,1754"});
  ocr.expect_same();
}

TEST_F(MultirunTest, WhatAJobReadsOfHydraIsComposed) {
  std::ofstream("mine.yaml") << "defaults: [wan2_1_t2v_14b]\nworkload: {batch_size: '${hydra:job.num}'}\n";
  const BothWays jobs(arguments({"--config-name", "mine", "--config-dir", "."}), {"workload.num_frames=5,9"});
  EXPECT_TRUE(jobs.points().empty());
}

TEST_F(MultirunTest, OneFailingJobLosesNoOther) {
  EXPECT_EQ(run({"--config-name", "wan2_1_t2v_14b", "hydra.sweep.dir=sw", "workload.num_frames=5,abc,9"}), 1);
  EXPECT_THAT(complained_, ::testing::HasSubstr("Error executing job with overrides: ['workload.num_frames=abc']"));
  for (const char* job : {"0", "1", "2"}) {
    EXPECT_TRUE(fs::exists(fs::path("sw") / job / ".hydra" / "overrides.yaml")) << job;
    EXPECT_EQ(fs::exists(fs::path("sw") / job / "static_analysis" / "wan2_1" / "report.json"), job[0] != '1') << job;
  }
  const SweepTable table("sw/sweep.sqlite", 0);
  std::vector<std::string> errors;
  table.select({{"error"}, {}, "", {}, {}, -1}, [&](const TableRow& row) { errors.push_back(text_of(row[0])); });
  ASSERT_EQ(errors.size(), 3U);
  EXPECT_EQ(errors[0], "");
  EXPECT_THAT(errors[1], ::testing::HasSubstr("workload.num_frames: expected an integer, got 'abc'"));
  EXPECT_EQ(errors[2], "");
}

TEST_F(MultirunTest, TheStoreAloneIsWrittenWhereItIsAsked) {
  EXPECT_EQ(run({"--config-name", "wan2_1_t2v_14b", "sweep.store=s.sqlite", "workload.num_frames=range(5,41,4)"}), 0);
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator("."))
    names.push_back(entry.path().filename().string());
  EXPECT_THAT(names, ::testing::ElementsAre("s.sqlite"));
  std::string frames;
  TableQuery query;
  query.columns = {"num_frames"};
  query.pareto = {"flops", "-num_frames"};
  query.where = "num_frames > 8 and num_frames < 20";
  SweepTable("s.sqlite", 0).select(query, [&](const TableRow& row) { frames += text_of(row[0]) + " "; });
  EXPECT_EQ(frames, "9 13 17 ");
}

// Jobs that were evaluated, of a multirun that says so in JSON.
class FilesOfJobs : public MultirunTest {
 protected:
  static void copy_metadata(const std::string& file, int layers) {
    auto metadata = nlohmann::json::parse(read_file(MODELMETER_SOURCE_DIR "/models/wan2.1-t2v-14b/config.json"));
    metadata["num_layers"] = layers;
    std::ofstream(file) << metadata.dump();
  }
  static int evaluated(std::vector<std::string> words) {
    words.insert(words.end(), {"--json", "sweep.store=s.sqlite"});
    EXPECT_EQ(run(words), 0) << complained_;
    return nlohmann::json::parse(printed_).at("evaluated");
  }
};

TEST_F(FilesOfJobs, AChangedFileIsEvaluatedAgain) {
  const std::vector<std::string> words = {"--config-name", "wan2_1_t2v_14b", "workload.num_frames=5,9",
                                          "hf.config_path=a.json,b.json"};
  copy_metadata("a.json", 40);
  copy_metadata("b.json", 30);
  EXPECT_EQ(evaluated(words), 4);
  EXPECT_EQ(evaluated(words), 0);
  copy_metadata("b.json", 20);  // of the axis' last value only
  EXPECT_EQ(evaluated(words), 2);
  copy_metadata("b.json", 30);
  EXPECT_EQ(evaluated(words), 0);
  std::string flops;
  TableQuery query;
  query.columns = {"flops"};
  query.where = "num_frames = 5";
  SweepTable("s.sqlite", 2).select(query, [&](const TableRow& row) { flops += text_of(row[0]) + " "; });
  std::string of_one = flops.substr(0, flops.find(' '));
  EXPECT_NE(flops, of_one + " " + of_one + " ");
}

TEST_F(FilesOfJobs, ADeviceOfTheUsersOwnAmongOthers) {
  const auto write = [](const std::string& price) {
    std::string text = read_file(MODELMETER_SOURCE_DIR "/configs/device/h100_sxm.yaml");
    text.replace(text.find("price: {value: 3.99"), 19, "price: {value: " + price);
    std::ofstream("mine.yaml") << text;
  };
  const std::vector<std::string> words = {"--config-name", "wan2_1_t2v_14b", "device=h200_sxm,mine.yaml"};
  write("1.00");
  EXPECT_EQ(evaluated(words), 2);
  EXPECT_EQ(evaluated(words), 0);
  write("2.00");
  EXPECT_EQ(evaluated(words), 1);
}

std::string hydra_cases() {
  const char* shared = std::getenv("MODELMETER_SHARED");
  const fs::path folder = shared != nullptr ? fs::path(shared) : fs::path(MODELMETER_SOURCE_DIR) / ".." / "shared";
  return (folder / "data" / "hydra_cases").string();
}

// What Hydra 1.3.2 wrote. Its app has no model: every job of ours ends in an error, behind what a job writes.
TEST_F(MultirunTest, FoldersAsRecordedOfHydra) {
  if (!fs::exists(hydra_cases() + "/run.jsonl")) GTEST_SKIP() << "skipped: no recorded cases here";
  std::ifstream in(hydra_cases() + "/run.jsonl");
  int compared = 0;
  for (std::string line; std::getline(in, line);) {
    const auto recorded = nlohmann::json::parse(line);
    const auto words = recorded.at("args").get<std::vector<std::string>>();
    if (std::find(words.begin(), words.end(), "-m") == words.end() || recorded.at("files").size() < 2) continue;
    // Options of override_dirname are the composition's.
    if (line.find("override_dirname.exclude_keys") != std::string::npos) continue;
    fs::remove_all("sw");
    std::vector<std::string> all = {"--config-path", hydra_cases() + "/run_fixture/conf"};
    if (words[0] != "--config-name") all.insert(all.end(), {"--config-name", "config"});
    all.insert(all.end(), words.begin(), words.end());
    run(all);
    for (const auto& [name, text] : recorded.at("files").items()) {
      const bool log = fs::path(name).filename() == "app.log";
      const std::string ours = log ? (fs::path(name).parent_path() / "modelmeter.log").string() : name;
      EXPECT_TRUE(fs::exists(ours)) << line.substr(0, 100) << ours;
      const std::string file = fs::path(name).filename();
      if (file == "config.yaml" || file == "overrides.yaml") {
        EXPECT_EQ(read_file(ours), text.get<std::string>()) << name;
      }
    }
    ++compared;
  }
  EXPECT_GE(compared, 11);
}

TEST(ProgressBar, SaysHowFarHowFastAndHowLongStill) {
  EXPECT_EQ(progress_line({10'000, 2'000, 3'000, 0, 1}, 2.0),
            "[############------------] 5,000/10,000  1,500/s  0:04 left  1 failed");
}

}  // namespace
}  // namespace modelmeter::cli
