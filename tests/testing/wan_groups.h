// The models around Wan's transformer for tests: what configs/text_encoder/umt5_xxl.yaml and configs/vae say.
#pragma once

#include <string>

#include "config/yaml.h"

namespace modelmeter::testing_models {

inline constexpr char umt5_xxl[] =
    "text_encoder: {vocab: 256384, dim: 4096, dim_attn: 4096, dim_ffn: 10240, num_heads: 64, num_layers: 24}\n";
inline constexpr char wan2_1_vae[] =
    "vae: {dim: 96, z_dim: 16, dim_mult: [1, 2, 4, 4], num_res_blocks: 2, temperal_downsample: [false, true, true]}\n";
inline constexpr char wan2_2_vae[] =
    "vae: {dim: 160, dec_dim: 256, z_dim: 48, dim_mult: [1, 2, 4, 4], num_res_blocks: 2, temperal_downsample: "
    "[false, true, true], is_residual: true, patch_size: 2, in_channels: 12, out_channels: 12}\n";

// Adds them to a configuration. `changed`: nodes in YAML with keys of their own in place of these ("vae: {dim: 32}\n").
inline void add_wan_groups(config::Node& node, const std::string& changed = "", bool second_vae = false) {
  config::Node groups =
      config::parse_yaml(std::string(umt5_xxl) + (second_vae ? wan2_2_vae : wan2_1_vae), "groups.yaml");
  const config::Node more = changed.empty() ? config::Node::map() : config::parse_yaml(changed, "test.yaml");
  for (const config::Entry& given : more.entries()) {
    config::Node* group = groups.find(given.key.text);
    if (group == nullptr) {
      groups.set(given.key, given.value);
      continue;
    }
    for (const config::Entry& size : given.value.entries()) group->set(size.key, size.value);
  }
  for (const config::Entry& group : groups.entries()) node.set(group.key, group.value);
}

}  // namespace modelmeter::testing_models
