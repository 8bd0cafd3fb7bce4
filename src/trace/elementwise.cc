// torch's elementwise functions and the stride and type rules of TensorIterator (aten/src/ATen/TensorIterator.cpp).
#include <algorithm>

#include "trace/functional.h"

namespace modelmeter::torch {
namespace {

enum class Category { boolean, integer, floating, complex };

Category category(DType dtype) {
  if (dtype == DType::boolean) return Category::boolean;
  if (is_complex(dtype)) return Category::complex;
  return is_floating_point(dtype) ? Category::floating : Category::integer;
}

DType floating_result(DType dtype) { return is_floating_point(dtype) || is_complex(dtype) ? dtype : DType::float32; }

bool broadcasts_to(const Shape& from, const Shape& to) {
  const int shift = to.rank() - from.rank();
  if (shift < 0) return false;
  for (int i = 0; i < from.rank(); ++i) {
    if (from[i] != to[i + shift] && from[i] != 1) return false;
  }
  return true;
}

// The strides of an elementwise operand, one for each dimension of the result: 0 where the operand is broadcast.
void operand_strides(const Tensor& x, int rank, Shape& out) {
  const Shape own = x.strides();
  const int shift = rank - x.dim();
  for (int d = 0; d < shift; ++d) out.push_back(0);
  for (int d = shift; d < rank; ++d) out.push_back(x.sizes()[d - shift] == 1 ? 0 : own[d - shift]);
}

}  // namespace

DType result_type(const Tensor& a, const Tensor& b) {
  if ((a.dim() == 0) == (b.dim() == 0)) return promote_types(a.dtype(), b.dtype());
  const Tensor& scalar = a.dim() == 0 ? a : b;
  const Tensor& array = a.dim() == 0 ? b : a;
  return category(scalar.dtype()) > category(array.dtype()) ? promote_types(a.dtype(), b.dtype()) : array.dtype();
}

const Shape& elementwise_sizes(const Tensor& a, const Tensor& b, Shape& broadcast) {
  if (broadcasts_to(b.sizes(), a.sizes())) return a.sizes();
  if (broadcasts_to(a.sizes(), b.sizes())) return b.sizes();
  return broadcast = modelmeter::broadcast(a.sizes(), b.sizes());
}

Shape elementwise_strides(const Shape& sizes, std::initializer_list<const Tensor*> operands) {
  if (std::all_of(operands.begin(), operands.end(), [](const Tensor* x) { return x->is_contiguous(); })) {
    return contiguous_strides(sizes);
  }
  const int rank = sizes.rank();
  constexpr size_t most = 3;  // operands: those of `where`
  Shape seen[most];
  size_t n = 0;
  for (const Tensor* x : operands) operand_strides(*x, rank, seen[n++]);
  // Insertion sort of the dimensions, fastest first, by the first operand that tells two of them apart.
  int order[Shape::max_rank];
  for (int i = 0; i < rank; ++i) order[i] = rank - 1 - i;
  auto compare = [&](int a, int b) {  // 1: a is slower than b; -1: faster; 0: no operand knows
    for (size_t k = 0; k < n; ++k) {
      const int64_t stride_a = seen[k][a];
      const int64_t stride_b = seen[k][b];
      if (stride_a == 0 || stride_b == 0) continue;
      if (stride_a != stride_b) return stride_a < stride_b ? -1 : 1;
      if (sizes[a] > sizes[b]) return 1;
    }
    return 0;
  };
  for (int i = 1; i < rank; ++i) {
    int at = i;
    for (int before = i - 1; before >= 0; --before) {
      const int c = compare(order[before], order[at]);
      if (c > 0) {
        std::swap(order[before], order[at]);
        at = before;
      } else if (c < 0) {
        break;
      }
    }
  }
  Shape strides = sizes;
  int64_t step = 1;
  for (int i = 0; i < rank; ++i) {
    strides[order[i]] = step;
    step *= std::max<int64_t>(sizes[order[i]], 1);
  }
  return strides;
}

namespace {

Tensor unary_to(Kernel kernel, Tensor x, DType dtype) {
  Tracer& tracer = x.tracer();
  Tensor out = x.is_contiguous() ? tracer.allocate_like(x, dtype)
                                 : tracer.allocate(x.sizes(), elementwise_strides(x.sizes(), {&x}), dtype);
  tracer.record(kernel, {&x}, {&out});
  x.reset();
  return out;
}

}  // namespace

Tensor unary(Kernel kernel, Tensor x) {
  const DType dtype = floating_result(x.dtype());
  return unary_to(kernel, std::move(x), dtype);
}

Tensor unary_same(Kernel kernel, Tensor x) {
  const DType dtype = x.dtype();
  return unary_to(kernel, std::move(x), dtype);
}

Tensor unary_(Kernel kernel, Tensor x) {
  x.tracer().record_in_place(kernel, {&x});
  return x;
}

Tensor compare(Kernel kernel, Tensor a) { return unary_to(kernel, std::move(a), DType::boolean); }

Tensor binary(Kernel kernel, Tensor a, Tensor b) {
  Tracer& tracer = a.tracer();
  DType dtype = a.dtype() == b.dtype() ? a.dtype() : result_type(a, b);
  if (kernel == Kernel::div) dtype = floating_result(dtype);
  Shape broadcast;
  const Shape& sizes = elementwise_sizes(a, b, broadcast);
  const bool like_a = &sizes == &a.sizes();
  // The first operand decides where it is not broadcast.
  const bool contiguous = a.is_contiguous() && (b.is_contiguous() || like_a);
  Tensor out = !contiguous ? tracer.allocate(sizes, elementwise_strides(sizes, {&a, &b}), dtype)
               : like_a    ? tracer.allocate_like(a, dtype)
                           : tracer.allocate(sizes, dtype);
  tracer.record(kernel, {&a, &b}, {&out});
  a.reset();
  b.reset();
  return out;
}

Tensor binary_(Kernel kernel, Tensor a, Tensor b) {
  a.tracer().record_in_place(kernel, {&a, &b});
  b.reset();
  return a;
}

Tensor pow(Tensor x, double) { return unary(Kernel::pow, autocast_float32(std::move(x))); }
Tensor pow(int64_t, Tensor exponent) {
  exponent = autocast_float32(std::move(exponent));
  Tensor base = fill_(empty({}, DType::int64));
  return binary(Kernel::pow, std::move(base), std::move(exponent));
}
Tensor rsqrt(Tensor x) { return unary(Kernel::rsqrt, autocast_float32(std::move(x))); }
Tensor exp(Tensor x) { return unary(Kernel::exp, autocast_float32(std::move(x))); }
Tensor log(Tensor x) { return unary(Kernel::log, autocast_float32(std::move(x))); }

Tensor where(Tensor condition, Tensor a, Tensor b) {
  Tracer& tracer = condition.tracer();
  const Shape sizes = broadcast(broadcast(condition.sizes(), a.sizes()), b.sizes());
  Tensor out = tracer.allocate(sizes, elementwise_strides(sizes, {&condition, &a, &b}), result_type(a, b));
  tracer.record(Kernel::where, {&condition, &a, &b}, {&out});
  condition.reset();
  a.reset();
  b.reset();
  return out;
}

Tensor compare(Kernel kernel, Tensor a, Tensor b) {
  Tracer& tracer = a.tracer();
  const Shape sizes = broadcast(a.sizes(), b.sizes());
  Tensor out = tracer.allocate(sizes, elementwise_strides(sizes, {&a, &b}), DType::boolean);
  tracer.record(kernel, {&a, &b}, {&out});
  a.reset();
  b.reset();
  return out;
}

Tensor lt(Tensor a, Tensor b) { return compare(Kernel::lt, std::move(a), std::move(b)); }
Tensor ne(Tensor a, Tensor b) { return compare(Kernel::ne, std::move(a), std::move(b)); }

Tensor isin(Tensor elements, Tensor test_elements) {
  Tracer& tracer = elements.tracer();
  Tensor out = tracer.allocate(elements.sizes(), DType::boolean);
  tracer.record(Kernel::isin, {&elements, &test_elements}, {&out});
  elements.reset();
  test_elements.reset();
  return out;
}

Tensor masked_fill(Tensor x, Tensor mask) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate(broadcast(x.sizes(), mask.sizes()), x.dtype());
  tracer.record(Kernel::masked_fill, {&x, &mask}, {&out});
  x.reset();
  mask.reset();
  return out;
}

Tensor quick_gelu(Tensor x) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate(x.sizes(), tracer.context.autocast.enabled ? DType::float32 : x.dtype());
  tracer.record(Kernel::quick_gelu, {&x}, {&out});
  x.reset();
  return out;
}

Tensor outer(Tensor a, Tensor b) { return mul(a.view({a.size(0), 1}), std::move(b)); }

}  // namespace modelmeter::torch
