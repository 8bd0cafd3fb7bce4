#include "model/wan/geometry.h"

#include <fmt/format.h>

#include "base/checked.h"
#include "base/error.h"

namespace modelmeter::wan {
namespace {

constexpr char tokens_overflow[] = "the number of tokens";

void require_positive(int64_t value, const char* name) {
  if (value <= 0) throw Error(fmt::format("workload.{} is {}; it must be at least 1", name, value));
}

// One side of the video in latents, with a note where pixels are cut off.
int64_t latent_side(int64_t pixels, int64_t stride, const char* name, std::vector<std::string>& notes) {
  const int64_t latents = pixels / stride;
  if (latents == 0) {
    throw Error(fmt::format("workload.{} is {}; the VAE needs at least {} pixels", name, pixels, stride));
  }
  if (pixels % stride != 0) {
    notes.push_back(fmt::format("{} {} is not a multiple of {}; as in the official code the latent is that of {}", name,
                                pixels, stride, latents * stride));
  }
  return latents;
}

int64_t patches(int64_t latents, int64_t patch, const char* name, int64_t stride) {
  if (latents % patch != 0) {
    throw Error(
        fmt::format("workload.{} gives {} latents, which do not divide into patches of {}", name, latents, patch), {},
        {fmt::format("the official code fails on it; use a multiple of {}", patch * stride)});
  }
  return latents / patch;
}

// With the reference images. Both code bases pad the mask by as many of its own frames.
int64_t frames_with_references(int64_t frames, const GeometryRules& rules) {
  if (rules.reference_frames <= frames) return checked_add(frames, rules.reference_frames, "the number of frames");
  throw Error(fmt::format("{} reference images are more than the video's {} latent frame{}", rules.reference_frames,
                          frames, frames == 1 ? "" : "s"),
              {}, {"the code pads the mask by as many of its frames, and fails"});
}

// What follows from the grid of patches.
void count_tokens(Geometry& g, const GeometryRules& rules) {
  g.tokens = 1;
  for (int64_t side : g.grid) g.tokens = checked_mul(g.tokens, side, tokens_overflow);
  const int64_t sp = rules.sequence_parallel;
  g.seq_len = checked_mul((checked_add(g.tokens, sp - 1, tokens_overflow)) / sp, sp, tokens_overflow);
  // Attention over the tokens is what overflows first: say so before the limits of the code.
  checked_mul(checked_mul(g.tokens, g.tokens, "the number of attention scores"), 4, "the number of attention scores");
  for (int64_t side : g.grid) {
    if (side > rules.rope_positions) {
      throw Error(fmt::format("the patch grid {} is larger than the rotary embedding's {} positions along one axis",
                              g.grid.to_string(), rules.rope_positions));
    }
  }
}

}  // namespace

Geometry geometry(const VideoSize& video, const GeometryRules& rules) {
  require_positive(video.frames, "num_frames");
  require_positive(video.height, "height");
  require_positive(video.width, "width");
  Geometry g;
  const int64_t frames = (video.frames - 1) / rules.vae_stride[0] + 1;
  if ((video.frames - 1) % rules.vae_stride[0] != 0) {
    g.notes.push_back(fmt::format(
        "num_frames {} is not {}n + 1; as in the official code the latent has {} frames, those of a video of {}",
        video.frames, rules.vae_stride[0], frames, (frames - 1) * rules.vae_stride[0] + 1));
  }
  const int64_t height = latent_side(video.height, rules.vae_stride[1], "height", g.notes);
  const int64_t width = latent_side(video.width, rules.vae_stride[2], "width", g.notes);
  g.latent = {rules.latent_channels, frames, height, width};
  g.grid = {patches(frames_with_references(frames, rules), rules.patch_size[0], "num_frames", rules.vae_stride[0]),
            patches(height, rules.patch_size[1], "height", rules.vae_stride[1]),
            patches(width, rules.patch_size[2], "width", rules.vae_stride[2])};
  count_tokens(g, rules);
  return g;
}

Geometry geometry_of_latent(const Shape& latent, const GeometryRules& rules) {
  Geometry g;
  g.latent = latent;
  const Shape sides{frames_with_references(latent[1], rules), latent[2], latent[3]};
  for (int i = 0; i < 3; ++i) g.grid.push_back(patches(sides[i], rules.patch_size[i], "latent", 1));
  count_tokens(g, rules);
  return g;
}

VideoSize video_of_latent(const Shape& latent, const GeometryRules& rules) {
  const auto pixels = [&](int i, int64_t n) { return checked_mul(n, rules.vae_stride[i], "the size of the video"); };
  return {checked_add(pixels(0, latent[1] - 1), 1, "the size of the video"), pixels(1, latent[2]),
          pixels(2, latent[3])};
}

}  // namespace modelmeter::wan
