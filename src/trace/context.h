// What a forward runs under, beside its inputs: what torch keeps as global state, and which rank runs it. Functions and
// layers ask the Tracer for it; nothing of a model's sizes is in here.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace modelmeter {

// Which kernel F.scaled_dot_product_attention and flash_attn run: PyTorch's fused one, or matmul, softmax, matmul.
enum class AttentionKernel : uint8_t { flash, math };

// torch.autocast of the device.
struct Autocast {
  bool enabled = false;
  DType dtype = DType::bfloat16;
};

// This process among those that run the model together (torch.distributed's rank and world size).
struct Rank {
  int32_t index = 0;
  int32_t count = 1;
  bool operator==(const Rank&) const = default;
};

// What a cache between denoising steps (TeaCache and its kin) does in a forward: keep what the blocks add to the hidden
// states, or add what they added before in their place.
enum class StepCache : uint8_t { off, kept, reused };

// A share in millionths.
inline constexpr int32_t whole_share = 1'000'000;

struct Context {
  Autocast autocast;
  AttentionKernel attention = AttentionKernel::flash;
  // Of the pairs of query and key, the share that fused attention computes: a kernel that leaves out blocks of them.
  int32_t attention_density = whole_share;
  int32_t self_attention_density = whole_share;  // what a model's self-attention makes it (SparseAttentionGuard)
  StepCache step_cache = StepCache::off;
  uint8_t guidance_branches = 1;  // forwards of a step, each with a cache of its own
  // Whether kernels of float32 may compute in TF32: torch.backends.cudnn.allow_tf32 (convolutions) and
  // torch.backends.cuda.matmul.allow_tf32, with torch's defaults.
  bool cudnn_allow_tf32 = true;
  bool matmul_allow_tf32 = false;
  uint8_t stream = 0;  // the CUDA stream that kernels are launched on; 0 is the default one
  Rank rank;

  // What tells contexts apart within one trace, which is that of one rank.
  uint64_t key() const {
    const uint32_t cast = autocast.enabled ? 1 + static_cast<uint32_t>(autocast.dtype) : 0;
    const uint32_t tf32 = (cudnn_allow_tf32 ? 1 : 0) + (matmul_allow_tf32 ? 2 : 0);
    const uint32_t settings = ((cast * 4 + tf32) * 256 + stream) * 256 + static_cast<uint32_t>(attention);
    // 21 bits for either share. The step cache decides what runs, not how.
    return (uint64_t{settings} << 42) ^ (static_cast<uint64_t>(attention_density) << 21) ^
           static_cast<uint64_t>(self_attention_density);
  }
};

}  // namespace modelmeter
