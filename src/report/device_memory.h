// What a device holds beside the modelled live memory: the parts, each a named constant or rule with its source.
//
// The modelled live peak is the bytes that tensors ask for. torch.cuda.max_memory_allocated() counts what the caching
// allocator gives them, and workspaces that libraries ask it for; nvidia-smi counts the allocator's segments and what
// the driver takes for the process. None of the constants is fitted to the figures of Wan that docs/memory.md compares
// with.
//
// Not in any of them: segments that the allocator keeps of what was freed (nvidia-smi shows them until
// torch.cuda.empty_cache()), fragmentation, other processes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace modelmeter {

constexpr int64_t mebibyte = int64_t{1} << 20;

// PyTorch 2.15, c10/core/AllocatorConfig.h (kMinBlockSize, kSmallSize, kSmallBuffer, kMinLargeAlloc, kRoundLarge) and
// large_segment_size() there, 20 MiB by default. Read 2026-11.
constexpr int64_t block_bytes = 512;                  // every allocation is a multiple
constexpr int64_t small_allocation_bytes = mebibyte;  // up to this from segments of
constexpr int64_t small_segment_bytes = 2 * mebibyte;
constexpr int64_t large_allocation_bytes = 10 * mebibyte;  // below this from segments of
constexpr int64_t large_segment_bytes = 20 * mebibyte;
constexpr int64_t own_segment_bytes = 2 * mebibyte;  // from then on one segment each, a multiple of this

// cuBLAS: PyTorch allocates CUBLAS_WORKSPACE_CONFIG, by default :4096:2:16:8 (KiB, times), once per handle and stream
// (aten/src/ATen/cuda/CublasHandlePool.cpp; seen as a block of 8,519,680 bytes in
// discuss.pytorch.org/t/178671, 2023). 32 MiB on Hopper.
constexpr int64_t cublas_workspace_bytes = (2 * 4096 + 8 * 16) * 1024;

// CUDA context with the kernels that are loaded when the first tensor is made: 426 MiB by nvidia-smi with nothing
// allocated, PyTorch 2.10 with CUDA 13.0 on an RTX 6000 Ada (unslothai/unsloth-zoo#1053, 2026-08). Others: 274 MiB
// (pytorch/pytorch#86509, 2022), about 300 and 400 MB (#107667, #109888, 2023). Libraries load more as they run.
constexpr int64_t cuda_context_bytes = 426 * mebibyte;

// What an allocation of so many bytes takes of memory_allocated(). A large block may be up to 1 MiB larger where the
// rest is not split off.
int64_t allocated_bytes(int64_t requested);

// The least that segments holding these allocations take of memory_reserved().
int64_t reserved_bytes(const std::vector<int64_t>& requested);

struct DevicePart {
  std::string name;
  int64_t bytes = 0;
  std::string source;
};

// From the modelled live peak to what tools show.
struct DeviceMemory {
  int64_t live = 0;
  std::vector<DevicePart> allocator;  // up to max_memory_allocated
  std::vector<DevicePart> driver;     // from there to nvidia-smi

  int64_t max_memory_allocated() const;
  int64_t nvidia_smi() const;
};

// `requested`: every allocation that is alive at the peak; they add up to `live`. `with_workspace`: the highest sum of
// live memory and the workspace of the running kernel (cost/workspace.h), which may be elsewhere.
DeviceMemory device_memory(const std::vector<int64_t>& requested, int64_t with_workspace);

}  // namespace modelmeter
