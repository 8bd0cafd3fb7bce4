#include "model/wan/vae_architecture.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/model_files.h"

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

void read_published(const config::View& view, VaeArchitecture& a) {
  if (view.has("_class_name")) view.get_choice("_class_name", {"AutoencoderKLWan"});
  require_known_published_keys(view,
                               vae_keys({"dropout", "latents_mean", "latents_std", "scale_factor_spatial",
                                         "scale_factor_temporal", "clip_output"},
                                        KeyNames::published),
                               "diffusers' AutoencoderKLWan");
  if (!view.has("is_residual") && a.is_residual) a = VaeArchitecture();  // the class's default
  read_architecture(view, KeyNames::published, a);
  for (const char* key : {"latents_mean", "latents_std"}) {
    if (view.has(key) && static_cast<int64_t>(view.at(key).items().size()) != a.z_dim) {
      throw view.at(key).error("there is a number for each of z_dim channels");
    }
  }
  const auto check = [&](const char* key, int64_t compression) {
    if (view.has(key) && view.get<int64_t>(key) != compression) {
      throw view.at(key).error("the other sizes give " + std::to_string(compression));
    }
  };
  check("scale_factor_spatial", a.spatial_compression());
  check("scale_factor_temporal", a.temporal_compression());
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
