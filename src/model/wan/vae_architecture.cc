#include "model/wan/vae_architecture.h"

#include <fmt/format.h>

#include <algorithm>

namespace modelmeter::wan {
namespace {

using A = VaeArchitecture;

const ConfigFields<A>& fields() {
  static const ConfigFields<A> table = {
      {"dim", "base_dim", &A::dim},
      {"dec_dim", "decoder_base_dim", &A::decoder_dim},
      {"z_dim", "z_dim", &A::z_dim},
      {"dim_mult", "dim_mult", &A::dim_mult},
      {"num_res_blocks", "num_res_blocks", &A::num_res_blocks},
      {"temperal_downsample", "temperal_downsample", &A::temporal_downsample},
  };
  return table;
}

// With diffusers' name only.
const ConfigFields<A>& patch_fields() {
  static const ConfigFields<A> table = {
      {"", "is_residual", &A::is_residual},
      {"", "in_channels", &A::in_channels},
      {"", "out_channels", &A::out_channels},
      {"", "patch_size", &A::patch_size},
  };
  return table;
}

}  // namespace

VaeArchitecture VaeArchitecture::wan2_2() {
  VaeArchitecture a;
  a.dim = 160;
  a.decoder_dim = 256;
  a.z_dim = 48;
  a.in_channels = a.out_channels = 12;
  a.patch_size = 2;
  a.is_residual = true;
  return a;
}

int64_t VaeArchitecture::spatial_compression() const {
  int64_t pixels = patch_size;
  for (size_t i = 1; i < dim_mult.size(); ++i) pixels *= 2;
  return pixels;
}

int64_t VaeArchitecture::temporal_compression() const {
  int64_t frames = 1;
  for (bool halves : temporal_downsample) frames *= halves ? 2 : 1;
  return frames;
}

std::vector<std::string> vae_keys(std::vector<std::string> keys, KeyNames names) {
  keys = known_keys(std::move(keys), fields(), names);
  if (names == KeyNames::published) return known_keys(std::move(keys), patch_fields(), names);
  keys.emplace_back("is_residual");
  return keys;
}

void read_architecture(const config::View& view, KeyNames names, VaeArchitecture& a) {
  if (view.has("is_residual") && view.get<bool>("is_residual") != a.is_residual) {
    a = a.is_residual ? VaeArchitecture() : VaeArchitecture::wan2_2();
  }
  read_fields(view, fields(), names, a);
  read_fields(view, patch_fields(), names, a);
  const char* decoder_dim = names == KeyNames::original ? "dec_dim" : "decoder_base_dim";
  if (!a.is_residual && !view.has(decoder_dim)) a.decoder_dim = a.dim;
  if (names == KeyNames::original && !a.is_residual && a.decoder_dim != a.dim) {
    throw view.at(decoder_dim).error("Wan2.1's autoencoder has one width, dim");
  }
  if (a.dim_mult.empty()) throw view.at("dim_mult").expected("at least one level");
  for (const int64_t mult : a.dim_mult) {
    if (mult < 1) throw view.at("dim_mult").expected("numbers above 0");
    if (mult > config::max_size / std::max(a.dim, a.decoder_dim)) {
      throw view.at("dim_mult").error(fmt::format("a level of more than {} channels", config::max_size));
    }
  }
  if (a.temporal_downsample.size() + 1 != a.dim_mult.size()) {
    throw view.error("temperal_downsample has a value for each level of dim_mult but the last");
  }
}

nlohmann::ordered_json json_of(const VaeArchitecture& a, KeyNames names) {
  nlohmann::ordered_json out = json_of(a, fields(), names);
  if (a.is_residual) {
    out["is_residual"] = true;
    if (names == KeyNames::published) out.update(json_of(a, patch_fields(), names));
  }
  return out;
}

}  // namespace modelmeter::wan
