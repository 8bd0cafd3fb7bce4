// What one kernel costs, from the shapes of its operands: the lists of factors of op_factors.h, multiplied.
//
// Two FLOP conventions, always named in the output:
//   torch  what torch.utils.flop_counter.FlopCounterMode counts: matrix products, convolutions and attention,
//          2 per multiply-add, nothing else.
//   full   all arithmetic: tensor + vector. `tensor` is the work of matrix units (the same figure as torch), `vector`
//          is everything else, by the number per element in trace/kernel.def.
// What matrix units do in a kernel that FlopCounterMode has no formula for (_grouped_mm in torch 2.15) is in `tensor`
// and `full` and not in `torch`. Bytes are those of an eager kernel: it reads the distinct elements of its distinct
// inputs and writes its outputs.
#pragma once

#include <cstdint>

#include "cost/op_factors.h"

namespace modelmeter {

struct OpCost {
  int64_t kernels = 0;  // 1, or 0 where none is launched and nothing else is counted
  int64_t flops_tensor = 0;
  int64_t flops_vector = 0;
  int64_t bytes_read = 0;
  int64_t bytes_written = 0;
  int64_t flops_unknown = 0;  // of flops_tensor: what FlopCounterMode has no formula for

  int64_t flops_torch() const { return flops_tensor - flops_unknown; }
};

// The cost of one execution, without an allocation. Error naming the count where it overflows 64 bits.
OpCost cost_of(const Launch& op);
// The same of a recorded op, from the bytes that were added up when it was recorded.
OpCost cost_of(const Trace& trace, const Op& op);

}  // namespace modelmeter
