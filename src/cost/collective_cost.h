// What a collective moves over the links between devices, per rank: the least that any algorithm has to, of N ranks
//
//   all_to_all       what it sends but the part for itself           (N - 1) / N of its inputs
//   all_gather       its part to each other rank                     (N - 1) / N of what it then has
//   reduce_scatter   each other rank's part                          (N - 1) / N of its input
//   all_reduce       a reduce_scatter, then an all_gather            2 (N - 1) / N of the tensor
//   broadcast, send  the tensor
//
// in bytes, the same way in and out unless ranks have parts of different sizes. What they read and write in device
// memory is another matter (op_factors.h). In the terms of nccl-tests, `sent` over the time is the bus bandwidth.
//
// Not modelled: what an algorithm sends beyond that (a tree's inner ranks), what switches add up (NVLS, SHARP).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/count.h"
#include "cost/op_factors.h"
#include "trace/distributed.h"

namespace modelmeter {

struct LinkBytes {
  int64_t sent = 0, received = 0;
};

// Of an op of kind collective. Where a recording does not say the group, as many ranks as its operands show; else it is
// taken to be so large that a part of it is nothing.
LinkBytes link_bytes(const Launch& op);

// Of an op of kind collective; of 0 ranks where it is a recording's own, which does not say it.
inline ProcessGroup group_of(const Op& op) {
  return is_recorded(op.kernel) ? ProcessGroup{GroupAxis::world, 0, 0, 1} : group_of(op.params.data());
}

// All of one kind in a run.
struct Communication {
  std::string name;  // "c10d.alltoall_"
  ProcessGroup group;
  Count calls = 0, sent = 0, received = 0;
};

// Which of `all` an op belongs to; all.size(): none.
size_t index_of(const std::vector<Communication>& all, const Trace& trace, const Op& op);

// Of a traced run, in the order of their first calls; ops of stages with ranks of their own are not told apart.
std::vector<Communication> communication_of(const Trace& trace);

}  // namespace modelmeter
