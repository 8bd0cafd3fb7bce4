// The cost of a recorded op, inlined for the pass over all of them (rollup.cc); others call cost_of().
//
// What most kernels count is added up when they are recorded or is one product: it is here. The rest is read off the
// lists of op_factors.h in functions that are called, so that the numbers here stay in registers.
#pragma once

#include "base/checked.h"
#include "cost/op_cost.h"

namespace modelmeter {

// A product of op_factors.h that is multiplied.
struct CountedProduct {
  int64_t value = 0;

  void each(int64_t n) { value = n; }
  void factor(const char*, int64_t size) { value = checked_mul(value, size, "the number of FLOPs"); }
  void elements(const char*, const TensorMeta& meta) { factor("", meta.numel); }
};

// What a recording says of its kernel.
inline void add_recorded(const RecordedKernel& kernel, OpCost& cost) {
  cost.flops_tensor = kernel.flops_tensor;
  cost.flops_vector = kernel.flops_vector;
  cost.bytes_read = kernel.read;
  cost.bytes_written = kernel.written;
}

// Bytes read by a kernel that does not read all of its inputs.
int64_t partly_read(const Launch& op, Reads reads);
// FLOPs of a kernel that runs on matrix units.
void count_matrix_work(const Launch& op, OpKind kind, OpCost& cost);

inline OpCost recorded_cost(const Trace& trace, const Op& op) {
  OpCost cost;
  const KernelInfo& kernel = info(op.kernel);
  if (kernel.kind == OpKind::allocate) return cost;
  if (op.output_bytes == 0 && !launches(trace, op)) return cost;
  cost.kernels = 1;
  if (kernel.basis == Basis::recorded) {
    add_recorded(*trace.recorded_kernel(op), cost);
    return cost;
  }
  cost.bytes_read = kernel.reads == Reads::all ? op.input_bytes : partly_read(launch_of(trace, op), kernel.reads);
  cost.bytes_written = op.output_bytes;
  if (runs_on_matrix_units(kernel.kind)) count_matrix_work(launch_of(trace, op), kernel.kind, cost);
  if (kernel.vector_flops != 0) {
    CountedProduct vector;
    element_factors(launch_of(trace, op), kernel, vector);
    cost.flops_vector = vector.value;
  }
  return cost;
}

}  // namespace modelmeter
