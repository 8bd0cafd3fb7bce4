// What a traced run asks an allocator for, in order: allocations and frees, with its repetitions as loops.
//
// A tensor's storage is allocated for the op that makes it and freed when its last handle goes, before the op that
// comes next; what an op needs while it runs (memory/workspace.h) is allocated and freed behind its outputs. In a loop
// the storages of the recorded repetition stand for those of each: one that is carried on is freed in the repetition
// after it (Trace::carried). Of a loop that grows, sizes lie on the line through the first repetition and the last.
// What stages of a run leave to later ones (Trace::of_stages) is found there by its number.
//
// Weights that come on a stream of their own and that the kernels' stream is recorded for (record_stream()) are freed
// when their last handle goes, and others get their memory once the kernels launched by then have run.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "hardware/stack.h"
#include "trace/trace.h"

namespace modelmeter {

struct AllocationEvent {
  // begin and end of a loop; wait: the host waits for all kernels, where streams are recorded
  enum class Kind : uint8_t { allocate, free, begin, end, wait };
  Kind kind;
  int32_t id;                         // of the storage; of a loop its index
  int32_t op;                         // that comes next, or that it is for
  uint8_t stream = 0;                 // of an allocation, and of its free: on which its op runs
  bool workspace = false;             // of an allocation: where there is no room the op does without
  int64_t bytes = 0, last_bytes = 0;  // of an allocation: in the first repetition of a growing loop, and in its last
};

struct AllocationLoop {
  int64_t count = 1;
  bool growing = false;
  std::vector<std::pair<int32_t, int32_t>> carried;  // storages: found, left
  size_t begin = 0, end = 0;                         // events
};

// Memory that is there before the program runs, or after it.
struct AllocationBetweenStages {
  int32_t id;      // of the storage in the program
  int32_t number;  // in Trace::of_stages
  int64_t bytes;
};

struct AllocationProgram {
  std::vector<AllocationEvent> events;
  std::vector<AllocationLoop> loops;
  std::vector<AllocationBetweenStages> found, left;
  int32_t storages = 0;
  bool multiplies = false;      // a matrix product is among the ops
  bool records_stream = false;  // what copies allocate on their stream is recorded for that of the kernels
};

// Of the ops [first, end) of a trace with every kernel; loops that grow should be unrolled where they are short
// (Tracer::unrolls). What is alive before the first op is not of it, but for `found`.
AllocationProgram allocation_program(const Trace& trace, int32_t first, int32_t end, const Stack& stack,
                                     bool records_stream = false);

}  // namespace modelmeter
