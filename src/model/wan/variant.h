// The published variants of Wan, and what the official code accepts for each.
//
// Source: Wan-Video/Wan2.1 @9737cba and Wan2.2 @42bf4cf, wan/configs (SUPPORTED_SIZES, sample_*) and generate.py.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/access.h"
#include "model/wan/architecture.h"
#include "model/wan/geometry.h"
#include "model/wan/vae_architecture.h"

namespace modelmeter::wan {

enum class Task { t2v, t2i, i2v, flf2v, vace, ti2v };

struct Variant {
  std::string name;  // "t2v-14B"
  Task task;
  Generation generation;
  std::vector<std::vector<int64_t>>
      sizes;                // [width, height] that generate.py accepts; empty: any area (I2V by size of area)
  bool second_vae = false;  // Wan2.2's autoencoder
  // Wan2.2 A14B: two experts, the first above this share of the noise schedule, with the schedule's shift; else 0.
  double boundary = 0, shift = 0;

  VaeArchitecture vae() const { return second_vae ? VaeArchitecture::wan2_2() : VaeArchitecture(); }
};

const char* name_of(Task task);  // "t2v", as in the names of variants

// By `hf.variant`; Error with a did-you-mean.
const Variant& variant_named(const config::View& name);

// The variant that a model_type of a config.json stands for where no name is given.
const Variant& variant_of(const std::string& model_type);

// Refuses, with what is allowed, a size or a number of frames that generate.py refuses. "" where it is accepted.
std::string refused(const Variant& variant, const VideoSize& video);

// Of `steps` denoising steps, how many are at or above the boundary: those of the high-noise expert. The official UniPC
// schedule: sigma_i = s(0.999 (1 - i / steps)), s(x) = shift x / (1 + (shift - 1) x); a step is high if 1000 sigma >=
// 1000 boundary. T2V-A14B's 40 steps are 26 + 14, I2V-A14B's 15 + 25.
int64_t high_noise_steps(int64_t steps, double shift, double boundary);

}  // namespace modelmeter::wan
