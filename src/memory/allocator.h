// What allocations take of the device under PyTorch's caching allocator.
//
// Not modelled: segments that it keeps of what was freed (nvidia-smi shows them until torch.cuda.empty_cache()) and
// fragmentation. A large block may be up to 1 MiB larger where the rest is not split off.
#pragma once

#include <cstdint>
#include <vector>

#include "hardware/stack.h"

namespace modelmeter {

// What an allocation of so many bytes takes of memory_allocated().
int64_t allocated_bytes(int64_t requested, const AllocatorRules& rules);

// The least that segments holding these allocations take of memory_reserved().
int64_t reserved_bytes(const std::vector<int64_t>& requested, const AllocatorRules& rules);

}  // namespace modelmeter
