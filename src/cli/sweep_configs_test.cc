// The sweeps of configs/sweep: jobs of each against analyze of the same configuration, and what their questions come
// to.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "sweep/store.h"
#include "sweep/table.h"

namespace modelmeter::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* configs = MODELMETER_SOURCE_DIR "/configs/sweep";

class SweepQuestions : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(setenv("MODELMETER_DATA_DIR", MODELMETER_SOURCE_DIR, 1), 0);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // What a command prints.
  static std::string printed(const std::vector<std::string>& words) {
    testing::internal::CaptureStdout();
    const int code = analyze(words);
    std::string out = testing::internal::GetCapturedStdout();
    EXPECT_EQ(code, 0);
    return out;
  }
  std::string stored(const std::string& entry, const std::string& name, const std::vector<std::string>& more) const {
    const std::string store = (folder_ / (name + ".sqlite")).string();
    std::vector<std::string> words = {"-q", "--config-name", entry, "+sweep=" + name, "sweep.store=" + store};
    words.insert(words.end(), more.begin(), more.end());
    printed(words);
    return store;
  }

 private:
  fs::path folder_ = fs::temp_directory_path() / ("sweep_configs_" + std::to_string(getpid()));
};

using Row = std::map<std::string, StoredValue>;

std::vector<Row> rows_of(const SweepTable& table, const std::string& where = "") {
  TableQuery query;
  query.columns = table.columns();
  query.where = where;
  std::vector<Row> out;
  table.select(query, [&](const TableRow& cells) {
    Row& row = out.emplace_back();
    for (size_t i = 0; i < cells.size(); ++i) row[table.columns()[i]] = cells[i];
  });
  return out;
}

double number_of(const StoredValue& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return static_cast<double>(*integer);
  return std::get<double>(value);
}

void expect_same(const Row& row, const Json& report) {
  for (const FigureRow& figure : figure_rows) {
    const StoredValue& value = row.at(figure.name);
    const Json& there = report.at("totals").at(figure.name);
    if (const auto* integer = std::get_if<int64_t>(&value)) {
      EXPECT_EQ(*integer, there.get<int64_t>()) << figure.name;
    } else if (!there.is_null()) {
      EXPECT_EQ(number_of(value), there.get<double>()) << figure.name;
    }
  }
  const bool timed = report.contains("timing") && !report.at("timing").is_null();
  EXPECT_EQ(timed, !std::holds_alternative<std::nullptr_t>(row.at("latency_s")));
  if (!timed) return;
  const Json& total = report.at("timing").at("total");
  EXPECT_EQ(number_of(row.at("latency_s")), total.at("wall_s").get<double>());
  EXPECT_EQ(number_of(row.at("device_s")), total.at("device_s").get<double>());
  EXPECT_EQ(number_of(row.at("latency_low_s")), total.at("interval_s").at(0).get<double>());
  EXPECT_EQ(number_of(row.at("latency_high_s")), total.at("interval_s").at(1).get<double>());
  if (!total.at("joules").is_null()) {
    EXPECT_EQ(number_of(row.at("joules")), total.at("joules").get<double>());
  }
}

class SweepConfigs : public SweepQuestions, public testing::WithParamInterface<std::pair<const char*, const char*>> {};

// Of a fifth of the jobs, spread over all, the first, the last and one between.
TEST_P(SweepConfigs, JobsAreWhatAnalyzeGives) {
  const auto& [name, entry] = GetParam();
  const SweepTable table(stored(entry, name, {"sweep.shard=1/5"}), 0);
  const std::vector<Row> rows = rows_of(table);
  ASSERT_GE(rows.size(), 3U);
  for (const Row& row : {rows.front(), rows[rows.size() * 2 / 3], rows.back()}) {
    ASSERT_EQ(text_of(row.at("error")), "");
    std::vector<std::string> words = {"--json",        "-q", "--config-name", entry, "+sweep=" + std::string(name),
                                      "hydra.mode=RUN"};
    for (size_t i = 1; i <= table.axes(); ++i) {
      const std::string& key = table.columns()[i];
      const bool null = std::holds_alternative<std::nullptr_t>(row.at(key));
      words.push_back(key + "=" + (null ? "null" : text_of(row.at(key))));
    }
    SCOPED_TRACE(words.back());
    expect_same(row, Json::parse(printed(words)));
  }
}

INSTANTIATE_TEST_SUITE_P(Shipped, SweepConfigs,
                         testing::Values(std::pair("dsocr_vision_by_crops", "deepseek_ocr"),
                                         std::pair("dsocr_prefill_decode_by_image", "deepseek_ocr"),
                                         std::pair("dsocr_kv_cache_by_input", "deepseek_ocr"),
                                         std::pair("dsocr_required_tflops", "deepseek_ocr"),
                                         std::pair("wan_devices_precisions", "wan2_1_t2v_14b_pipeline"),
                                         std::pair("wan_frames_sizes_steps", "wan2_1_t2v_14b_pipeline")),
                         [](const auto& name) { return name.param.first; });

// Each is among those above.
TEST_F(SweepQuestions, AllFilesAreTested) {
  EXPECT_EQ(std::distance(fs::directory_iterator(configs), fs::directory_iterator()), 6);
}

// 12 layers keep keys and values of 10 heads of 128 in bfloat16 for every token.
TEST_F(SweepQuestions, TheKvCacheGrowsByAllItsTokens) {
  constexpr double token = 12 * 2 * 10 * 128 * 2;
  const SweepTable table(
      stored("deepseek_ocr", "dsocr_kv_cache_by_input", {"workload.page_width=640", "workload.page_height=640,3840"}),
      0);
  const auto cache = [&](const std::string& where) {
    const std::vector<Row> rows = rows_of(table, where);
    EXPECT_EQ(rows.size(), 1U) << where;
    return rows.empty() ? 0 : number_of(rows[0].at("kv_cache_bytes"));
  };
  const std::string page = "page_height = 640 and ";
  const double first = cache(page + "prompt_tokens = 10 and max_new_tokens = 512 and batch_size = 1");
  EXPECT_EQ(cache(page + "prompt_tokens = 1000 and max_new_tokens = 512 and batch_size = 1") - first, 990 * token);
  EXPECT_EQ(cache(page + "prompt_tokens = 10 and max_new_tokens = 2048 and batch_size = 1") - first, 1536 * token);
  EXPECT_EQ(cache(page + "prompt_tokens = 10 and max_new_tokens = 512 and batch_size = 64"), 64 * first);
  EXPECT_GT(cache("page_height = 3840 and prompt_tokens = 10 and max_new_tokens = 512 and batch_size = 1"), first);
}

// What a time asks of a device: the FLOPs of the stage by that time.
TEST_F(SweepQuestions, RequiredFlopsPerSecondAreThoseOfTheStageByTheTime) {
  const SweepTable table(
      stored("deepseek_ocr", "dsocr_required_tflops", {"workload=dsocr-base", "workload.batch_size=8"}), 0);
  TableQuery query;
  query.columns = {"flops_full", "to_first_token"};
  query.expressions = {{"to_first_token", "flops_full / 1e12 / 0.5"}};
  query.where = "stages = '[prefill]' and prompt_tokens = 10";
  int rows = 0;
  table.select(query, [&](const TableRow& row) {
    ++rows;
    EXPECT_EQ(number_of(row[1]), number_of(row[0]) / 1e12 / 0.5);
    EXPECT_GT(number_of(row[1]), 1);
  });
  EXPECT_EQ(rows, 1);
}

}  // namespace
}  // namespace modelmeter::cli
