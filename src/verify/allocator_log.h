// A log of PyTorch's caching allocator (torch.cuda.memory._record_memory_history), replayed on ours: the same requests
// in the same order, on segments where the driver placed them, must give the same bytes. JSON, gzipped or not:
//
//   events    [action, bytes, address, stream]: alloc and free_* with the requested size, segment_* with the segment's
//   marks     [where, index of the first event after it, allocated, reserved, peak allocated, peak reserved]
//   segments  those at the end: size, kind, blocks [size, requested, state]
//
// What was allocated before the log began is inferred from its end: blocks that no event made.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "memory/caching_allocator.h"

namespace modelmeter {

// A moment at which the script read the counters; peaks are those since the mark before. Bytes.
struct AllocatorMark {
  std::string where;
  int64_t allocated = 0, reserved = 0, peak_allocated = 0, peak_reserved = 0;  // as logged
  int64_t replayed_allocated = 0, replayed_reserved = 0, replayed_peak_allocated = 0, replayed_peak_reserved = 0;
};

// The marks that have peaks. With `allocator`, which must be new, leaves it as it is at the end. Error naming the file
// for what is no such log.
std::vector<AllocatorMark> replay_allocator_log(const std::string& path);
std::vector<AllocatorMark> replay_allocator_log(const std::string& path, CachingAllocator& allocator);

}  // namespace modelmeter
