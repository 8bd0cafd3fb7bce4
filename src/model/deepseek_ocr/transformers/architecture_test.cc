#include "model/deepseek_ocr/transformers/architecture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "config/yaml.h"
#include "model/deepseek_ocr/transformers/ocr.h"

namespace modelmeter::deepseek_ocr::transformers {
namespace {

using testing::HasSubstr;

// What the remote code reads of the published config.json.
constexpr char published[] = R"({
  "first_k_dense_replace": 1, "hidden_size": 1280, "intermediate_size": 6848, "kv_lora_rank": null,
  "max_position_embeddings": 8192, "moe_intermediate_size": 896, "n_group": 1, "n_routed_experts": 64,
  "n_shared_experts": 2, "num_attention_heads": 10, "num_experts_per_tok": 6, "num_hidden_layers": 12,
  "num_key_value_heads": 10, "topk_group": 1, "topk_method": "greedy", "use_mla": false, "vocab_size": 129280
})";

// The same sizes as transformers writes them: what equals its classes' defaults is left out.
constexpr char transformers[] = R"({
  "model_type": "deepseek_ocr2",
  "text_config": {"hidden_size": 1280, "intermediate_size": 6848, "max_position_embeddings": 8192,
    "moe_intermediate_size": 896, "num_attention_heads": 10, "num_experts_per_tok": 6, "num_hidden_layers": 12,
    "num_key_value_heads": 10, "vocab_size": 129280, "topk_method": "greedy", "mlp_layer_types": ["dense", "sparse",
    "sparse", "sparse", "sparse", "sparse", "sparse", "sparse", "sparse", "sparse", "sparse", "sparse"]},
  "vision_config": {"sam_config": {"window_size": 14}, "encoder_config": {"hidden_size": 896,
    "intermediate_size": 4864, "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2}}
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
    read(replaced(transformers, from, to));
  } catch (const Error& e) {
    return e.message();
  }
  return "no error";
}

// The count of DeepseekOcr2ForConditionalGeneration with these sizes, from either form.
TEST(Ocr2Architecture, HasAsManyParametersAsTransformersModel) {
  for (const char* text : {published, transformers}) {
    const OcrForConditionalGeneration model(BuildContext{DType::bfloat16}, read(text), AttentionImplementation::sdpa);
    EXPECT_EQ(model.parameter_count(), 3'389'119'360);
    EXPECT_EQ(model.parameter_bytes(), 6'778'238'720);
    const VisionModel& vision = model.model().vision_tower();
    EXPECT_EQ(vision.sam_encoder().parameter_count(), 94'979'328);
    EXPECT_EQ(vision.vision_encoder().parameter_count(), 357'898'112);
  }
}

TEST(Ocr2Architecture, NamesParametersAsTheCheckpoint) {
  const OcrForConditionalGeneration model(BuildContext{DType::bfloat16}, read(transformers),
                                          AttentionImplementation::sdpa);
  std::set<std::string> names;
  model.for_each_parameter([&](const std::string& name, const TensorSpec&) { names.insert(name); });
  for (const char* name : {"model.view_separator", "model.vision_tower.query_768_resolution.weight",
                           "model.vision_tower.sam_encoder.proj.conv2.weight",
                           "model.vision_tower.vision_encoder.layers.23.self_attn.k_proj.bias",
                           "model.language_model.layers.11.mlp.experts.gate_up_proj", "lm_head.weight"}) {
    EXPECT_EQ(names.count(name), 1u) << name;
  }
}

TEST(Ocr2Architecture, NamesTheFieldThatIsWrong) {
  EXPECT_THAT(message_for("\"window_size\": 14", "\"window_size\": 14, \"mlp_ratio\": 1e18"),
              HasSubstr("mlp_ratio: makes mlp_dim"));
  EXPECT_THAT(message_for("\"num_experts_per_tok\": 6, ", ""), HasSubstr("num_experts_per_tok"));
  EXPECT_THAT(message_for("\"hidden_size\": 1280", "\"hidden_size\": \"wide\""), HasSubstr("text_config.hidden_size"));
  EXPECT_THAT(message_for("\"vocab_size\": 129280", "\"vocab_size\": 0"), HasSubstr("vocab_size"));
  EXPECT_THAT(message_for("\"num_attention_heads\": 10", "\"num_attention_heads\": 7"), HasSubstr("7 heads"));
  EXPECT_THAT(message_for("\"num_experts_per_tok\": 6", "\"num_experts_per_tok\": 65"), HasSubstr("65 experts"));
  EXPECT_THAT(message_for("\"greedy\"", "\"noaux_tc\""), HasSubstr("topk_method"));
  EXPECT_THAT(message_for("[\"dense\", \"sparse\",", "[\"sparse\", \"dense\","), HasSubstr("mlp_layer_types[1]"));
  EXPECT_THAT(message_for("[\"dense\", ", "["), HasSubstr("11 types for 12 layers"));
  EXPECT_THAT(message_for("\"hidden_size\": 896", "\"hidden_size\": 448"), HasSubstr("encoder_config"));
  EXPECT_THAT(message_for("\"window_size\": 14", "\"use_rel_pos\": false"), HasSubstr("sam_config.use_rel_pos"));
  EXPECT_THAT(message_for("\"window_size\": 14", "\"downsample_channels\": [896]"), HasSubstr("downsample_channels"));
}

}  // namespace
}  // namespace modelmeter::deepseek_ocr::transformers
