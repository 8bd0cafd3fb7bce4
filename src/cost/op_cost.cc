#include "cost/op_cost.h"

#include "base/checked.h"

namespace modelmeter {
namespace {

struct Product {
  int64_t value = 0;

  void each(int64_t n) { value = n; }
  void factor(const char*, int64_t size) { value = checked_mul(value, size, "the number of FLOPs"); }
  void elements(const char*, const TensorMeta& meta) { factor("", meta.numel); }
};

struct Sum {
  int64_t value = 0;

  void add(const char*, const TensorMeta& meta) { value = checked_add(value, meta.bytes, "the number of bytes moved"); }
};

struct Counted {
  Product tensor, vector;
  Sum read, written;
};

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
  if (op.kernel == Kernel::grouped_mm) cost.flops_unknown = cost.flops_tensor;
  return cost;
}

}  // namespace modelmeter
