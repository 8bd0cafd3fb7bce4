#include "model/wan/vae_architecture.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked.h"
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

// With diffusers' name only: in the official code they are constants.
const ConfigFields<A>& patch_fields() {
  static const ConfigFields<A> table = {
      {"", "is_residual", &A::is_residual},
      {"", "in_channels", &A::in_channels},
      {"", "out_channels", &A::out_channels},
      {"", "patch_size", &A::patch_size},
  };
  return table;
}

config::View place_of(const config::View& view, const char* key) { return view.has(key) ? view.at(key) : view; }

}  // namespace

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

std::vector<std::string> vae_keys(std::vector<std::string> keys) {
  return known_keys(known_keys(std::move(keys), fields()), patch_fields());
}

void read_architecture(const config::View& view, VaeArchitecture& a) {
  read_fields(view, fields(), a);
  read_fields(view, patch_fields(), a);
  if (a.decoder_dim == 0) a.decoder_dim = a.dim;
}

void check_architecture(const config::View& view, const VaeArchitecture& a) {
  if (view.has("dim_mult") && a.dim_mult.empty()) throw view.at("dim_mult").expected("at least one level");
  constexpr size_t most_levels = 16;  // a latent of 2^15 pixels
  if (a.dim_mult.size() > most_levels) {
    throw place_of(view, "dim_mult").expected(fmt::format("at most {} levels", most_levels));
  }
  const int64_t widest = std::max<int64_t>({a.dim, a.decoder_dim, 1});
  for (const int64_t mult : a.dim_mult) {
    if (mult < 1) throw place_of(view, "dim_mult").expected("numbers above 0");
    if (mult <= config::max_size / widest) continue;
    throw place_of(view, "dim_mult").error(fmt::format("a level of more than {} channels", config::max_size));
  }
  if (!a.dim_mult.empty() && a.temporal_downsample.size() + 1 != a.dim_mult.size()) {
    throw place_of(view, "temperal_downsample")
        .error(fmt::format("temperal_downsample has a value for each of the {} levels of dim_mult but the last",
                           a.dim_mult.size()));
  }
  const int64_t channels = checked_mul(3, checked_mul(a.patch_size, a.patch_size, "a patch"), "a patch");
  for (const auto& [key, value] :
       {std::pair("in_channels", a.in_channels), std::pair("out_channels", a.out_channels)}) {
    if (value == channels) continue;
    throw place_of(view, view.has(key) ? key : "patch_size")
        .error(fmt::format("{} is {}: a video in patches of {} x {} pixels has {} channels", key, value, a.patch_size,
                           a.patch_size, channels));
  }
}

void require_sizes(const config::View& view, const VaeArchitecture& a) {
  const std::string_view missing = missing_size(fields(), a);
  if (missing.empty()) return;
  throw view.error(fmt::format("{} is not given", missing), {"vae=wan2_1 and vae=wan2_2 have the published sizes"});
}

void read_published(const config::View& view, VaeArchitecture& a) {
  if (view.has("_class_name")) view.get_choice("_class_name", {"AutoencoderKLWan"});
  require_known_published_keys(view,
                               known_keys(known_keys({"dropout", "latents_mean", "latents_std", "scale_factor_spatial",
                                                      "scale_factor_temporal", "clip_output"},
                                                     fields(), KeyNames::published),
                                          patch_fields(), KeyNames::published),
                               "diffusers' AutoencoderKLWan");
  // What the file does not say of these is the class's default.
  const VaeArchitecture by_default;
  a.is_residual = by_default.is_residual;
  a.in_channels = by_default.in_channels;
  a.out_channels = by_default.out_channels;
  a.patch_size = by_default.patch_size;
  if (view.has("base_dim")) a.decoder_dim = 0;  // the same unless the file says another
  read_architecture(view, a);
  check_architecture(view, a);
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
  if (a.is_residual) out.update(json_of(a, patch_fields(), KeyNames::published));
  return out;
}

}  // namespace modelmeter::wan
