#include "memory/device_memory.h"

#include <algorithm>

#include "base/checked.h"

namespace modelmeter {
namespace {

constexpr char memory[] = "the memory of the device";

int64_t sum(int64_t first, const std::vector<DevicePart>& parts) {
  for (const DevicePart& part : parts) first = checked_add(first, part.bytes, memory);
  return first;
}

}  // namespace

int64_t DeviceMemory::max_memory_allocated() const { return sum(live, allocated); }
int64_t DeviceMemory::max_memory_reserved() const { return sum(max_memory_allocated(), reserved); }
int64_t DeviceMemory::nvidia_smi() const { return sum(max_memory_reserved(), driver); }

DeviceMemory device_memory(int64_t live, int64_t with_workspace, const RunReplay& replay, const Stack& stack) {
  const int64_t cublas = replay.cublas_workspace, convolution = std::max<int64_t>(with_workspace - live, 0);
  DeviceMemory out;
  out.live = live;
  out.allocated = {
      {"cuBLAS workspace", cublas, stack.cublas_workspace.source},
      {"convolution workspace", convolution, stack.convolution.output_copied_up_to.source},
      {"allocator: blocks of 512 B, rests not split", replay.peak_allocated - live - cublas - convolution,
       stack.allocator.block.source},
  };
  out.reserved = {{"allocator: freed, kept in segments", replay.peak_reserved - replay.peak_allocated,
                   stack.allocator.large_segment.source}};
  out.driver = {{"CUDA context, loaded kernels", stack.cuda_context.value, stack.cuda_context.source}};
  return out;
}

}  // namespace modelmeter
