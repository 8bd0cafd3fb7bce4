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
  bool allocated = false, waits = false;         // waits: it was freed, and kernels that read it have not run
  AllocationMaker maker;                         // of one that is not free, where a log was kept
};

// As snapshots of PyTorch call it.
inline const char* state_of(const AllocatorBlock& block) {
  if (block.waits) return "active_pending_free";
  return block.allocated ? "active_allocated" : "inactive";
}

struct AllocatorSegment {
  int64_t address = 0, size = 0;
  bool small = false, expandable = false;
  int32_t stream = 0;
  std::vector<AllocatorBlock> blocks;  // in order of their addresses
};

struct AllocationLog {
  // A free is requested, and completed where the block is for others: at once but for what another stream used.
  enum class Action : uint8_t {
    alloc,
    free_requested,
    free_completed,
    segment_alloc,
    segment_free,
    segment_map,
    segment_unmap
  };
  struct Event {
    Action action;
    int32_t stream;
    int64_t address, size;  // of alloc and both of free the bytes asked for
    AllocationMaker maker;
  };

  int64_t last = std::numeric_limits<int64_t>::max();  // nothing is recorded behind the allocation with this number
  AllocationMaker maker;                               // of what is asked for next
  std::vector<Event> events;
  std::vector<AllocatorSegment> segments;  // right after allocation number `last`
};

}  // namespace modelmeter
