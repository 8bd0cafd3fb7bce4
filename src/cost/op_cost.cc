#include "cost/op_cost.h"

#include "base/checked.h"
#include "cost/recorded_cost.h"

namespace modelmeter {
namespace {

struct Sum {
  int64_t value = 0;

  void recorded(int64_t bytes) { value = bytes; }
  void add(const char*, const TensorMeta& meta) { value = checked_add(value, meta.bytes, "the number of bytes moved"); }
};

struct Counted {
  CountedProduct tensor, vector;
  Sum read, written;
};

// Whether torch.utils.flop_counter has a formula for it: not for grouped products nor for what libraries add.
bool counted_by_torch(Kernel kernel) {
  switch (kernel) {
    case Kernel::grouped_mm:
    case Kernel::fp8_block_matmul:
    case Kernel::weight_int4pack_mm:
    case Kernel::marlin_gemm:
    case Kernel::gemm_4bit:
    case Kernel::int8_linear_matmul: return false;
    default: return true;
  }
}

}  // namespace

OpCost cost_of(const Launch& op) {
  OpCost cost;
  if (!launches(op)) return cost;
  Counted counted;
  list_factors(op, counted);
  cost.kernels = 1;
  cost.flops_tensor = counted.tensor.value;
  cost.flops_vector = counted.vector.value;
  cost.bytes_read = counted.read.value;
  cost.bytes_written = counted.written.value;
  if (!counted_by_torch(op.kernel)) cost.flops_unknown = cost.flops_tensor;
  return cost;
}

OpCost cost_of(const Trace& trace, const Op& op) { return recorded_cost(trace, op); }

int64_t partly_read(const Launch& op, Reads reads) {
  Sum read;
  read_terms(op, reads, read);
  return read.value;
}

void count_matrix_work(const Launch& op, OpKind kind, OpCost& cost) {
  CountedProduct tensor, vector;
  tensor_factors(op, kind, tensor);
  cost.flops_tensor = tensor.value;
  if (!counted_by_torch(op.kernel)) cost.flops_unknown = tensor.value;
  if (kind != OpKind::attention) return;
  softmax_of_scores_factors(op, vector);
  cost.flops_vector = vector.value;
}

}  // namespace modelmeter
