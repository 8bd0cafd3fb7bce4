// What a kernel costs, as lists of factors: one function per kind of op, and the only place where a cost formula
// stands. Layers carry none. Each list is read twice: op_cost.cc multiplies it, op_formula.cc writes it out.
//
// A reader is any type with products `tensor` and `vector` (FLOPs of matrix units, all others) and sums `read` and
// `written` (bytes). A product takes
//   each(n)                   begins it: n FLOPs for each combination of what follows
//   factor(symbol, size)      times a size
//   elements(symbol, tensor)  times the elements of a tensor
// and a sum takes add(symbol, tensor), the bytes of its distinct elements, or recorded(bytes), which are all.
#pragma once

#include <cstdint>

#include "trace/trace.h"

namespace modelmeter {

// A kernel with its operands, inputs first: all that its cost depends on.
struct Launch {
  Kernel kernel;
  int inputs, outputs;
  const TensorMeta* const* operands;
  const int64_t* params;                     // Op::params
  const RecordedKernel* recorded = nullptr;  // of a recorded kernel

  const TensorMeta& input(int i) const { return *operands[i]; }
  const TensorMeta& output(int i) const { return *operands[inputs + i]; }
};

inline Launch launch_of(const Trace& trace, const Op& op) {
  return {op.kernel,        op.inputs,
          op.outputs,       trace.operands.data() + op.operands,
          op.params.data(), trace.recorded_kernel(op)};
}

// Whether the device runs a kernel for it: not where memory is only taken (empty and its kin), nor where the result has
// no elements (torch's functions return before they launch). What only sends has no result.
inline bool launches(const Launch& op) {
  if (op.recorded != nullptr) return true;
  if (info(op.kernel).kind == OpKind::allocate) return false;
  if (op.outputs == 0) return op.inputs > 0 && info(op.kernel).kind == OpKind::collective;
  for (int i = 0; i < op.outputs; ++i) {
    if (op.output(i).numel > 0) return true;
  }
  return false;
}
inline bool launches(const Trace& trace, const Op& op) { return launches(launch_of(trace, op)); }

// [m, k] x [k, n], times the batch. The last two inputs are the factors, the second maybe packed; what comes before is
// a bias or the scales of a packed one.
template <class Product>
void matmul_factors(const Launch& op, Product& flops) {
  const Shape& a = op.input(op.inputs - 2).sizes;
  const Shape& out = op.output(0).sizes;
  const int rank = a.rank();
  flops.each(2);
  if (rank == 3) flops.factor("b", a[0]);
  flops.factor("m", a[rank - 2]);
  flops.factor("k", a[rank - 1]);
  flops.factor("n", out[rank - 1]);
}

// Each row is multiplied once, whatever the groups: [rows, k] x [groups, k, n].
template <class Product>
void grouped_mm_factors(const Launch& op, Product& flops) {
  const Shape& rows = op.input(0).sizes;
  flops.each(2);
  flops.factor("rows", rows[0]);
  flops.factor("k", rows[1]);
  flops.factor("n", op.input(1).sizes[2]);
}

// Output positions times elements of the weight [c_out, c_in / groups, kernel].
template <class Product>
void conv_factors(const Launch& op, Product& flops) {
  static constexpr const char* positions[] = {"t_out", "h_out", "w_out"};
  static constexpr const char* kernel[] = {"k_t", "k_h", "k_w"};
  const Shape& out = op.output(0).sizes;
  const Shape& weight = op.input(1).sizes;
  const int dims = out.rank() - 2;
  flops.each(2);
  flops.factor("batch", out[0]);
  for (int i = 0; i < dims; ++i) flops.factor(positions[3 - dims + i], out[2 + i]);
  flops.factor("c_out", weight[0]);
  flops.factor("c_in", weight[1]);
  for (int i = 0; i < dims; ++i) flops.factor(kernel[3 - dims + i], weight[2 + i]);
}

// One factor for each score. Parameters: sequences, longest query, longest key.
template <class Product>
void score_factors(const Launch& op, Product& flops) {
  const Shape& q = op.input(0).sizes;
  // [b, h, s, d] and [total, h, d]; flash_attn_func has [b, s, h, d]
  const int heads_dim = op.kernel == Kernel::flash_attention_forward && q.rank() == 4 ? 2 : 1;
  flops.factor("batch", op.params[0]);
  flops.factor("heads", q[heads_dim]);
  flops.factor("queries", op.params[1]);
  flops.factor("keys", op.params[2]);
}

// Two matrix products: queries by keys, scores by values.
template <class Product>
void attention_factors(const Launch& op, Product& flops) {
  const Shape& q = op.input(0).sizes;
  const Shape& v = op.input(2).sizes;
  flops.each(2);
  score_factors(op, flops);
  flops.factor("(d_qk + d_v)", q[q.rank() - 1] + v[v.rank() - 1]);
}

// The scale and the softmax (5) of each score.
template <class Product>
void softmax_of_scores_factors(const Launch& op, Product& flops) {
  flops.each(6);
  score_factors(op, flops);
}

// The number per element in trace/kernel.def, six times that for complex numbers; of a generated kernel the sum of what
// it is made of.
template <class Product>
void element_factors(const Launch& op, const KernelInfo& kernel, Product& flops) {
  if (kernel.basis == Basis::listed) {
    flops.each(kernel.vector_flops);
    flops.factor("of its parts", op.params[0]);
    return;
  }
  const TensorMeta& basis = kernel.basis == Basis::output ? op.output(0) : op.input(0);
  flops.each(kernel.vector_flops * (is_complex(basis.dtype) ? 6 : 1));
  flops.elements("elements", basis);
}

// An eager kernel reads the distinct elements of its distinct inputs; a gather only what it returns of its first.
template <class Sum>
void read_terms(const Launch& op, Reads reads, Sum& bytes) {
  if (reads == Reads::none) return;
  for (int i = reads == Reads::all ? 0 : 1; i < op.inputs; ++i) {
    const TensorMeta& input = op.input(i);
    bool seen = false;
    for (int j = 0; j < i && !seen; ++j) seen = op.input(j).same_as(input);
    if (!seen) bytes.add("input", input);
  }
  if (reads == Reads::gathered) bytes.add("gathered", op.output(0));
}

template <class Sum>
void written_terms(const Launch& op, Sum& bytes) {
  for (int i = 0; i < op.outputs; ++i) bytes.add("output", op.output(i));
}

// What matrix units do: nothing in most kernels.
inline bool runs_on_matrix_units(OpKind kind) {
  return kind == OpKind::matmul || kind == OpKind::conv || kind == OpKind::attention;
}
template <class Product>
void tensor_factors(const Launch& op, OpKind kind, Product& flops) {
  if (kind == OpKind::conv) return conv_factors(op, flops);
  if (kind == OpKind::attention) return attention_factors(op, flops);
  op.kernel == Kernel::grouped_mm ? grouped_mm_factors(op, flops) : matmul_factors(op, flops);
}

// A recording's own figures.
template <class Reader>
void list_recorded(const RecordedKernel& kernel, Reader& out) {
  if (kernel.flops_tensor != 0) out.tensor.each(kernel.flops_tensor);
  if (kernel.flops_vector != 0) out.vector.each(kernel.flops_vector);
  out.read.recorded(kernel.read);
  out.written.recorded(kernel.written);
}

// All that a kernel costs, of one that is launched.
template <class Reader>
void list_factors(const Launch& op, Reader& out) {
  if (op.recorded != nullptr) return list_recorded(*op.recorded, out);
  const KernelInfo& kernel = info(op.kernel);
  if (runs_on_matrix_units(kernel.kind)) tensor_factors(op, kernel.kind, out.tensor);
  if (kernel.kind == OpKind::attention) softmax_of_scores_factors(op, out.vector);
  if (kernel.vector_flops != 0) element_factors(op, kernel, out.vector);
  read_terms(op, kernel.reads, out.read);
  written_terms(op, out.written);
}

}  // namespace modelmeter
