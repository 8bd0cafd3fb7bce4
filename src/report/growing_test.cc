// What grows while a run decodes, in reports: DeepSeek-OCR with 4 layers of 2 key heads of 320 in bfloat16, 83 tokens
// of prompt and 5 more decoded after the first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "report/builder.h"
#include "report/layer_docs.h"
#include "testing/models.h"

namespace modelmeter {
namespace {

using testing::HasSubstr;

const AnalyticModel& model() {
  static const auto ocr = testing_models::ocr_model({});
  return *ocr;
}
const Evaluation& run() {
  static const Evaluation evaluation = evaluate(model());
  return evaluation;
}
const Report& report() {
  static const Report made = build_report(model(), run(), "run");
  return made;
}

// Keys and values of a token in a layer.
constexpr int64_t a_layer = 2 * 2 * 320 * 2;

TEST(GrowingReport, StagesHaveTheCacheAtTheirEnd) {
  std::map<std::string, Count> cached;
  std::map<std::string, std::string> nested;
  for (const StageFigures& s : report().stages) {
    cached[s.stage] = s.figures.kv_cache_bytes;
    nested[s.stage] = s.nested_in.value_or("");
  }
  EXPECT_EQ(cached["vision"], 0);  // which runs in prefill
  EXPECT_EQ(nested["vision"], "prefill");
  EXPECT_EQ(cached["prefill"], 83 * 4 * a_layer);
  EXPECT_EQ(cached["decode"], 88 * 4 * a_layer);
  EXPECT_EQ(report().totals.kv_cache_bytes, 88 * 4 * a_layer);
}

TEST(GrowingReport, LayersHaveWhatTheyAddToTheCache) {
  std::map<std::string, Count> added;
  Count sum = 0;
  for (const ModuleMetricsSnapshot& s : report().module_metrics) {
    added[s.module_id] = s.exact.kv_cache_bytes;
    sum += s.exact.kv_cache_bytes;
  }
  const std::string decoder = "decoder/deepseek_v2_decoder_layer/", cache = "/self_attn/kv_cache";
  EXPECT_EQ(added[decoder + "prefill/layer_00" + cache], 83 * a_layer);
  EXPECT_EQ(added[decoder + "prefill/layer_01" + cache], 83 * 3 * a_layer);  // layers 1 to 3
  EXPECT_EQ(added[decoder + "decode/layer_00" + cache], 5 * a_layer);
  EXPECT_EQ(added[decoder + "decode/layer_01" + cache], 5 * 3 * a_layer);
  EXPECT_EQ(sum, 88 * 4 * a_layer);  // of leaves alone, as this family's snapshots are
}

// 5 steps of 3 experts each are 15 calls of 8 experts: 1.875 of each, 2; of a layer that runs, 1 at least.
TEST(GrowingReport, ExpertsAreCalledTheMeanNumberOfTimes) {
  std::map<std::string, int64_t> calls;
  for (const ModuleMetricsSnapshot& s : report().module_metrics) calls[s.module_id] = s.calls;
  const std::string mlp = "decoder/deepseek_v2_decoder_layer/decode/layer_01/mlp/";
  EXPECT_EQ(calls[mlp + "expert_00/gate_proj"], 2);
  EXPECT_EQ(calls[mlp + "shared_experts/gate_proj"], 5);
  EXPECT_EQ(calls["vision/vit_model/embeddings/patch_embedding"], 0);  // which does not run: images come from SAM
  testing_models::OcrSpec rare;
  rare.experts = 64;
  rare.top_k = 1;
  rare.max_new_tokens = 3;  // two steps of one expert among 64
  for (const ModuleMetricsSnapshot& s : build_report(*testing_models::ocr_model(rare), "rare").module_metrics) {
    if (s.module_id == mlp + "expert_00/gate_proj") {
      EXPECT_EQ(s.calls, 1);
    }
  }
}

// The cache of one layer: one cat that differs, then two a step whose sizes go from 85 to 88.
TEST(GrowingReport, APageHasTheFirstAndTheLastOfWhatGrows) {
  const std::string page = layer_page_name("decoder/deepseek_v2_decoder_layer/decode/layer_00/self_attn/kv_cache");
  for (const auto& [name, text] : layer_docs(model(), run(), report(), {})) {
    if (name != page) continue;
    const int64_t once = (83 + 1 + 84) * a_layer / 2, first = (84 + 1 + 85) * a_layer / 2,
                  last = (87 + 1 + 88) * a_layer / 2;
    EXPECT_THAT(text, HasSubstr("- `cat`, 2 times in the run\n"
                                "  - read: input + input = 1 x 2 x 83 x 320 x 2 + 1 x 2 x 1 x 320 x 2 = 107,520 B\n"
                                "  - written: output = 1 x 2 x 84 x 320 x 2 = 107,520 B\n"
                                "- `cat`, 8 times in the run, growing; the first time\n"
                                "  - read: input + input = 1 x 2 x 84 x 320 x 2 + 1 x 2 x 1 x 320 x 2 = 108,800 B\n"
                                "  - written: output = 1 x 2 x 85 x 320 x 2 = 108,800 B\n"
                                "- `cat`, the last time\n"
                                "  - read: input + input = 1 x 2 x 87 x 320 x 2 + 1 x 2 x 1 x 320 x 2 = 112,640 B\n"
                                "  - written: output = 1 x 2 x 88 x 320 x 2 = 112,640 B\n"
                                "  - all, runs x (first + last) / 2: 0 FLOP, 1,771,520 B\n"));
    EXPECT_EQ(8 * (first + last) / 2, 1771520);
    EXPECT_THAT(text, HasSubstr("| Bytes moved          |    2.202 MB | " + grouped(2 * once + 1771520) + " |"));
    return;
  }
  FAIL() << "no page " << page;
}

// No two modules are called the same, and no name is longer than it takes.
TEST(GrowingReport, NamesTellAllModulesApart) {
  testing_models::WanSpec spec;
  spec.stages = "[text_encoder, sampling, diffusion, vae_decode]";
  for (const Report& r : {report(), build_report(*testing_models::wan_model(spec), "run"),
                          build_report(*testing_models::wan_model({}), "run", {true})}) {
    std::map<std::string, int> times;
    for (const AnalyticModuleNode& m : r.modules) ++times[m.name];
    for (const AnalyticModuleNode& m : r.modules) {
      EXPECT_EQ(times[m.name], 1) << m.module_id << " is called " << m.name;
      EXPECT_EQ(m.module_id.compare(m.module_id.size() - m.name.size(), m.name.size(), m.name), 0) << m.module_id;
      // One part less would be another module's end too.
      const size_t slash = m.name.find('/');
      if (slash == std::string::npos) continue;
      const std::string shorter = m.name.substr(slash);
      int alike = 0;
      for (const AnalyticModuleNode& other : r.modules) {
        const std::string id = "/" + other.module_id;
        alike += id.size() >= shorter.size() && id.compare(id.size() - shorter.size(), shorter.size(), shorter) == 0;
      }
      EXPECT_GT(alike, 1) << m.module_id << " could be called " << shorter.substr(1);
    }
  }
}

}  // namespace
}  // namespace modelmeter
