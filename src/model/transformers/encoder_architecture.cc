#include "model/transformers/encoder_architecture.h"

#include <fmt/format.h>

#include "base/checked.h"
#include "model/model_files.h"

namespace modelmeter::transformers {
namespace {

using Json = nlohmann::ordered_json;

const ConfigFields<TextEncoderArchitecture>& text_fields() {
  using A = TextEncoderArchitecture;
  static const ConfigFields<A> table = {
      {"vocab", "vocab_size", &A::vocab},
      {"dim", "d_model", &A::dim},
      {"dim_attn", "", &A::dim_attn},
      {"dim_ffn", "d_ff", &A::dim_ffn},
      {"num_heads", "num_heads", &A::num_heads},
      {"num_layers", "num_layers", &A::num_layers},
      {"num_buckets", "relative_attention_num_buckets", &A::num_buckets},
      {"shared_pos", "", &A::shared_pos},
  };
  return table;
}

const ConfigFields<ImageEncoderArchitecture>& image_fields() {
  using A = ImageEncoderArchitecture;
  static const ConfigFields<A> table = {
      {"image_size", "image_size", &A::image_size},
      {"patch_size", "patch_size", &A::patch_size},
      {"dim", "hidden_size", &A::dim},
      {"mlp_ratio", "", &A::mlp_ratio},
      {"out_dim", "projection_dim", &A::out_dim},
      {"num_heads", "num_attention_heads", &A::num_heads},
      {"num_layers", "num_hidden_layers", &A::num_layers},
      {"pre_norm", "", &A::pre_norm},
      {"activation", "hidden_act", &A::activation},
  };
  return table;
}

// The key that a node has, of a size with two names; else the node.
config::View place_of(const config::View& view, std::string_view original, std::string_view published) {
  if (view.has(original)) return view.at(original);
  return view.has(published) ? view.at(published) : view;
}

void check_heads(const config::View& view, std::string_view published, int64_t heads, int64_t width) {
  if (heads == 0 || width % heads == 0) return;
  throw place_of(view, "num_heads", published).error(fmt::format("{} heads do not divide the width {}", heads, width));
}

}  // namespace

std::vector<std::string> text_encoder_keys(std::vector<std::string> keys) {
  keys.emplace_back("d_kv");
  return known_keys(std::move(keys), text_fields());
}

std::vector<std::string> image_encoder_keys(std::vector<std::string> keys) {
  keys.emplace_back("intermediate_size");
  return known_keys(std::move(keys), image_fields());
}

void read_architecture(const config::View& view, TextEncoderArchitecture& a) {
  read_fields(view, text_fields(), a);
  refuse_both(view, "dim_attn", "d_kv");
  if (view.has("d_kv")) a.dim_attn = checked_mul(a.num_heads, view.get_positive<int64_t>("d_kv"), "the width of heads");
}

void read_architecture(const config::View& view, ImageEncoderArchitecture& a) {
  read_fields(view, image_fields(), a);
  refuse_both(view, "mlp_ratio", "intermediate_size");
  if (!view.has("intermediate_size")) return;
  const auto size = view.get_positive<int64_t>("intermediate_size");
  if (size % a.dim != 0) throw view.at("intermediate_size").expected(fmt::format("a multiple of the width {}", a.dim));
  a.mlp_ratio = size / a.dim;
}

void check_architecture(const config::View& view, const TextEncoderArchitecture& a) {
  if (a.num_buckets < 4) {  // a half looks back, and half of that is exact: 0 divides
    throw place_of(view, "num_buckets", "relative_attention_num_buckets").expected("at least 4 buckets");
  }
  check_heads(view, "num_heads", a.num_heads, a.dim_attn);
}

void check_architecture(const config::View& view, const ImageEncoderArchitecture& a) {
  for (const char* activation : {"hidden_act", "activation"}) {
    if (view.has(activation)) view.get_choice(activation, {"gelu", "quick_gelu"});
  }
  check_heads(view, "num_attention_heads", a.num_heads, a.dim);
  if (a.image_size % a.patch_size == 0) return;
  throw place_of(view, "patch_size", "image_size")
      .error(fmt::format("patches of {} do not divide an image of {}", a.patch_size, a.image_size));
}

void require_sizes(const config::View& view, const TextEncoderArchitecture& a) {
  const std::string_view missing = missing_size(text_fields(), a);
  if (missing.empty()) return;
  throw view.error(fmt::format("{} is not given", missing), {"text_encoder=umt5_xxl has the published sizes"});
}

void read_published(const config::View& view, TextEncoderArchitecture& a) {
  if (view.has("model_type")) view.get_choice("model_type", {"umt5"});
  require_known_published_keys(view,
                               known_keys({"architectures",
                                           "classifier_dropout",
                                           "d_kv",
                                           "dense_act_fn",
                                           "dropout_rate",
                                           "dtype",
                                           "eos_token_id",
                                           "feed_forward_proj",
                                           "initializer_factor",
                                           "is_decoder",
                                           "is_encoder_decoder",
                                           "is_gated_act",
                                           "layer_norm_epsilon",
                                           "model_type",
                                           "num_decoder_layers",
                                           "output_past",
                                           "pad_token_id",
                                           "relative_attention_max_distance",
                                           "scalable_attention",
                                           "tie_word_embeddings",
                                           "tokenizer_class",
                                           "torch_dtype",
                                           "transformers_version",
                                           "use_cache",
                                           "decoder_start_token_id"},
                                          text_fields(), KeyNames::published),
                               "transformers' UMT5Config");
  if (view.has("feed_forward_proj")) view.get_choice("feed_forward_proj", {"gated-gelu"});
  if (view.has("dense_act_fn")) view.get_choice("dense_act_fn", {"gelu_new"});
  const int64_t head_dim = a.head_dim();  // where the file has no d_kv
  read_architecture(view, a);
  if (!view.has("d_kv")) a.dim_attn = checked_mul(a.num_heads, head_dim, "the width of heads");
  check_architecture(view, a);
}

void read_published(const config::View& view, ImageEncoderArchitecture& a) {
  if (view.has("model_type")) view.get_choice("model_type", {"clip_vision_model"});
  require_known_published_keys(
      view,
      known_keys(
          {"architectures", "attention_dropout", "dropout", "dtype", "initializer_factor", "initializer_range",
           "intermediate_size", "layer_norm_eps", "model_type", "num_channels", "torch_dtype", "transformers_version"},
          image_fields(), KeyNames::published),
      "transformers' CLIPVisionConfig");
  if (view.has("num_channels") && view.get<int64_t>("num_channels") != 3) {
    throw view.at("num_channels").expected("3");
  }
  read_architecture(view, a);
  check_architecture(view, a);
}

Json json_of(const TextEncoderArchitecture& a, KeyNames names) {
  if (names == KeyNames::original) return json_of(a, text_fields(), names);
  return {{"vocab_size", a.vocab}, {"d_model", a.dim},           {"d_kv", a.head_dim()},
          {"d_ff", a.dim_ffn},     {"num_layers", a.num_layers}, {"num_heads", a.num_heads}};
}

Json json_of(const ImageEncoderArchitecture& a, KeyNames names) {
  if (names == KeyNames::original) return json_of(a, image_fields(), names);
  return {{"image_size", a.image_size},
          {"patch_size", a.patch_size},
          {"hidden_size", a.dim},
          {"intermediate_size", a.dim * a.mlp_ratio},
          {"projection_dim", a.out_dim},
          {"num_attention_heads", a.num_heads},
          {"num_hidden_layers", a.num_layers},
          {"hidden_act", a.activation}};
}

}  // namespace modelmeter::transformers
