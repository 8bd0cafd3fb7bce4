#include "memory/device_memory.h"

#include <algorithm>

#include "base/checked.h"
#include "memory/allocator.h"

namespace modelmeter {
namespace {

constexpr char memory[] = "the memory of the device";

int64_t sum(int64_t first, const std::vector<DevicePart>& parts) {
  for (const DevicePart& part : parts) first = checked_add(first, part.bytes, memory);
  return first;
}

}  // namespace

int64_t DeviceMemory::max_memory_allocated() const { return sum(live, allocator); }
int64_t DeviceMemory::nvidia_smi() const { return sum(max_memory_allocated(), driver); }

DeviceMemory device_memory(const std::vector<int64_t>& requested, int64_t with_workspace, const Stack& stack) {
  DeviceMemory out;
  int64_t allocated = 0;
  for (const int64_t bytes : requested) {
    out.live = checked_add(out.live, bytes, memory);
    allocated = checked_add(allocated, allocated_bytes(bytes, stack.allocator), memory);
  }
  out.allocator = {
      {"allocator: blocks of 512 B", allocated - out.live, stack.allocator.block.source},
      {"cuBLAS workspace", stack.cublas_workspace.value, stack.cublas_workspace.source},
      {"convolution workspace", std::max<int64_t>(with_workspace - out.live, 0),
       stack.convolution.output_copied_up_to.source},
  };
  out.driver = {
      {"allocator: segments of 2 and 20 MiB", reserved_bytes(requested, stack.allocator) - allocated,
       stack.allocator.large_segment.source},
      {"CUDA context, loaded kernels", stack.cuda_context.value, stack.cuda_context.source},
  };
  return out;
}

}  // namespace modelmeter
