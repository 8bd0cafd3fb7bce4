// Live memory over the ops of a trace, and what is alive at one of them.
//
// Figures are bytes of device memory above what is resident (weights, buffers, inputs), right after the kernel. An op
// that repeats stands for all its repetitions: its live memory is that of the repetition where it is highest. Not in
// them: what an allocator rounds up, and workspaces inside kernels (memory/device_memory.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "trace/trace.h"

namespace modelmeter {

// By how much live memory in a scope rises above that of its first execution: in all, and without the innermost growing
// repetition, whose last execution ops may know themselves.
struct Rise {
  int64_t all = 0, outside_growing = 0;
};

// Of each scope, from its parent's.
Rise rise_within(const Scope& scope, const Rise& parent);
std::vector<Rise> rises(const Trace& trace);

// The highest live memory right after the op, over all its executions.
inline int64_t highest_live(const Trace& trace, const Op& op, const Rise& rise) {
  if (op.last < 0) return op.live + rise.all;
  return std::max(op.live, trace.last_ops[static_cast<size_t>(op.last)].live) + rise.outside_growing;
}

// Of live memory right after each op, the weights that came while the model ran (layer/offload.h).
std::vector<int64_t> streamed_weights(const Trace& trace);

// One allocation. Views of it are not listed again.
struct AliveTensor {
  const TensorMeta* tensor;  // as it was made; in the first repetition where it grows
  int64_t bytes;             // in the repetition where live memory is highest
  int32_t made_by;           // index in Trace::ops; -1: nothing that was traced, as in a repetition like others
};

struct Alive {
  std::vector<AliveTensor> tensors;  // largest first
  int64_t other = 0;                 // grown over repetitions, and not by one of these
};

// What is alive right after the op: `tensors` and `other` add up to its highest live memory.
Alive alive_at(const Trace& trace, int32_t op);

}  // namespace modelmeter
