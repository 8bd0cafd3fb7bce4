// From the modelled live memory to what tools show: the parts, each with its source.
//
// The modelled live peak is the bytes that tensors ask for. torch.cuda.max_memory_allocated() counts what the caching
// allocator gives them, and workspaces that libraries ask it for; max_memory_reserved() its segments, with what was
// freed and stays; nvidia-smi those and what the driver takes for the process. Not in any of them: other processes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hardware/stack.h"
#include "memory/run_replay.h"

namespace modelmeter {

struct DevicePart {
  std::string name;
  int64_t bytes = 0;
  std::string source;
};

// From the modelled live peak to what tools show.
struct DeviceMemory {
  int64_t live = 0;
  std::vector<DevicePart> allocated;  // up to max_memory_allocated
  std::vector<DevicePart> reserved;   // from there to max_memory_reserved
  std::vector<DevicePart> driver;     // from there to nvidia-smi

  int64_t max_memory_allocated() const;
  int64_t max_memory_reserved() const;
  int64_t nvidia_smi() const;
};

// `with_workspace`: the highest sum of live memory and the workspace of the running kernel (memory/workspace.h), which
// may be elsewhere than `live`. `replay`: the same run on the allocator.
DeviceMemory device_memory(int64_t live, int64_t with_workspace, const RunReplay& replay, const Stack& stack);

}  // namespace modelmeter
