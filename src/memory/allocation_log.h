// What a caching allocator did, call by call, as torch.cuda.memory._record_memory_history() records it, and what its
// segments hold where it is fullest (memory/snapshot.h writes both).
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace modelmeter {

// Whose an allocation is. `of`: a number that the one who asks gives; `op`: of it, -1 where it is not an op's.
struct AllocationMaker {
  int32_t of = -1, op = -1;

  friend bool operator==(const AllocationMaker&, const AllocationMaker&) = default;
};

struct AllocatorBlock {
  int64_t address = 0, size = 0, requested = 0;  // requested: 0 of a free block
  bool allocated = false;
  AllocationMaker maker;  // of an allocated one, where a log was kept
};

struct AllocatorSegment {
  int64_t address = 0, size = 0;
  bool small = false, expandable = false;
  int32_t stream = 0;
  std::vector<AllocatorBlock> blocks;  // in order of their addresses
};

struct AllocationLog {
  enum class Action : uint8_t { alloc, free, segment_alloc, segment_free, segment_map, segment_unmap };
  struct Event {
    Action action;
    int32_t stream;
    int64_t address, size;  // of alloc and free the bytes asked for
    AllocationMaker maker;
  };

  int64_t last = std::numeric_limits<int64_t>::max();  // nothing is recorded behind the allocation with this number
  AllocationMaker maker;                               // of what is asked for next
  std::vector<Event> events;
  std::vector<AllocatorSegment> segments;  // right after allocation number `last`
};

}  // namespace modelmeter
