// From the video a user asks for to the latent the transformer sees.
//
// Source: Wan-Video/Wan2.1 @9737cba, wan/text2video.py. The VAE compresses 4n + 1 frames to n + 1 and each side by 8;
// what does not divide is cut off. A patch is 1 x 2 x 2 latents. 480 x 832 x 81 gives 32,760 tokens, 720 x 1280 x 81
// gives 75,600.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trace/shape.h"

namespace modelmeter::wan {

struct VideoSize {
  int64_t frames, height, width;
};

struct Geometry {
  Shape latent;                    // [channels, frames, height, width] of the video
  Shape grid;                      // patches: [frames, height, width], reference images among the frames
  int64_t tokens = 0;              // of one sample
  int64_t seq_len = 0;             // tokens after padding to a multiple of the sequence-parallel size
  std::vector<std::string> notes;  // what was cut off
};

struct GeometryRules {
  int64_t latent_channels = 16;
  Shape vae_stride{4, 8, 8};      // frames, height, width
  Shape patch_size{1, 2, 2};      // of latents
  int64_t rope_positions = 1024;  // along each axis
  int64_t sequence_parallel = 1;
  int64_t reference_frames = 0;  // of latents, before the video's: VACE's reference images
};

// Error where nothing is left of a side, where the latent does not divide into patches (the official scheduler cannot
// subtract noise of another shape), beyond the rotary embedding's positions, with more reference images than latent
// frames, or where a count overflows.
Geometry geometry(const VideoSize& video, const GeometryRules& rules);

// Of a latent [channels, frames, height, width].
Geometry geometry_of_latent(const Shape& latent, const GeometryRules& rules);

// The video that a latent is of.
VideoSize video_of_latent(const Shape& latent, const GeometryRules& rules);

}  // namespace modelmeter::wan
