// What a device holds beside the modelled live memory: the parts, each with its source.
//
// The modelled live peak is the bytes that tensors ask for. torch.cuda.max_memory_allocated() counts what the caching
// allocator gives them, and workspaces that libraries ask it for; nvidia-smi counts the allocator's segments and what
// the driver takes for the process.
//
// Not in any of them: what memory/allocator.h does not model, and other processes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hardware/stack.h"

namespace modelmeter {

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
// live memory and the workspace of the running kernel (memory/workspace.h), which may be elsewhere.
DeviceMemory device_memory(const std::vector<int64_t>& requested, int64_t with_workspace, const Stack& stack);

}  // namespace modelmeter
