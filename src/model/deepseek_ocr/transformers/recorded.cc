#include "model/deepseek_ocr/transformers/recorded.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/yaml.h"
#include "model/deepseek_ocr/recorded_nodes.h"
#include "model/deepseek_ocr/transformers/code_base.h"
#include "model/deepseek_ocr/transformers/model.h"
#include "model/deepseek_ocr/transformers/stage.h"

namespace modelmeter::deepseek_ocr::transformers {
namespace {

using config::Node;
using config::View;
using Json = nlohmann::ordered_json;

Node workload_of(const View& recorded, const std::string& stage) {
  const PageLayout sides;
  for (const auto& [key, side] : {std::pair{"image", sides.image_size}, std::pair{"tile", sides.tile_size}}) {
    if (recorded.get<int64_t>(key) != side) throw recorded.at(key).expected(fmt::format("{} pixels", side));
  }
  Node out = recorded_workload(recorded);
  for (const char* key : {"page_width", "page_height"}) out.set(key, Node::integer(sides.tile_size));
  const auto tiles = recorded.get_non_negative<int64_t>("tiles");
  if (tiles > 0) {
    out.set("tile_columns", Node::integer(tiles));
    out.set("tile_rows", Node::integer(1));
  }
  if (stage == "vision") {
    out.set("prompt_tokens", Node::integer(1));  // it sees none
  } else {
    out.set("seq_len", recorded.at(stage == "prefill" ? "new_tokens" : "cached_tokens").node());
  }
  return out;
}

// As transformers' config.json has it.
Json config_json(const Architecture& a) {
  const SamArchitecture& s = a.sam;
  const EncoderArchitecture& e = a.encoder;
  const DecoderArchitecture& d = a.decoder;
  const Json sam = {{"hidden_size", s.hidden_size},
                    {"num_hidden_layers", s.num_hidden_layers},
                    {"num_attention_heads", s.num_attention_heads},
                    {"num_channels", s.num_channels},
                    {"image_size", s.image_size},
                    {"patch_size", s.patch_size},
                    {"window_size", s.window_size},
                    {"mlp_dim", s.mlp_dim},
                    {"global_attn_indexes", s.global_attn_indexes},
                    {"output_channels", s.output_channels},
                    {"downsample_channels", s.downsample_channels}};
  const Json encoder = {{"hidden_size", e.hidden_size},
                        {"intermediate_size", e.intermediate_size},
                        {"num_hidden_layers", e.num_hidden_layers},
                        {"num_attention_heads", e.num_attention_heads},
                        {"num_key_value_heads", e.num_key_value_heads}};
  const Json text = {{"vocab_size", d.vocab_size},
                     {"hidden_size", d.hidden_size},
                     {"intermediate_size", d.intermediate_size},
                     {"moe_intermediate_size", d.moe_intermediate_size},
                     {"num_hidden_layers", d.num_hidden_layers},
                     {"num_attention_heads", d.num_attention_heads},
                     {"num_key_value_heads", d.num_key_value_heads},
                     {"max_position_embeddings", d.max_position_embeddings},
                     {"n_routed_experts", d.n_routed_experts},
                     {"n_shared_experts", d.n_shared_experts},
                     {"first_k_dense_replace", d.first_k_dense_replace},
                     {"num_experts_per_tok", d.num_experts_per_tok}};
  return {{"vision_config", {{"sam_config", sam}, {"encoder_config", encoder}}}, {"text_config", text}};
}

}  // namespace

Node configuration_of(const Recording& recording) {
  check_weights(recording);
  const Node workload_node = config::parse_yaml(recording.workload, "workload of the reference");
  const View workload(workload_node);
  const std::string stage = workload.get_choice("case", {"vision", "prefill", "decode"});
  return map_of({
      {"hf", recorded_hf(recording, config::parse_yaml(recording.config, "config of the reference"))},
      {"runtime", map_of({{"implementation", text(code_base().name)},
                          {"attention", text(recording.attention == "eager" ? "eager" : "sdpa")}})},
      {"workload", workload_of(workload, stage)},
      {"decoder", Node::map()},
      {"model", recorded_model(code_base(), stage)},
  });
}

void DeepSeekOCR2::describe(const Stage& stage, Recording& header) const {
  const auto& ocr_stage = static_cast<const OcrStage&>(stage);
  const GenerateInputs in = ocr_stage.inputs();
  const bool prefill = stage.id() == "prefill", decode = stage.id() == "decode";
  header.implementation = code_base().name;
  header.attention = model_->implementation() == AttentionImplementation::eager ? "eager" : "flash";
  header.weights = short_name(model_->dtype());
  header.config = config_json(model_->architecture()).dump();
  header.workload = Json{{"case", stage.id()},
                         {"batch_size", in.batch_size},
                         {"image", in.page.image_size},
                         {"tile", in.page.tile_size},
                         {"tiles", in.page.tiles()},
                         {"image_tokens", in.page.image_tokens()},
                         {"new_tokens", prefill  ? in.context_tokens()
                                        : decode ? 1
                                                 : 0},
                         {"cached_tokens", decode ? in.context_tokens() : 0}}
                        .dump();
}

}  // namespace modelmeter::deepseek_ocr::transformers
