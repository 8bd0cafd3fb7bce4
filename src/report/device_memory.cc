#include "report/device_memory.h"

#include <algorithm>

#include "base/checked.h"

namespace modelmeter {
namespace {

constexpr char memory[] = "the memory of the device";

int64_t round_up(int64_t bytes, int64_t unit) { return checked_mul((bytes + unit - 1) / unit, unit, memory); }

int64_t sum(int64_t first, const std::vector<DevicePart>& parts) {
  for (const DevicePart& part : parts) first = checked_add(first, part.bytes, memory);
  return first;
}

}  // namespace

int64_t allocated_bytes(int64_t requested) { return round_up(requested, block_bytes); }

int64_t reserved_bytes(const std::vector<int64_t>& requested) {
  int64_t small = 0, large = 0, own = 0;
  for (const int64_t bytes : requested) {
    const int64_t size = allocated_bytes(bytes);
    int64_t& pool = size <= small_allocation_bytes ? small : size < large_allocation_bytes ? large : own;
    pool = checked_add(pool, &pool == &own ? round_up(size, own_segment_bytes) : size, memory);
  }
  const int64_t pooled =
      checked_add(round_up(small, small_segment_bytes), round_up(large, large_segment_bytes), memory);
  return checked_add(pooled, own, memory);
}

int64_t DeviceMemory::max_memory_allocated() const { return sum(live, allocator); }
int64_t DeviceMemory::nvidia_smi() const { return sum(max_memory_allocated(), driver); }

DeviceMemory device_memory(const std::vector<int64_t>& requested, int64_t with_workspace) {
  DeviceMemory out;
  int64_t allocated = 0;
  for (const int64_t bytes : requested) {
    out.live = checked_add(out.live, bytes, memory);
    allocated = checked_add(allocated, allocated_bytes(bytes), memory);
  }
  out.allocator = {
      {"allocator: blocks of 512 B", allocated - out.live, "PyTorch, c10/core/AllocatorConfig.h"},
      {"cuBLAS workspace", cublas_workspace_bytes, "PyTorch, CublasHandlePool.cpp; 32 MiB on Hopper"},
      {"convolution workspace", std::max<int64_t>(with_workspace - out.live, 0),
       "channels-last copies: cost/workspace.h"},
  };
  out.driver = {
      {"allocator: segments of 2 and 20 MiB", reserved_bytes(requested) - allocated,
       "PyTorch, c10/core/AllocatorConfig.h"},
      {"CUDA context, loaded kernels", cuda_context_bytes, "RTX 6000 Ada, PyTorch 2.10: unsloth-zoo#1053"},
  };
  return out;
}

}  // namespace modelmeter
