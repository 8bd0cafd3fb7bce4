#include "model/wan/architecture.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <initializer_list>

#include "base/checked.h"
#include "base/error.h"
#include "model/model_files.h"
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
  if (config.has("eps") && config.get<double>("eps") <= 0) throw config.at("eps").expected("a number above 0");
}

// --- what a file may say ---------------------------------------------------------------------------------------------

const std::vector<std::string>& official_keys() {
  static const std::vector<std::string> keys = {
      "model_type", "patch_size", "text_len", "in_dim", "dim", "ffn_dim", "freq_dim", "text_dim", "out_dim",
      "num_heads", "num_layers", "window_size", "qk_norm", "cross_attn_norm", "eps", "vace_layers", "vace_in_dim",
      // Harmless: of training, and of how the file was written.
      "use_cfg_emb", "torch_dtype", "dtype", "architectures", "transformers_version"};
  return keys;
}

const std::vector<std::string>& diffusers_keys() {
  static const std::vector<std::string> keys = {
      "patch_size", "num_attention_heads", "attention_head_dim", "in_channels", "out_channels", "text_dim", "freq_dim",
      "ffn_dim", "num_layers", "window_size", "cross_attn_norm", "qk_norm", "eps", "image_dim", "added_kv_proj_dim",
      "add_img_emb", "rope_max_seq_len", "pos_embed_seq_len", "vace_layers", "vace_in_channels",
      // Harmless.
      "use_cfg_emb", "text_len", "torch_dtype", "dtype", "architectures", "transformers_version"};
  return keys;
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void require_known_class(const View& config) {
  const std::string klass = class_name_of(config);
  if (is_one_of(klass, {"", "WanModel", "VaceWanModel", "WanTransformer3DModel", "WanxTransformer3DModel",
                        "WanVACETransformer3DModel"})) {
    if (!klass.empty() || config.has("dim") || config.has("num_attention_heads")) return;
    if (what_it_is(config.node()).empty()) return;
  }
  const View at = config.has("_class_name") ? config.at("_class_name") : config;
  if (const std::string what = what_it_is(config.node()); !what.empty()) {
    throw at.error("this is " + what + ", not of a Wan transformer",
                   {"hf.config_path takes a transformer's config.json, or the folder of the model or pipeline"});
  }
  throw at.error(fmt::format("the class {} is not modelled", klass),
                 {"modelled are WanModel and VaceWanModel of the official code, WanTransformer3DModel and "
                  "WanVACETransformer3DModel of diffusers"});
}

// Files of other code bases that kept the official keys say diffusers' class.
KeyNames format_of(const View& config) {
  const bool sizes = config.has("num_attention_heads") || config.has("attention_head_dim");
  const std::string klass = class_name_of(config);
  const bool diffusers = sizes || (klass.find("Transformer3DModel") != std::string::npos && !config.has("dim"));
  return diffusers ? KeyNames::published : KeyNames::original;
}

void require_modelled(const View& config) {
  if (config.has("window_size") && config.get<std::vector<int64_t>>("window_size") != std::vector<int64_t>{-1, -1}) {
    throw config.at("window_size").error("attention within a window is not modelled; [-1, -1] is all of it");
  }
  const std::string klass = class_name_of(config);
  if (!klass.empty() && !is_one_of(klass, {"VaceWanModel", "WanVACETransformer3DModel"}) && config.has("vace_layers")) {
    throw config.at("vace_layers").error(fmt::format("{} has no VACE blocks", klass));
  }
  if (is_one_of(klass, {"VaceWanModel", "WanVACETransformer3DModel"})) config.at("vace_layers");
  if (config.has("model_type")) {
    const auto type = config.get<std::string>("model_type");
    if (is_one_of(type, {"t2v", "i2v", "flf2v", "vace", "ti2v"})) return;
    if (const std::string what = what_it_is(config.node()); !what.empty()) {
      throw config.error("this is " + what + ", not of a Wan transformer",
                         {"hf.config_path takes a transformer's config.json, or the folder of the model or pipeline"});
    }
    throw config.at("model_type")
        .error(fmt::format("the model type '{}' is not modelled", type), {"modelled: t2v, i2v, flf2v, vace, ti2v"});
  }
}

Architecture read_official(const View& config) {
  Architecture a;
  a.dim = config.get<int64_t>("dim");
  a.num_heads = config.get<int64_t>("num_heads");
  read_common(config, a);
  a.in_dim = config.get_or<int64_t>("in_dim", a.in_dim);
  a.out_dim = config.get_or<int64_t>("out_dim", a.out_dim);
  a.model_type = config.get_or<std::string>("model_type", a.in_dim == 36 ? "i2v" : "t2v");
  a.vace_in_dim = config.get_or<int64_t>("vace_in_dim", a.vace_layers.empty() ? 0 : a.in_dim);
  const bool image = a.model_type == "i2v" || a.model_type == "flf2v";
  const transformers::ImageEncoderArchitecture encoder;
  if (image) a.image_dim = encoder.dim;
  if (a.model_type == "flf2v") a.pos_embed_seq_len = 2 * encoder.tokens();
  return a;
}

// A width of keys and values from the image is what gives a diffusers model its image branch. The first releases did
// not write down the width of the image encoder.
void read_image_branch(const View& config, Architecture& a) {
  if (config.get_or<bool>("add_img_emb", false) && !config.has("added_kv_proj_dim")) {
    throw config.at("add_img_emb").error("an image embedding without added_kv_proj_dim is not modelled");
  }
  if (config.has("added_kv_proj_dim")) {
    if (const auto width = config.get_positive<int64_t>("added_kv_proj_dim"); width != a.dim) {
      throw config.at("added_kv_proj_dim").error(fmt::format("{} is not the transformer's width {}", width, a.dim));
    }
    a.image_dim = transformers::ImageEncoderArchitecture().dim;
    if (config.has("image_dim")) a.image_dim = config.get_positive<int64_t>("image_dim");
  } else if (config.has("image_dim")) {
    throw config.at("image_dim").error("an image encoder without added_kv_proj_dim is not modelled");
  }
  if (!config.has("pos_embed_seq_len")) return;
  a.pos_embed_seq_len = config.get_positive<int64_t>("pos_embed_seq_len");
  if (a.image_dim == 0) throw config.at("pos_embed_seq_len").error("there is no image that it embeds");
}

Architecture read_diffusers(const View& config) {
  Architecture a;
  a.num_heads = config.get<int64_t>("num_attention_heads");
  a.dim = checked_mul(a.num_heads, config.get<int64_t>("attention_head_dim"), "the width of the transformer");
  read_common(config, a);
  a.in_dim = config.get_or<int64_t>("in_channels", a.in_dim);
  a.out_dim = config.get_or<int64_t>("out_channels", a.in_dim);
  a.rope_max_seq_len = config.get_or<int64_t>("rope_max_seq_len", a.rope_max_seq_len);
  a.vace_in_dim = config.get_or<int64_t>("vace_in_channels", a.vace_layers.empty() ? 0 : 96);
  read_image_branch(config, a);
  if (a.image_dim > 0) a.model_type = a.pos_embed_seq_len > 0 ? "flf2v" : "i2v";
  return a;
}

void check_vace(const Architecture& a, const View& where) {
  if (a.vace_layers.empty() && a.vace_in_dim == 0) return;
  if (a.vace_in_dim == 0) {
    throw where.error("vace_layers without the channels of what they read (vace_in_dim, vace_in_channels)");
  }
  check_vace_layers(a, where.has("vace_layers") ? where.at("vace_layers") : where);
}

}  // namespace

