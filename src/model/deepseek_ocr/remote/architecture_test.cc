#include "model/deepseek_ocr/remote/architecture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/yaml.h"
#include "model/deepseek_ocr/remote/ocr.h"

namespace modelmeter::deepseek_ocr::remote {
namespace {

using testing::HasSubstr;

// What the remote code reads of the published config.json.
constexpr char published[] = R"({
  "first_k_dense_replace": 1, "hidden_size": 1280, "intermediate_size": 6848, "kv_lora_rank": null,
  "max_position_embeddings": 8192, "moe_intermediate_size": 896, "n_group": 1, "n_routed_experts": 64,
  "n_shared_experts": 2, "num_attention_heads": 10, "num_experts_per_tok": 6, "num_hidden_layers": 12,
  "num_key_value_heads": 10, "topk_group": 1, "topk_method": "greedy", "use_mla": false, "vocab_size": 129280
})";

Architecture read(const std::string& text) {
  const config::Node node = config::parse_yaml(text, "config.json");
  return read_architecture(config::View(node));
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

std::string message_for(const std::string& from, const std::string& to) {
  try {
    read(replaced(published, from, to));
  } catch (const Error& e) {
    return e.message();
  }
  return "no error";
}

// 6,672,212,480 bytes in bf16: the `total_size` of the checkpoint's index.
TEST(Architecture, HasAsManyParametersAsTheCheckpoint) {
  const DeepseekOCRForCausalLM model(BuildContext{DType::bfloat16}, read(published), AttentionImplementation::eager);
  EXPECT_EQ(model.parameter_count(), 3'336'106'240);
  EXPECT_EQ(model.parameter_bytes(), 6'672'212'480);
  EXPECT_EQ(model.model().sam_model().parameter_count(), 95'569'152);
  EXPECT_EQ(model.model().vision_model().parameter_count(), 303'177'728);
  int64_t tensors = 0;
  model.for_each_parameter([&](const std::string&, const TensorSpec&) { ++tensors; });
  EXPECT_EQ(tensors, 2710);  // as many as the index lists
}

TEST(Architecture, NamesTheFieldThatIsWrong) {
  EXPECT_THAT(message_for("\"hidden_size\": 1280, ", ""), HasSubstr("hidden_size"));
  EXPECT_THAT(message_for("\"hidden_size\": 1280", "\"hidden_size\": \"wide\""), HasSubstr("hidden_size"));
  EXPECT_THAT(message_for("\"vocab_size\": 129280", "\"vocab_size\": 0"), HasSubstr("vocab_size"));
  EXPECT_THAT(message_for("\"num_attention_heads\": 10", "\"num_attention_heads\": 7"), HasSubstr("7 heads"));
  EXPECT_THAT(message_for("\"num_experts_per_tok\": 6", "\"num_experts_per_tok\": 65"), HasSubstr("65 experts"));
  EXPECT_THAT(message_for("\"n_routed_experts\": 64", "\"n_routed_experts\": -3"), HasSubstr("n_routed_experts"));
  EXPECT_THAT(message_for("\"n_shared_experts\": 2", "\"n_shared_experts\": -2"), HasSubstr("n_shared_experts"));
  EXPECT_THAT(message_for("\"first_k_dense_replace\": 1", "\"first_k_dense_replace\": -1"), HasSubstr("first_k_dense"));
  EXPECT_THAT(message_for("\"hidden_size\": 1280", "\"hidden_size\": 2560"), HasSubstr("image tokens of 1280"));
  EXPECT_THAT(message_for("\"use_mla\": false", "\"use_mla\": true"), HasSubstr("multi-head latent attention"));
  EXPECT_THAT(message_for("\"use_mla\": false", "\"use_mla\": false, \"attention_bias\": true"),
              HasSubstr("attention_bias"));
  EXPECT_THAT(message_for("\"use_mla\": false", "\"use_mla\": false, \"ep_size\": 2"), HasSubstr("ep_size"));
  EXPECT_THAT(message_for("\"use_mla\": false", "\"use_mla\": false, \"tie_word_embeddings\": true"),
              HasSubstr("tie_word_embeddings"));
  EXPECT_THAT(message_for("\"use_mla\": false", "\"use_mla\": false, \"rope_scaling\": {\"type\": \"linear\"}"),
              HasSubstr("rope_scaling"));
  EXPECT_THAT(message_for("\"greedy\"", "\"noaux_tc\""), HasSubstr("topk_method"));
}

}  // namespace
}  // namespace modelmeter::deepseek_ocr::remote
