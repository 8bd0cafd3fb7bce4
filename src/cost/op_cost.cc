#include "cost/op_cost.h"

#include "base/checked.h"

namespace modelmeter {
namespace {

template <class... Factors>
int64_t product(const char* what, int64_t first, Factors... factors) {
  ((first = checked_mul(first, factors, what)), ...);
  return first;
}

constexpr char flops[] = "the number of FLOPs";
constexpr char bytes[] = "the number of bytes moved";

// sequences, heads, query length, key length, and both head sizes.
struct AttentionSizes {
  int64_t sequences, heads, queries, keys, head_qk, head_v;
};

AttentionSizes attention_sizes(const Trace& trace, const Op& op) {
  const Shape& q = trace.input(op, 0).sizes;
  const Shape& v = trace.input(op, 2).sizes;
  // [b, h, s, d] and [total, h, d]; flash_attn_func has [b, s, h, d]
  const int heads_dim = op.kernel == Kernel::flash_attention_forward && q.rank() == 4 ? 2 : 1;
  return {op.params[0], q[heads_dim], op.params[1], op.params[2], q[q.rank() - 1], v[v.rank() - 1]};
}

}  // namespace

int64_t matmul_flops(const Trace& trace, const Op& op) {
  // The last two inputs are the factors; a bias comes first.
  const Shape& a = trace.input(op, op.inputs - 2).sizes;
  const Shape& b = trace.input(op, op.inputs - 1).sizes;
  const int rank = a.rank();
  const int64_t batch = rank == 3 ? a[0] : 1;
  return product(flops, 2, batch, a[rank - 2], a[rank - 1], b[rank - 1]);
}

int64_t grouped_mm_flops(const Trace& trace, const Op& op) {
  return product(flops, 2, trace.input(op, 0).numel, trace.input(op, 1).sizes[2]);
}

int64_t conv_flops(const Trace& trace, const Op& op) {
  const TensorMeta& weight = trace.input(op, 1);
  const Shape& out = trace.output(op, 0).sizes;
  int64_t positions = 1;
  for (int i = 2; i < out.rank(); ++i) positions = product(flops, positions, out[i]);
  return product(flops, 2, out[0], positions, weight.numel);
}

int64_t attention_flops(const Trace& trace, const Op& op) {
  const AttentionSizes s = attention_sizes(trace, op);
  return product(flops, 2, s.sequences, s.heads, s.queries, s.keys, s.head_qk + s.head_v);
}

int64_t attention_vector_flops(const Trace& trace, const Op& op) {
  const AttentionSizes s = attention_sizes(trace, op);
  return product(flops, 6, s.sequences, s.heads, s.queries, s.keys);
}

int64_t bytes_read(const Trace& trace, const Op& op) {
  const Reads reads = info(op.kernel).reads;
  if (reads == Reads::none) return 0;
  int64_t total = 0;
  for (int i = reads == Reads::all ? 0 : 1; i < op.inputs; ++i) {
    const TensorMeta& input = trace.input(op, i);
    bool seen = false;
    for (int j = 0; j < i && !seen; ++j) seen = trace.input(op, j).same_as(input);
    if (!seen) total = checked_add(total, input.bytes, bytes);
  }
  if (reads == Reads::gathered) {
    const TensorMeta& out = trace.output(op, 0);
    total = checked_add(total, out.bytes, bytes);
  }
  return total;
}

int64_t bytes_written(const Trace& trace, const Op& op) {
  if (info(op.kernel).kind == OpKind::allocate) return 0;
  int64_t total = 0;
  for (int i = 0; i < op.outputs; ++i) total = checked_add(total, trace.output(op, i).bytes, bytes);
  return total;
}

bool launches(const Trace& trace, const Op& op) {
  if (info(op.kernel).kind == OpKind::allocate) return false;
  for (int i = 0; i < op.outputs; ++i) {
    if (trace.output(op, i).numel > 0) return true;
  }
  return false;
}

OpCost cost_of(const Trace& trace, const Op& op) {
  const KernelInfo& kernel = info(op.kernel);
  OpCost cost;
  if (!launches(trace, op)) return cost;
  if (op.kernel == Kernel::grouped_mm) {
    cost.flops_tensor = cost.flops_unknown = grouped_mm_flops(trace, op);
  } else if (kernel.kind == OpKind::matmul) {
    cost.flops_tensor = matmul_flops(trace, op);
  }
  if (kernel.kind == OpKind::conv) cost.flops_tensor = conv_flops(trace, op);
  if (kernel.kind == OpKind::attention) {
    cost.flops_tensor = attention_flops(trace, op);
    cost.flops_vector = attention_vector_flops(trace, op);
  } else if (kernel.vector_flops != 0) {
    const TensorMeta& basis = kernel.basis == Basis::output ? trace.output(op, 0) : trace.input(op, 0);
    cost.flops_vector = product(flops, basis.numel, kernel.vector_flops * (is_complex(basis.dtype) ? 6 : 1));
  }
  cost.bytes_read = bytes_read(trace, op);
  cost.bytes_written = bytes_written(trace, op);
  return cost;
}

}  // namespace modelmeter
