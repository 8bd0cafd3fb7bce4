#include "model/wan/architecture.h"

#include <fmt/format.h>

#include "base/error.h"

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
  if (image) a.image_dim = 1280;
  if (a.model_type == "flf2v") a.pos_embed_seq_len = 514;
  return a;
}

Architecture read_diffusers(const View& config) {
  Architecture a;
  a.num_heads = config.get<int64_t>("num_attention_heads");
  a.dim = a.num_heads * config.get<int64_t>("attention_head_dim");
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

void check_architecture(const Architecture& a, const View& where) {
  const auto positive = [&](const char* name, int64_t value) {
    if (value <= 0) {
      throw(where.has(name) ? where.at(name) : where)
          .error(fmt::format("{} is {}; it must be at least 1", name, value));
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
  if (a.dim % a.num_heads != 0) {
    throw where.error(fmt::format("{} heads do not divide the width {}", a.num_heads, a.dim));
  }
  if (a.head_dim() % 2 != 0) {
    throw where.error(fmt::format("the head size {} is odd; the rotary embedding turns pairs", a.head_dim()));
  }
  if (a.freq_dim % 2 != 0) throw where.error(fmt::format("freq_dim {} is odd; it holds sines and cosines", a.freq_dim));
}

}  // namespace modelmeter::wan
