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

namespace modelmeter::wan {

enum class Task { t2v, t2i, i2v, flf2v, vace, ti2v };

struct Variant {
  std::string name;  // "t2v-14B"
  Task task;
  Generation generation;
  std::vector<std::vector<int64_t>>
      sizes;                // [width, height] that generate.py accepts; empty: any area (I2V by size of area)
  bool second_vae = false;  // Wan2.2's autoencoder
  // Wan2.2 A14B: two experts, the first at and above this share of the noise schedule; else 0.
  double boundary = 0;

  // Of the published transformer.
  int64_t dim = 5120, ffn_dim = 13824, num_heads = 40, num_layers = 40;
  std::string repository;  // on the hub: "Wan-AI/Wan2.1-T2V-14B"

  // As its code takes them, whatever autoencoder it is given: WanModel's out_dim, and vae_stride of wan/configs.
  int64_t latent_channels() const { return second_vae ? 48 : 16; }
  Shape vae_stride() const { return second_vae ? Shape{4, 16, 16} : Shape{4, 8, 8}; }
  std::string label() const;  // "wan2.1-t2v-14b"
  bool has_sizes_of(const Architecture& a) const;
  // Whether a transformer of this task (Architecture::task()) makes what the variant makes.
  bool makes(const std::string& architecture_task) const;
};

const char* name_of(Task task);  // "t2v", as in the names of variants

// By `hf.variant`; Error with a did-you-mean.
const Variant& variant_named(const config::View& name);

// The variant that a model_type of a config.json stands for where no name is given.
const Variant& variant_of(const std::string& model_type);

// The published variant of these sizes that makes the same; null where there is none.
const Variant* variant_of_sizes(const Architecture& a, Task task, Generation generation);

// The labels of the published models of these sizes that a file of them may be of, beside `known` and its like on the
// hub: "wan2.2-t2v-a14b"; "" where there are none.
std::string variants_with_sizes_of(const Architecture& a, const Variant& known);

// The names of variants whose published transformer a file may be of: "t2v-14B, t2v-1.3B".
std::string variants_making(const std::string& architecture_task);

// Refuses, with what is allowed, a size or a number of frames that generate.py refuses. "" where it is accepted.
std::string refused_by_generate(const Variant& variant, const VideoSize& video);

}  // namespace modelmeter::wan
