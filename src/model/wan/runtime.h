// How Wan is run: the `runtime` node of the configuration.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/wan/code_base.h"

namespace modelmeter::wan {

struct Runtime {
  const CodeBase* code_base = nullptr;
  AttentionKernel attention = AttentionKernel::flash;
  bool cfg = true;  // classifier-free guidance: two forwards a step
  std::optional<Scheduler> scheduler;
  // Of the noise schedule and the experts (Wan2.2 A14B), where they are set.
  std::optional<double> shift, boundary;
  std::vector<int64_t> expert_steps;    // of the high-noise expert and the low-noise one; or empty
  std::vector<double> guidance_scale;   // one, or of the high-noise expert and the low-noise one; or empty
  double step_cache = 0;                // share of the forwards that run without their blocks
  double attention_density = 1;         // share of the pairs of query and key that self-attention computes
  DType weight_dtype = DType::float32;  // of the transformer
  Autocast autocast;                    // of the transformer
  Residency residency = Residency::all;
  // Of residency group, as diffusers' apply_group_offloading() has it.
  bool group_by_leaves = false;
  int64_t blocks_per_group = 1;
  bool use_stream = false, record_stream = false, low_cpu_mem_usage = false;
  int64_t block_swap = 0, prefetch_blocks = 0;  // of the transformer's blocks those that wait on the host, and ahead
  bool t5_cpu = false;
  std::string device_map;  // of from_pretrained(); empty: models are loaded on the host
  bool vae_tiling = false, vae_slicing = false;
  Tiles tiles;
  bool allow_unsupported = false;

  // implementation; attention ("flash", "math"); cfg; scheduler ("unipc", "dpm++", "euler", "lcm"); shift; boundary;
  // expert_steps; guidance_scale; step_cache, from 0 to below 1; attention_density, above 0 to 1; weight_dtype (null:
  // the code base's); autocast (null: the code base's), autocast_dtype; residency ("all", "offload", "sequential",
  // "group"); group_offload.{offload_type, num_blocks_per_group, use_stream, record_stream, low_cpu_mem_usage};
  // block_swap, prefetch_blocks; t5_cpu; device_map; vae_tiling, vae_tile_size, vae_tile_stride (a number or [height,
  // width]), vae_slicing; allow_unsupported. Errors at the key: what it cannot be, and what the code base lacks.
  static Runtime read(const config::View& runtime);
  Fields fields() const;  // for reports
};

// Of the transformer, where blocks of it are swapped; none of the other models are.
Offload block_swap(Role role, const Runtime& runtime);

const char* name_of(Residency residency);
const char* name_of(Scheduler scheduler);
const char* name_of(AttentionKernel kernel);

// The dtype at a key of a configuration, one of those allowed; `otherwise` where there is none.
DType dtype_or(const config::View& view, std::string_view key, const std::vector<std::string>& allowed,
               DType otherwise);

}  // namespace modelmeter::wan