std::string Architecture::task() const {
  if (!vace_layers.empty() || vace_in_dim > 0) return "vace";
  if (model_type == "ti2v" || model_type == "flf2v" || model_type == "i2v") return model_type;
  // Wan2.2's in diffusers' format: nothing but the channels tells them.
  if (in_dim == 2 * out_dim + 4) return "i2v";
  return in_dim == 48 && out_dim == 48 ? "ti2v" : model_type;
}

Architecture read_architecture(const View& config) {
  if (!config.node().is(config::Kind::map)) throw config.expected("a model configuration (a JSON object)");
  require_known_class(config);
  const KeyNames format = format_of(config);
  require_known_published_keys(
      config, format == KeyNames::original ? official_keys() : diffusers_keys(),
      format == KeyNames::original ? "the official code's config.json" : "diffusers' WanTransformer3DModel");
  require_modelled(config);
  Architecture a = format == KeyNames::original ? read_official(config) : read_diffusers(config);
  a.format = format;
  check_architecture(a, config);
  return a;
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
           {"added_kv_proj_dim", or_null(a.image_dim > 0 ? a.dim : 0)},
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
  // The first of some keys that is there; else all of it.
  const auto place = [&](std::initializer_list<const char*> keys) {
    for (const char* key : keys) {
      if (where.has(key)) return where.at(key);
    }
    return where;
  };
  if (a.dim % a.num_heads != 0) {
    throw place({"num_heads", "num_attention_heads", "dim"})
        .error(fmt::format("{} heads do not divide the width {}", a.num_heads, a.dim));
  }
  if (a.head_dim() % 2 != 0) {
    throw place({"num_heads", "attention_head_dim", "dim"})
        .error(fmt::format("the head size {} is odd; the rotary embedding turns pairs", a.head_dim()));
  }
  if (a.freq_dim % 2 != 0) throw where.error(fmt::format("freq_dim {} is odd; it holds sines and cosines", a.freq_dim));
  check_vace(a, where);
}

void check_vace_layers(const Architecture& a, const View& where) {
  const std::vector<int64_t>& l = a.vace_layers;
  if (l.empty() || l.front() != 0 || std::adjacent_find(l.begin(), l.end(), std::greater_equal<>()) != l.end()) {
    throw where.expected("numbers of blocks, ascending from 0");
  }
  if (l.back() >= a.num_layers) throw where.error(fmt::format("the transformer has {} blocks", a.num_layers));
}

}  // namespace modelmeter::wan
