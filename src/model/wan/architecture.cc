#include "model/wan/architecture.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/checked.h"
#include "base/error.h"
#include "model/transformers/encoder_architecture.h"

namespace modelmeter::wan {
namespace {

using config::View;

Shape patch_size(const View& config) {
  Shape out{1, 2, 2};
  if (!config.has("patch_size")) return out;
  const auto sizes = config.get<std::vector<int64_t>>("patch_size");
  if (sizes.size() != 3) throw config.at("patch_size").expected("three integers (frames, height, width)");
  for (int i = 0; i < 3; ++i) out[i] = sizes[static_cast<size_t>(i)];
  return out;
}

// diffusers writes the name of a norm, or null.
bool qk_norm(const View& config) {
  if (!config.node().find("qk_norm")) return true;
  const View value = config.at("qk_norm");
  if (value.is_null()) return false;
  if (value.node().is(config::Kind::boolean)) return value.as<bool>();
  const auto name = value.as<std::string>();
  if (name != "rms_norm_across_heads") throw value.expected("\"rms_norm_across_heads\", true, false or null");
  return true;
}

void read_common(const View& config, Architecture& a) {
  a.patch_size = patch_size(config);
  a.ffn_dim = config.get<int64_t>("ffn_dim");
  a.num_layers = config.get<int64_t>("num_layers");
  a.freq_dim = config.get_or<int64_t>("freq_dim", a.freq_dim);
  a.text_dim = config.get_or<int64_t>("text_dim", a.text_dim);
  a.text_len = config.get_or<int64_t>("text_len", a.text_len);
  a.cross_attn_norm = config.get_or<bool>("cross_attn_norm", true);
  a.qk_norm = qk_norm(config);
  if (config.has("vace_layers")) a.vace_layers = config.get<std::vector<int64_t>>("vace_layers");
}

Architecture read_official(const View& config) {
  Architecture a;
  a.dim = config.get<int64_t>("dim");
  a.num_heads = config.get<int64_t>("num_heads");
  read_common(config, a);
  a.in_dim = config.get_or<int64_t>("in_dim", a.in_dim);
  a.out_dim = config.get_or<int64_t>("out_dim", a.out_dim);
  a.model_type = config.has("model_type") ? config.get_choice("model_type", {"t2v", "i2v", "flf2v", "vace", "ti2v"})
                                          : (a.in_dim == 36 ? "i2v" : "t2v");
  a.vace_in_dim = config.get_or<int64_t>("vace_in_dim", 0);
  const bool image = a.model_type == "i2v" || a.model_type == "flf2v";
  const transformers::ImageEncoderArchitecture encoder;
  if (image) a.image_dim = encoder.dim;
  if (a.model_type == "flf2v") a.pos_embed_seq_len = 2 * encoder.tokens();
  return a;
}

Architecture read_diffusers(const View& config) {
  Architecture a;
  a.num_heads = config.get<int64_t>("num_attention_heads");
  a.dim = checked_mul(a.num_heads, config.get<int64_t>("attention_head_dim"), "the width of the transformer");
  read_common(config, a);
  a.in_dim = config.get_or<int64_t>("in_channels", a.in_dim);
  a.out_dim = config.get_or<int64_t>("out_channels", a.in_dim);
  a.rope_max_seq_len = config.get_or<int64_t>("rope_max_seq_len", a.rope_max_seq_len);
  a.vace_in_dim = config.get_or<int64_t>("vace_in_channels", 0);
  a.image_dim = config.get_or<int64_t>("image_dim", 0);
  a.pos_embed_seq_len = config.get_or<int64_t>("pos_embed_seq_len", 0);
  if (a.image_dim > 0) a.model_type = a.pos_embed_seq_len > 0 ? "flf2v" : "i2v";
  return a;
}

}  // namespace

Architecture read_architecture(const View& config) {
  if (!config.node().is(config::Kind::map)) throw config.expected("a model configuration (a JSON object)");
  const bool diffusers = config.has("num_attention_heads") || config.has("attention_head_dim");
  Architecture a = diffusers ? read_diffusers(config) : read_official(config);
  check_architecture(a, config);
  return a;
}

void require_known_architecture_keys(const View& config) {
  config.require_known_keys({"_class_name",
                             "_diffusers_version",
                             "model_type",
                             "patch_size",
                             "text_len",
                             "window_size",
                             "in_dim",
                             "dim",
                             "ffn_dim",
                             "freq_dim",
                             "text_dim",
                             "out_dim",
                             "num_heads",
                             "num_layers",
                             "qk_norm",
                             "cross_attn_norm",
                             "eps",
                             "vace_layers",
                             "vace_in_dim",
                             "num_attention_heads",
                             "attention_head_dim",
                             "in_channels",
                             "out_channels",
                             "image_dim",
                             "added_kv_proj_dim",
                             "rope_max_seq_len",
                             "pos_embed_seq_len",
                             "vace_in_channels"});
  if (config.has("window_size") && config.get<std::vector<int64_t>>("window_size") != std::vector<int64_t>{-1, -1}) {
    throw config.at("window_size").error("attention within a window is not modelled; [-1, -1] is all of it");
  }
}

nlohmann::ordered_json json_of(const Architecture& a, KeyNames names) {
  using Json = nlohmann::ordered_json;
  const std::vector<int64_t> patch(a.patch_size.begin(), a.patch_size.end());
  const auto or_null = [](int64_t value) { return value > 0 ? Json(value) : Json(); };
  const bool official = names == KeyNames::original;
  Json out;
  if (official) {
    out = {{"model_type", a.model_type},
           {"patch_size", patch},
           {"text_len", a.text_len},
           {"in_dim", a.in_dim},
           {"dim", a.dim},
           {"ffn_dim", a.ffn_dim},
           {"freq_dim", a.freq_dim},
           {"text_dim", a.text_dim},
           {"out_dim", a.out_dim},
           {"num_heads", a.num_heads},
           {"num_layers", a.num_layers},
           {"qk_norm", a.qk_norm},
           {"cross_attn_norm", a.cross_attn_norm}};
  } else {
    out = {{"patch_size", patch},
           {"num_attention_heads", a.num_heads},
           {"attention_head_dim", a.head_dim()},
           {"in_channels", a.in_dim},
           {"out_channels", a.out_dim},
           {"text_dim", a.text_dim},
           {"freq_dim", a.freq_dim},
           {"ffn_dim", a.ffn_dim},
           {"num_layers", a.num_layers},
           {"cross_attn_norm", a.cross_attn_norm},
           {"image_dim", or_null(a.image_dim)},
           {"rope_max_seq_len", a.rope_max_seq_len},
           {"pos_embed_seq_len", or_null(a.pos_embed_seq_len)}};
  }
  if (!a.vace_layers.empty()) {
    out["vace_layers"] = a.vace_layers;
    out[official ? "vace_in_dim" : "vace_in_channels"] = a.vace_in_dim;
  }
  return out;
}

void check_architecture(const Architecture& a, const View& where) {
  const auto positive = [&](const char* name, int64_t value) {
    if (value <= 0) {
      throw(where.has(name) ? where.at(name) : where)
          .error(fmt::format("{} is {}; it must be at least 1", name, value));
    }
    if (value > config::max_size) {
      throw(where.has(name) ? where.at(name) : where)
          .error(fmt::format("{} is {}; it must be at most {}", name, value, config::max_size));
    }
  };
  positive("dim", a.dim);
  positive("num_heads", a.num_heads);
  positive("ffn_dim", a.ffn_dim);
  positive("num_layers", a.num_layers);
  positive("in_dim", a.in_dim);
  positive("out_dim", a.out_dim);
  positive("freq_dim", a.freq_dim);
  positive("text_dim", a.text_dim);
  positive("text_len", a.text_len);
  for (int64_t side : a.patch_size) positive("patch_size", side);
  for (const auto& [name, value] : {std::pair("image_dim", a.image_dim), std::pair("vace_in_dim", a.vace_in_dim),
                                    std::pair("pos_embed_seq_len", a.pos_embed_seq_len)}) {
    if (value != 0) positive(name, value);
  }
  if (a.num_layers > config::max_layers) {
    throw where.error(fmt::format("num_layers is {}; it must be at most {}", a.num_layers, config::max_layers));
  }
  if (a.dim % a.num_heads != 0) {
    throw where.error(fmt::format("{} heads do not divide the width {}", a.num_heads, a.dim));
  }
  if (a.head_dim() % 2 != 0) {
    throw where.error(fmt::format("the head size {} is odd; the rotary embedding turns pairs", a.head_dim()));
  }
  if (a.freq_dim % 2 != 0) throw where.error(fmt::format("freq_dim {} is odd; it holds sines and cosines", a.freq_dim));
  if (!a.vace_layers.empty() && a.vace_in_dim == 0) {
    throw where.error("vace_layers without the channels of what they read (vace_in_dim, vace_in_channels)");
  }
  if (!a.vace_layers.empty()) check_vace_layers(a, where.has("vace_layers") ? where.at("vace_layers") : where);
}

void check_vace_layers(const Architecture& a, const View& where) {
  const std::vector<int64_t>& l = a.vace_layers;
  if (l.empty() || l.front() != 0 || std::adjacent_find(l.begin(), l.end(), std::greater_equal<>()) != l.end()) {
    throw where.expected("numbers of blocks, ascending from 0");
  }
  if (l.back() >= a.num_layers) throw where.error(fmt::format("the transformer has {} blocks", a.num_layers));
}

}  // namespace modelmeter::wan
