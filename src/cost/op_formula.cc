#include "cost/op_formula.h"

#include <fmt/format.h>

#include "base/checked.h"
#include "base/error.h"

namespace modelmeter {
namespace {

struct Factor {
  const char* symbol;  // "" for one that is only written where it is not 1
  int64_t value;
};

Formula product(const std::vector<Factor>& factors) {
  Formula out;
  out.value = 1;
  for (const Factor& f : factors) {
    if (f.value == 1 && *f.symbol == '\0') continue;
    const std::string symbol = *f.symbol == '\0' ? std::to_string(f.value) : f.symbol;
    out.symbols += (out.symbols.empty() ? "" : " ") + symbol;
    out.numbers += (out.numbers.empty() ? "" : " x ") + std::to_string(f.value);
    out.value = checked_mul(out.value, f.value, "a formula");
  }
  return out;
}

// Elements and their size: "512 x 1280 x 2".
std::string tensor_bytes(const TensorMeta& meta) {
  const Shape& sizes = meta.sizes;
  std::string out;
  if (meta.bytes == meta.numel * size_of(meta.dtype)) {
    for (int64_t size : sizes) out += fmt::format("{} x ", size);
  } else {
    out = fmt::format("{} x ", meta.bytes / size_of(meta.dtype));  // the distinct elements of an expanded tensor
  }
  return out + std::to_string(size_of(meta.dtype));
}

void add(Formula& sum, const char* symbol, const TensorMeta& meta) {
  sum.symbols += (sum.symbols.empty() ? "" : " + ") + std::string(symbol);
  sum.numbers += (sum.numbers.empty() ? "" : " + ") + tensor_bytes(meta);
  sum.value = checked_add(sum.value, meta.bytes, "a formula");
}

Formula matmul(const Trace& trace, const Op& op) {
  if (op.kernel == Kernel::grouped_mm) {
    const Shape& rows = trace.input(op, 0).sizes;
    return product({{"2", 2}, {"rows", rows[0]}, {"k", rows[1]}, {"n", trace.input(op, 1).sizes[2]}});
  }
  const Shape& a = trace.input(op, op.inputs - 2).sizes;
  const Shape& b = trace.input(op, op.inputs - 1).sizes;
  const int rank = a.rank();
  if (rank == 3) return product({{"2", 2}, {"b", a[0]}, {"m", a[1]}, {"k", a[2]}, {"n", b[2]}});
  return product({{"2", 2}, {"m", a[rank - 2]}, {"k", a[rank - 1]}, {"n", b[rank - 1]}});
}

Formula convolution(const Trace& trace, const Op& op) {
  const Shape& out = trace.output(op, 0).sizes;
  std::vector<Factor> factors = {{"2", 2}, {"batch", out[0]}};
  static constexpr const char* out_names[] = {"t_out", "h_out", "w_out"};
  static constexpr const char* kernel_names[] = {"k_t", "k_h", "k_w"};
  const int dims = out.rank() - 2;
  for (int i = 0; i < dims; ++i) factors.push_back({out_names[3 - dims + i], out[2 + i]});
  const Shape& weight = trace.input(op, 1).sizes;
  factors.push_back({"c_out", weight[0]});
  factors.push_back({"c_in", weight[1]});
  for (int i = 0; i < dims; ++i) factors.push_back({kernel_names[3 - dims + i], weight[2 + i]});
  return product(factors);
}

Formula attention(const Trace& trace, const Op& op, bool vector) {
  const Shape& q = trace.input(op, 0).sizes;
  const Shape& v = trace.input(op, 2).sizes;
  const int heads_dim = op.kernel == Kernel::flash_attention_forward && q.rank() == 4 ? 2 : 1;
  std::vector<Factor> factors = {{vector ? "6" : "2", vector ? 6 : 2},
                                 {"batch", op.params[0]},
                                 {"heads", q[heads_dim]},
                                 {"queries", op.params[1]},
                                 {"keys", op.params[2]}};
  if (!vector) factors.push_back({"(d_qk + d_v)", q[q.rank() - 1] + v[v.rank() - 1]});
  return product(factors);
}

Formula elementwise(const Trace& trace, const Op& op) {
  const KernelInfo& kernel = info(op.kernel);
  const TensorMeta& basis = kernel.basis == Basis::output ? trace.output(op, 0) : trace.input(op, 0);
  const int64_t each = kernel.vector_flops * (is_complex(basis.dtype) ? 6 : 1);
  std::vector<Factor> factors = {{"", each}};
  for (int64_t size : basis.sizes) factors.push_back({"", size});
  Formula out = product(factors);
  out.symbols = each == 1 ? "elements" : fmt::format("{} elements", each);
  if (out.numbers.empty()) out.numbers = "1";
  return out;
}

Formula read(const Trace& trace, const Op& op) {
  Formula out;
  const Reads reads = info(op.kernel).reads;
  if (reads == Reads::none) return out;
  for (int i = reads == Reads::all ? 0 : 1; i < op.inputs; ++i) {
    const TensorMeta& input = trace.input(op, i);
    bool seen = false;
    for (int j = 0; j < i && !seen; ++j) seen = trace.input(op, j).same_as(input);
    if (!seen && input.bytes > 0) add(out, "input", input);
  }
  if (reads == Reads::gathered) add(out, "gathered", trace.output(op, 0));
  return out;
}

Formula written(const Trace& trace, const Op& op) {
  Formula out;
  for (int i = 0; i < op.outputs; ++i) {
    if (trace.output(op, i).bytes > 0) add(out, "output", trace.output(op, i));
  }
  return out;
}

void check(const Formula& formula, int64_t counted, const Op& op) {
  if (formula.value == counted) return;
  throw Error(ErrorCode::internal, fmt::format("the formula of {} comes to {}, not {}: {}", info(op.kernel).name,
                                               formula.value, counted, formula.numbers));
}

}  // namespace

OpFormula formula_of(const Trace& trace, const Op& op) {
  OpFormula out;
  if (!launches(trace, op)) return out;
  const KernelInfo& kernel = info(op.kernel);
  const OpCost cost = cost_of(trace, op);
  if (kernel.kind == OpKind::matmul) out.tensor_flops = matmul(trace, op);
  if (kernel.kind == OpKind::conv) out.tensor_flops = convolution(trace, op);
  if (kernel.kind == OpKind::attention) {
    out.tensor_flops = attention(trace, op, false);
    out.vector_flops = attention(trace, op, true);
  } else if (kernel.vector_flops != 0) {
    out.vector_flops = elementwise(trace, op);
  }
  out.read = read(trace, op);
  out.written = written(trace, op);
  check(out.tensor_flops, cost.flops_tensor, op);
  check(out.vector_flops, cost.flops_vector, op);
  check(out.read, cost.bytes_read, op);
  check(out.written, cost.bytes_written, op);
  return out;
}

}  // namespace modelmeter
