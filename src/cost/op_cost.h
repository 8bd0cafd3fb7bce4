// What one kernel costs, from the shapes of its operands. One function per kind of op; layers carry no formula.
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

#include "trace/trace.h"

namespace modelmeter {

struct OpCost {
  int64_t flops_tensor = 0;
  int64_t flops_vector = 0;
  int64_t bytes_read = 0;
  int64_t bytes_written = 0;
  int64_t flops_unknown = 0;  // of flops_tensor: what FlopCounterMode has no formula for

  int64_t flops_torch() const { return flops_tensor - flops_unknown; }
};

// Whether the device runs a kernel for it: not where memory is only taken (empty and its kin), nor where the result has
// no elements (torch's functions return before they launch).
bool launches(const Trace& trace, const Op& op);

// The cost of one execution. Error naming the count where it overflows 64 bits.
OpCost cost_of(const Trace& trace, const Op& op);

// The parts of it, by kind.
int64_t matmul_flops(const Trace& trace, const Op& op);            // 2 m n k, times the batch
int64_t grouped_mm_flops(const Trace& trace, const Op& op);        // 2 rows k n, whatever the groups
int64_t conv_flops(const Trace& trace, const Op& op);              // 2 x batch x output positions x weight elements
int64_t attention_flops(const Trace& trace, const Op& op);         // 2 x sequences x heads x sq x sk x (d + dv)
int64_t attention_vector_flops(const Trace& trace, const Op& op);  // softmax of the scores, 5 each, and the scale
int64_t bytes_read(const Trace& trace, const Op& op);
int64_t bytes_written(const Trace& trace, const Op& op);

}  // namespace modelmeter
