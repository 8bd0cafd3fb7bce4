// What `modelmeter trace` writes of a stage of DeepSeek-OCR and DeepSeek-OCR-2 is built again from its header alone, by
// the configuration that the header becomes; and what a header or a configuration of such a stage says wrongly.
#include <gtest/gtest.h>

#include "base/error.h"
#include "config/compose.h"
#include "config/yaml.h"
#include "model/registry.h"
#include "recording/recording.h"
#include "verify/comparison.h"

namespace modelmeter {
namespace {

std::unique_ptr<AnalyticModel> model_of(const std::string& entry, const std::vector<std::string>& overrides) {
  const std::string root = MODELMETER_SOURCE_DIR;
  const config::Repository configs(root + "/configs", {});
  const config::Node config = config::resolve(config::compose(configs, entry, overrides));
  return build_model(config::View(config), DataFiles{root});
}

Recording recording_with_header(const AnalyticModel& model) {
  Recording out = recording_of(*model.stages().front());
  model.describe(*model.stages().front(), out);
  return read_recording(write_recording(out), "written");
}

void expect_to_come_back(const std::string& entry, std::vector<std::string> overrides, const std::string& stage) {
  overrides.push_back("model.stages=[" + stage + "]");
  const auto model = model_of(entry, overrides);
  ASSERT_EQ(model->stages().size(), 1u);
  EXPECT_EQ(model->stages().front()->id(), stage);
  const Recording written = recording_with_header(*model);
  const Comparison comparison = compare(recording_of(*stage_of_recording(written)), written);
  EXPECT_TRUE(comparison.equal()) << entry << " " << stage << "\n" << table_of(comparison, written);
}

std::string message_of(const std::string& entry, const std::vector<std::string>& overrides) {
  try {
    model_of(entry, overrides);
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

TEST(OcrRecorded, StagesOfTheRemoteCodeComeBack) {
  for (const char* stage :
       {"sam", "clip", "vision", "layer-dense", "layer-moe", "head", "prefill", "decode", "infer"}) {
    expect_to_come_back("deepseek_ocr", {"workload=dsocr-gundam", "workload.max_new_tokens=3"}, stage);
    expect_to_come_back(
        "deepseek_ocr",
        {"workload=dsocr-tiny", "workload.batch_size=2", "workload.num_pages=2", "workload.max_new_tokens=3",
         "runtime.attention=eager", "runtime.precision=bf16", "decoder.routing=best", "head.logits=last"},
        stage);
  }
}

TEST(OcrRecorded, ALayerBehindACacheComesBack) {
  for (const char* stage : {"layer-dense", "layer-moe", "head"}) {
    expect_to_come_back("deepseek_ocr", {"+workload.new_tokens=3", "+workload.cached_tokens=50"}, stage);
  }
}

TEST(OcrRecorded, StagesOfTransformersComeBack) {
  for (const char* stage : {"vision", "prefill", "decode"}) {
    expect_to_come_back("deepseek_ocr_2", {}, stage);
    expect_to_come_back(
        "deepseek_ocr_2",
        {"workload=dsocr2-small", "workload.batch_size=2", "workload.num_pages=2", "runtime.attention=eager"}, stage);
  }
}

// Stages that stand by themselves have what the whole run has in the same place.
TEST(OcrStages, AreThoseOfTheWholeRun) {
  const auto whole = model_of("deepseek_ocr", {}), alone = model_of("deepseek_ocr", {"model.stages=[prefill,decode]"});
  for (size_t i = 0; i < 2; ++i) {
    const Stage& a = *whole->stages()[i + 1];
    const Stage& b = *alone->stages()[i];
    EXPECT_EQ(a.id(), b.id());
    EXPECT_TRUE(a.get_forward_cost().cost == b.get_forward_cost().cost);
    EXPECT_EQ(a.get_forward_cost().kv_cache_bytes, b.get_forward_cost().kv_cache_bytes);
    EXPECT_EQ(alone->kv_cache_bytes_added(b.id()), b.kv_cache_bytes());
    ASSERT_EQ(alone->residents(b).list.size(), 1u);
    EXPECT_EQ(alone->residents(b).bytes(), b.weight_and_buffer_bytes());
  }
  EXPECT_EQ(alone->kv_cache_bytes(), int64_t{512 + 513} * 61'440);
  EXPECT_EQ(whole->kv_cache_bytes_added("prefill"), int64_t{512} * 61'440);
}

// 61,440 bytes a token of one page in all 12 layers.
TEST(OcrStages, HoldTheCacheOfEveryPage) {
  const auto bytes = [](const std::string& stage) {
    return model_of("deepseek_ocr", {"workload=dsocr-tiny", "workload.batch_size=3", "workload.num_pages=3",
                                     "workload.max_new_tokens=5", "model.stages=[" + stage + "]"})
        ->kv_cache_bytes();
  };
  const int64_t prompt = 73 + 10;
  EXPECT_EQ(bytes("prefill"), 3 * prompt * 61'440);
  EXPECT_EQ(bytes("decode"), 3 * (prompt + 1) * 61'440);
  EXPECT_EQ(bytes("infer"), 3 * (prompt + 4) * 61'440);
  EXPECT_EQ(bytes("layer-moe"), 3 * prompt * 61'440 / 12);
  EXPECT_EQ(bytes("vision"), 0);
}

// The images are a part of the prompt's forward, unless they have a stage of their own.
TEST(OcrStages, AreNestedWhereOneRunsInTheOther) {
  const auto nested = [](const std::vector<std::string>& overrides) {
    return model_of("deepseek_ocr", overrides)->names().nested_stages.size();
  };
  EXPECT_EQ(nested({}), 1u);
  EXPECT_EQ(nested({"model.stages=[prefill]"}), 1u);
  EXPECT_EQ(nested({"model.stages=[sam,prefill]"}), 0u);
}

TEST(OcrStages, HaveTheTokensPerExpertThatAreGiven) {
  const std::vector<std::string> layer = {"model.stages=[layer-moe]", "+workload.new_tokens=1"};
  const auto with = [&](const std::string& counts) {
    std::vector<std::string> all = layer;
    all.push_back("+decoder.tokens_per_expert=" + counts);
    return all;
  };
  std::string zeros;
  for (int i = 0; i < 60; ++i) zeros += ",0";
  const auto kernels = [&](const std::string& counts) {
    return model_of("deepseek_ocr", with(counts))->stages().front()->get_forward_cost().cost.kernels;
  };
  EXPECT_LT(kernels("[2,2,2,0" + zeros + "]"), kernels("[2,2,1,1" + zeros + "]"));
  EXPECT_EQ(message_of("deepseek_ocr", with("[6]")), "decoder.tokens_per_expert: 1 numbers for 64 experts");
  EXPECT_EQ(message_of("deepseek_ocr", with("[2,2,1,0" + zeros + "]")),
            "decoder.tokens_per_expert: 5 tokens; stage layer-moe routes 6");
  EXPECT_EQ(message_of("deepseek_ocr", {"+decoder.tokens_per_expert=[6]"}),
            "decoder.tokens_per_expert: forwards of the whole run route different numbers of tokens");
}

TEST(OcrStages, ThatAreNotThereAreAnError) {
  EXPECT_EQ(message_of("deepseek_ocr", {"model.stages=[smam]"}), "model.stages[0]: there is no stage 'smam'");
  EXPECT_EQ(message_of("deepseek_ocr_2", {"model.stages=[vision,infer]"}),
            "model.stages[1]: there is no stage 'infer'");
  EXPECT_NE(message_of("deepseek_ocr", {"model.stages=[]"}), "no error");
  EXPECT_NE(message_of("deepseek_ocr_2", {"+workload.new_tokens=3"}), "no error");
  EXPECT_NE(message_of("deepseek_ocr", {"workload=dsocr-base", "+workload.tile_columns=2", "+workload.tile_rows=2"}),
            "no error");
}

TEST(OcrRecorded, TransformersHasOneSizeOfPagesAndOfTiles) {
  Recording recording = recording_with_header(*model_of("deepseek_ocr_2", {"model.stages=[decode]"}));
  const std::string workload = recording.workload;
  for (const auto& [key, other] : {std::pair{"\"image\":1024", "\"image\":2048"}, {"\"tile\":768", "\"tile\":512"}}) {
    const size_t at = workload.find(key);
    ASSERT_NE(at, std::string::npos) << workload;
    recording.workload = std::string(workload).replace(at, std::string(key).size(), other);
    EXPECT_THROW(stage_of_recording(recording), Error) << other;
  }
}

Recording head() {
  Recording r;
  r.implementation = "official";
  r.attention = "none";
  r.precision = "bf16";
  r.case_name = "head";
  r.config = "{}";
  r.workload = R"({"batch_size": 1, "tokens": 7})";
  r.modules = {{"", "DeepseekOCRForCausalLM"}};
  return r;
}

// Of sizes that a header does not have the published ones hold; what it has is taken as it is.
TEST(OcrRecorded, HeadersSayTheSizes) {
  Recording r = head();
  EXPECT_EQ(stage_of_recording(r)->parameter_count(), 129'280 * 1'280);
  r.config = R"({"hidden_size": 1280, "vocab_size": 1000})";
  EXPECT_EQ(stage_of_recording(r)->parameter_count(), 1'000 * 1'280);
}

TEST(OcrRecorded, HeadersOfWhatIsNotModelledAreAnError) {
  const auto refused = [](void (*spoil)(Recording&)) {
    Recording r = head();
    spoil(r);
    EXPECT_THROW(stage_of_recording(r), Error);
  };
  refused([](Recording& r) { r.weights = "f32"; });
  refused([](Recording& r) { r.case_name = "neck"; });
  refused([](Recording& r) { r.precision = "fp8"; });
  refused([](Recording& r) { r.workload = "{}"; });
  refused([](Recording& r) { r.config = R"({"hidden_size": 640})"; });
}

}  // namespace
}  // namespace modelmeter
