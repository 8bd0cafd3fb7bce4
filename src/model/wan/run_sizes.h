// The numbers of one run of Wan that its stages are given (model/run_values.h).
#pragma once

#include "model/run_values.h"
#include "trace/shape.h"

namespace modelmeter::wan {

// Where each stands in RunValues.
namespace run_value {
enum : size_t {
  batch,
  latent_channels,
  latent_frames,
  latent_height,
  latent_width,
  temporal_compression,
  spatial_compression,
  seq_len,
  prompt_tokens,
  steps,
  high_noise_steps,
  residency,
};
}

struct RunSizes {
  int64_t batch = 1;
  Shape latent;                                               // [C, T, h, w], C the latent's own
  int64_t temporal_compression = 4, spatial_compression = 8;  // of the autoencoder
  int64_t seq_len = 0;         // tokens the transformer's sequence is padded to (official); 0: none are added
  int64_t prompt_tokens = 60;  // real ones of the text
  int64_t steps = 50;
  int64_t high_noise_steps = 0;  // of them by the high-noise expert (Wan2.2)
  int64_t residency = 0;         // of enum Residency

  // Of the video that the autoencoder makes of the latent: 4 n + 1 frames; pixels.
  int64_t frames() const { return (latent[1] - 1) * temporal_compression + 1; }
  int64_t height() const { return latent[2] * spatial_compression; }
  int64_t width() const { return latent[3] * spatial_compression; }

  static RunSizes of(const RunValues& v) {
    namespace at = run_value;
    RunSizes out;
    out.batch = v[at::batch];
    out.latent = {v[at::latent_channels], v[at::latent_frames], v[at::latent_height], v[at::latent_width]};
    out.temporal_compression = v[at::temporal_compression];
    out.spatial_compression = v[at::spatial_compression];
    out.seq_len = v[at::seq_len];
    out.prompt_tokens = v[at::prompt_tokens];
    out.steps = v[at::steps];
    out.high_noise_steps = v[at::high_noise_steps];
    out.residency = v[at::residency];
    return out;
  }
  RunValues values() const {
    return {batch,   latent[0],     latent[1], latent[2],        latent[3], temporal_compression, spatial_compression,
            seq_len, prompt_tokens, steps,     high_noise_steps, residency};
  }
};

}  // namespace modelmeter::wan
