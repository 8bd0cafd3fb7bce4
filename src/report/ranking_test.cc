#include "report/ranking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "report/builder.h"
#include "report/top.h"
#include "testing/models.h"

namespace modelmeter {
namespace {

using testing::HasSubstr;

Report tiny(const ModuleTreeOptions& options = {}) {
  return build_report(*testing_models::wan_model({}), "run", options);
}

std::string first_by(const Report& r, const char* key) { return top_leaves(r, 1, rank_key(key)).front()->module_id; }

TEST(RankKeys, NameFiguresThatThereAre) {
  for (const RankKey& key : rank_keys) {
    EXPECT_EQ(&rank_key(key.name), &key);
    ASSERT_GE(figures_of(key).size(), 2u);
    EXPECT_EQ(figures_of(key)[0]->name, std::string(key.figures[0]));
  }
  EXPECT_EQ(rank_key_names(), "flops|bytes|memory|kernels|time");
}

TEST(RankKeys, AnUnknownOneIsAUsageErrorWithASuggestion) {
  try {
    rank_key("byte");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 2);
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'bytes'?"));
  }
}

// Torch counts no FLOPs of modulation and rope: they are nowhere by FLOPs, and first by bytes.
TEST(Ranking, ByBytesShowsWhatTorchCountsNoFlopsOf) {
  testing_models::WanSpec spec;
  spec.dim = 96;
  spec.frames = 17;
  spec.height = 128;
  const Report r = build_report(*testing_models::wan_model(spec), "run");
  EXPECT_EQ(first_by(r, "bytes"), "diffusion/dit/block_00/attn/self_attn/rope");
  EXPECT_EQ(top_leaves(r, 1, rank_key("bytes")).front()->exact.flops_torch, 0);
  for (const ModuleMetricsSnapshot* leaf : top_leaves(r, 10)) EXPECT_GT(leaf->exact.flops_torch, 0) << leaf->module_id;
}

TEST(Ranking, EachKeySortsByItsFigure) {
  const Report r = tiny();
  for (const RankKey& key : rank_keys) {
    if (key.by_time) continue;
    const FigureRow& row = figure_row(key.figures[0]);
    const auto leaves = top_leaves(r, 1000, key);
    for (size_t i = 1; i < leaves.size(); ++i) {
      EXPECT_GE(row.get(leaves[i - 1]->exact)->value(), row.get(leaves[i]->exact)->value()) << key.name;
    }
    Figures sum, of_leaves;
    for (const CategoryFigures& c : top_categories(r, 1000, key)) add(sum, c.figures);
    for (const ModuleMetricsSnapshot* leaf : leaves) {
      if (leaf->exact.kernels > 0) add(of_leaves, leaf->exact);
    }
    EXPECT_EQ(sum, of_leaves) << key.name;
  }
}

// Times that fall as FLOPs rise.
Report timed() {
  Report r = tiny();
  r.timing.emplace();
  double ms = 0;
  for (const ModuleMetricsSnapshot* s : top_leaves(r, 1000)) {
    const auto at = static_cast<size_t>(s - r.module_metrics.data());
    r.module_metrics[at].time.emplace();
    r.module_metrics[at].time->total_time_ms = ++ms;
    r.module_metrics[at].time->bound = "tensor";
  }
  for (ModuleMetricsSnapshot& s : r.module_metrics) {
    if (s.time) s.time->share_of_model_time = s.time->total_time_ms / (ms * (ms + 1) / 2);
  }
  return r;
}

TEST(Ranking, ByTimeTakesAReportWithTimes) {
  const Report r = timed();
  const auto leaves = top_leaves(r, 1000, rank_key("time"));
  for (size_t i = 1; i < leaves.size(); ++i) {
    EXPECT_GT(leaves[i - 1]->time->total_time_ms, leaves[i]->time->total_time_ms);
  }
  EXPECT_EQ(leaves.back()->module_id, top_leaves(r, 1).front()->module_id);
  double sum = 0;
  for (const CategoryFigures& c : top_categories(r, 1000, rank_key("time"))) sum += c.time_ms;
  EXPECT_DOUBLE_EQ(sum, static_cast<double>(leaves.size() * (leaves.size() + 1) / 2));
  const std::string text = top_tables(r, {2, 1}, {&rank_key("time")});
  EXPECT_THAT(text, HasSubstr("## Top 2 layers by time on the device\n"));
  EXPECT_THAT(text, HasSubstr("| tensor |"));
  EXPECT_THAT(top_json(r, {1, 1}, rank_key("time")), HasSubstr("\"total_time_ms\""));
  try {
    top_leaves(tiny(), 1, rank_key("time"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("device=NAME"));
  }
}

TEST(Ranking, AShareIsOfTheWholeAndAPeakHasNone) {
  Figures part, whole;
  part.bytes_moved = 278;
  whole.bytes_moved = 1000;
  part.activation_peak_bytes = whole.activation_peak_bytes = 5;
  EXPECT_EQ(share_text(figure_row("bytes_moved"), part, whole), "27.8 %");
  EXPECT_EQ(share_text(figure_row("activation_peak_bytes"), part, whole), "-");
  EXPECT_EQ(share_text(figure_row("kernels"), part, whole), "-");  // of nothing
}

TEST(Labels, HaveTheNumberOfEqualLayersInPlaceOfTheFirst) {
  EXPECT_EQ(label_of("block_00", 40), "block x 40");
  EXPECT_EQ(label_of("layer_01", 11), "layer x 11");
  EXPECT_EQ(label_of("block_00", 1), "block_00");
  EXPECT_EQ(label_of("experts", 64), "experts x 64");
  EXPECT_EQ(label_of("conv1", 2), "conv1 x 2");  // a number that is part of the name
  EXPECT_EQ(label_of("up_2x", 3), "up_2x x 3");
  EXPECT_EQ(label_of("_0", 3), "_0 x 3");
  const Report r = tiny(), expanded = tiny({true});
  EXPECT_THAT(labels(r), testing::Contains("diffusion/dit/block x 3/attn/self_attn/q"));
  EXPECT_THAT(labels(r), testing::Not(testing::Contains(HasSubstr("block_00"))));
  EXPECT_THAT(labels(expanded), testing::Contains("diffusion/dit/block_02/attn/self_attn/q"));
  const Report pages = build_report(*testing_models::ocr_model({}), "run");
  EXPECT_THAT(labels(pages), testing::Contains("decoder/deepseek_v2_decoder_layer/prefill/layer x 3/mlp/expert x 8"));
}

TEST(TopTables, SayHowMuchTheRowsAreOfTheWhole) {
  const std::string text = top_tables(tiny(), {2, 1}, {&rank_key("bytes")});
  EXPECT_THAT(text, HasSubstr("## Top 2 layers by bytes moved\n"));
  EXPECT_THAT(text, HasSubstr("\n| Layer "));
  EXPECT_THAT(text, testing::ContainsRegex("Together [0-9.]+ % of the FLOPs .torch., [0-9.]+ % of the bytes moved, "
                                           "[0-9.]+ % of the kernels; of [0-9]+ layers"));
  EXPECT_THAT(text, testing::Not(HasSubstr("by FLOPs")));
}

}  // namespace
}  // namespace modelmeter
