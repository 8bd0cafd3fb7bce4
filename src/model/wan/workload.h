// What a user asks Wan to make: the `workload` node of the configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "config/access.h"
#include "trace/shape.h"

namespace modelmeter::wan {

struct Workload {
  std::string preset_id, profile_id, description;  // as chosen; of the values
  int64_t batch_size = 1;
  int64_t num_frames = 0, height = 0, width = 0;  // 0 where the latent is given
  Shape latent;                                   // [C, T, h, w] in place of those; else of no dimensions
  int64_t num_inference_steps = 0;
  int64_t text_len = 512;          // tokens a prompt is padded to
  int64_t prompt_tokens = 60;      // real ones among them; of several prompts the longest's
  std::vector<int64_t> prompts;    // those of each, where they differ; else empty
  int64_t reference_images = 0;    // VACE: each is a latent frame before the video's
  std::optional<bool> image;       // the video goes on from an image; nothing: what the task has
  bool allow_unsupported = false;  // the preset is meant to go beyond what generate.py accepts

  // What the transformer gets, where it is not what the code base gives it.
  std::optional<int64_t> seq_len;       // tokens the sequence is padded to
  std::optional<bool> token_timesteps;  // a time step per token
  std::optional<DType> timestep_dtype;  // float32, int64
  std::optional<DType> image_dtype;     // of the image encoder's features: float32, bfloat16, float16

  // Errors name the key and its place: unknown or missing keys, numbers that are not positive integers, a prompt longer
  // than text_len, another number of prompts than videos, a latent beside the video's sizes, reference images by both
  // of their names.
  static Workload read(const config::View& workload);
};

}  // namespace modelmeter::wan
