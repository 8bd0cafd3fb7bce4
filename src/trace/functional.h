// torch's functions on abstract tensors, by torch's names and with torch's semantics: type promotion, broadcasting,
// autocast, output strides. Each launches the kernels that eager PyTorch 2.15 launches on a CUDA device.
//
// Every function takes its tensors by value and lets them go before it returns: what Python would free when the call
// returns is freed then, although a C++ temporary would live on to the end of the full expression. C++ does not fix the
// order in which arguments are evaluated, so an expression launches kernels in at most one of its operands; write
// statements otherwise.
#pragma once

#include <optional>
#include <vector>

#include "trace/tensor.h"
#include "trace/tracer.h"

namespace modelmeter::torch {

// --- elementwise -----------------------------------------------------------------------------------------------------
Tensor unary(Kernel kernel, Tensor x);             // one floating-point result per element; integers become float32
Tensor unary_(Kernel kernel, Tensor x);            // in place; returns x
Tensor binary(Kernel kernel, Tensor a, Tensor b);  // broadcasts and promotes
Tensor unary_same(Kernel kernel, Tensor x);        // one result per element, of x's own type
Tensor compare(Kernel kernel, Tensor a);           // with a scalar; gives bool
Tensor compare(Kernel kernel, Tensor a, Tensor b);
Tensor binary_(Kernel kernel, Tensor a, Tensor b);  // a op= b; returns a

inline Tensor add(Tensor a, Tensor b) { return binary(Kernel::add, std::move(a), std::move(b)); }
inline Tensor sub(Tensor a, Tensor b) { return binary(Kernel::sub, std::move(a), std::move(b)); }
inline Tensor mul(Tensor a, Tensor b) { return binary(Kernel::mul, std::move(a), std::move(b)); }
inline Tensor div(Tensor a, Tensor b) { return binary(Kernel::div, std::move(a), std::move(b)); }
inline Tensor add_(Tensor a, Tensor b) { return binary_(Kernel::add_, std::move(a), std::move(b)); }
inline Tensor sub_(Tensor a, Tensor b) { return binary_(Kernel::sub_, std::move(a), std::move(b)); }
inline Tensor div_(Tensor a, Tensor b) { return binary_(Kernel::div_, std::move(a), std::move(b)); }
inline Tensor mul_(Tensor a, Tensor b) { return binary_(Kernel::mul_, std::move(a), std::move(b)); }

// With a Python scalar, whose value does not matter.
inline Tensor add(Tensor a, double) { return unary(Kernel::add, std::move(a)); }
inline Tensor sub(Tensor a, double) { return unary(Kernel::sub, std::move(a)); }
inline Tensor rsub(Tensor a, double) { return unary(Kernel::rsub, std::move(a)); }
inline Tensor mul(Tensor a, double) { return unary(Kernel::mul, std::move(a)); }
inline Tensor div(Tensor a, double) { return unary(Kernel::div, std::move(a)); }
inline Tensor eq(Tensor a, double) { return compare(Kernel::eq, std::move(a)); }
inline Tensor ge(Tensor a, double) { return compare(Kernel::ge, std::move(a)); }
inline Tensor gt(Tensor a, double) { return compare(Kernel::gt, std::move(a)); }
inline Tensor lt(Tensor a, double) { return compare(Kernel::lt, std::move(a)); }
inline Tensor mul_(Tensor a, double) { return unary_(Kernel::mul_, std::move(a)); }
inline Tensor add_(Tensor a, double) { return unary_(Kernel::add_, std::move(a)); }
// With a Python integer: integers stay integers.
inline Tensor add(Tensor a, int) { return unary_same(Kernel::add, std::move(a)); }
inline Tensor mul(Tensor a, int) { return unary_same(Kernel::mul, std::move(a)); }

// a // an integer, of a's own type.
inline Tensor floor_divide(Tensor a, int) { return unary_same(Kernel::floor_divide, std::move(a)); }

inline Tensor minimum(Tensor a, Tensor b) { return binary(Kernel::minimum, std::move(a), std::move(b)); }
inline Tensor bitwise_and(Tensor a, Tensor b) { return binary(Kernel::bitwise_and, std::move(a), std::move(b)); }
inline Tensor masked_fill_(Tensor x, Tensor m) { return binary_(Kernel::masked_fill_, std::move(x), std::move(m)); }

inline Tensor sub(Tensor a, int) { return unary_same(Kernel::sub, std::move(a)); }
inline Tensor rsub(Tensor a, int) { return unary_same(Kernel::rsub, std::move(a)); }
inline Tensor bitwise_or(Tensor a, Tensor b) { return binary(Kernel::bitwise_or, std::move(a), std::move(b)); }
inline Tensor bitwise_not(Tensor a) { return unary_same(Kernel::bitwise_not, std::move(a)); }
inline Tensor bitwise_and(Tensor a, int) { return unary_same(Kernel::bitwise_and, std::move(a)); }
inline Tensor bitwise_xor(Tensor a, int) { return unary_same(Kernel::bitwise_xor, std::move(a)); }
inline Tensor lshift(Tensor a, int) { return unary_same(Kernel::lshift, std::move(a)); }
inline Tensor rshift(Tensor a, int) { return unary_same(Kernel::rshift, std::move(a)); }
inline Tensor rshift(Tensor a, Tensor b) { return binary(Kernel::rshift, std::move(a), std::move(b)); }
inline Tensor eq(Tensor a, Tensor b) { return compare(Kernel::eq, std::move(a), std::move(b)); }
inline Tensor le(Tensor a, Tensor b) { return compare(Kernel::le, std::move(a), std::move(b)); }
Tensor lt(Tensor a, Tensor b);
Tensor ne(Tensor a, Tensor b);
Tensor isin(Tensor elements, Tensor test_elements);  // bool, of elements' sizes
Tensor masked_fill(Tensor x, Tensor mask);
Tensor quick_gelu(Tensor x);  // x sigmoid(1.702 x), scripted and fused: under autocast the result is float32

inline Tensor abs(Tensor x) { return unary_same(Kernel::abs, std::move(x)); }
inline Tensor neg(Tensor x) { return unary(Kernel::neg, std::move(x)); }
inline Tensor cos(Tensor x) { return unary(Kernel::cos, std::move(x)); }
inline Tensor sin(Tensor x) { return unary(Kernel::sin, std::move(x)); }
inline Tensor expm1(Tensor x) { return unary(Kernel::expm1, std::move(x)); }
inline Tensor reciprocal(Tensor x) { return unary(Kernel::reciprocal, std::move(x)); }
inline Tensor silu(Tensor x) { return unary(Kernel::silu, std::move(x)); }
inline Tensor silu_(Tensor x) { return unary_(Kernel::silu_, std::move(x)); }
inline Tensor gelu(Tensor x) { return unary(Kernel::gelu, std::move(x)); }
inline Tensor clamp(Tensor x) { return unary(Kernel::clamp, std::move(x)); }
inline Tensor clamp_(Tensor x) { return unary_(Kernel::clamp_, std::move(x)); }
inline Tensor clamp_min(Tensor x) { return unary(Kernel::clamp_min, std::move(x)); }
inline Tensor sqrt(Tensor x) { return unary(Kernel::sqrt, std::move(x)); }
inline Tensor tanh(Tensor x) { return unary(Kernel::tanh, std::move(x)); }
inline Tensor sigmoid(Tensor x) { return unary(Kernel::sigmoid, std::move(x)); }
Tensor pow(Tensor x, double exponent);      // autocasts to float32
Tensor pow(int64_t base, Tensor exponent);  // a Python integer, put on the device first
Tensor rsqrt(Tensor x);
Tensor exp(Tensor x);
Tensor log(Tensor x);
Tensor where(Tensor condition, Tensor a, Tensor b);
Tensor outer(Tensor a, Tensor b);  // a broadcast product: [n], [m] -> [n, m]

// --- reductions ------------------------------------------------------------------------------------------------------
Tensor mean(Tensor x, int dim, bool keepdim);
Tensor sum(Tensor x, int dim, bool keepdim);
Tensor all(Tensor x, int dim, bool keepdim);
Tensor sum(Tensor x);  // over all elements, as any and all below; under autocast narrow types are summed to float32
Tensor any(Tensor x);
Tensor all(Tensor x);
Tensor max(Tensor x);
Tensor cumsum(Tensor x, int dim, DType dtype);
Tensor histc(Tensor x, int64_t bins);  // how many elements fall into each, of x's own type
Tensor softmax(Tensor x, int dim, std::optional<DType> dtype = std::nullopt);

// --- matrix products, convolution, attention -------------------------------------------------------------------------
Tensor linear(Tensor x, Tensor weight, Tensor bias);  // x [..., in], weight [out, in], bias [out] or undefined
Tensor matmul(Tensor a, Tensor b);                    // batched; both of at least two dimensions
// Of the rows up to offsets[i] by the i-th matrix: x [rows, k], weights [groups, k, n], offsets i32 [groups].
Tensor grouped_mm(Tensor x, Tensor weights, Tensor offsets);
Tensor linalg_solve(Tensor a, Tensor b);  // a [n, n], b [n]
struct ConvParams {
  Shape stride, padding, dilation;  // one number per spatial dimension
  int64_t groups = 1;
};
// x [n, in, spatial...], weight [out, in / groups, kernel...], bias [out] or undefined
Tensor conv(Tensor x, Tensor weight, Tensor bias, const ConvParams& params);
Tensor conv3d(Tensor x, Tensor weight, Tensor bias, const Shape& stride, const Shape& padding = {0, 0, 0});
Tensor conv2d(Tensor x, Tensor weight, Tensor bias, const Shape& stride, const Shape& padding = {0, 0});
// q [b, h, sq, d], k and v [b, h, sk, d]; by the Tracer's attention kernel. A mask, broadcast to
// [b, h, sq, sk], is added to the scores if it has the type of q, or says which of them count if it is bool: the
// memory-efficient kernel runs then. `is_causal`, which goes with no mask, lets a query see the keys up to its own
// place; the math kernel's mask for it is not modelled (Error).
Tensor scaled_dot_product_attention(Tensor q, Tensor k, Tensor v, Tensor mask = Tensor(), bool is_causal = false);
// flash_attn's varlen function: q [sum of queries, h, d], k and v [sum of keys, h, d], offsets i32 [sequences + 1].
Tensor flash_attn_varlen_func(Tensor q, Tensor k, Tensor v, Tensor cu_seqlens_q, Tensor cu_seqlens_k,
                              int64_t max_seqlen_q, int64_t max_seqlen_k);
// flash_attn's function for sequences of one length: q [b, sq, h, d], k and v [b, sk, h, d]. `causal`: the last query
// sees all keys, each before it one less.
Tensor flash_attn_func(Tensor q, Tensor k, Tensor v, bool causal = false);

// --- normalisation ---------------------------------------------------------------------------------------------------
Tensor linalg_vector_norm(Tensor x, int dim);             // keeps the dimension
Tensor normalize(Tensor x, int dim);                      // x over its norm along a dimension
Tensor layer_norm(Tensor x, Tensor weight, Tensor bias);  // over the last dimension; weight and bias may be undefined
Tensor rms_norm(Tensor x, Tensor weight);                 // torch.nn.functional.rms_norm: one fused kernel

// --- copies, casts, layout -------------------------------------------------------------------------------------------
Tensor to(Tensor x, DType dtype);  // no kernel where it has that type
Tensor type_as(Tensor x, const Tensor& other);
Tensor to_device(Tensor x, DType dtype);      // from host memory
Tensor to_host(Tensor x);                     // .cpu()
Tensor contiguous(Tensor x);                  // no kernel where it is
Tensor repeat(Tensor x, const Shape& times);  // x.repeat(*times), as many as dimensions
Tensor clone(Tensor x);                       // keeps the strides of a dense tensor
Tensor repeat_interleave(Tensor x, int64_t repeats, int dim);
Tensor reshape(Tensor x, const Shape& sizes);  // a view where strides allow it, else a contiguous copy
Tensor flatten(Tensor x, int start, int end = -1);
Tensor cat(TensorList parts, int dim);  // where types differ, a copy_ of each part that has elements
Tensor stack(TensorList parts, int dim = 0);
Tensor copy_(Tensor target, Tensor source);
inline Tensor fill_(Tensor x, double) { return unary_(Kernel::fill_, std::move(x)); }  // with a number
// constant_pad_nd: `padding` is (before, after) of the last dimension, then of the one before it …;
// below 0 it cuts off. Where nothing is added it is a clone.
Tensor pad(Tensor x, std::initializer_list<int64_t> padding);

// --- gathers ---------------------------------------------------------------------------------------------------------
Tensor embedding(Tensor weight, Tensor ids);          // rows of weight [n, d]
Tensor index(Tensor x, Tensor rows, Tensor columns);  // x [n, m] at broadcast integer positions

Tensor index(Tensor x, Tensor rows);                      // x [n, ...] at rows of any shape: [rows..., ...]
Tensor index_put_(Tensor x, Tensor rows, Tensor values);  // x[rows] = values
Tensor scatter_(Tensor x, Tensor indices);                // a number to the indices of each row
Tensor masked_scatter_(Tensor x, Tensor mask, Tensor source);
Tensor masked_scatter(Tensor x, Tensor mask, Tensor source);  // on a copy of x
struct TopK {
  Tensor values, indices;
};
TopK topk(Tensor x, int64_t k);  // along the last dimension
struct Sorted {
  Tensor values, indices;
};
Sorted sort(Tensor x);
Tensor argsort(Tensor x);
Tensor argmax(Tensor x);                       // along the last dimension
Tensor nonzero(Tensor x, int64_t found);       // the places of so many elements: [found, dimensions]
Tensor index_fill_(Tensor x, Tensor indices);  // a number to these places along the first dimension

// --- resampling ------------------------------------------------------------------------------------------------------
Tensor upsample_nearest_exact2d(Tensor x, int64_t height, int64_t width);                  // x [n, c, h, w]
Tensor upsample_nearest_exact3d(Tensor x, int64_t frames, int64_t height, int64_t width);  // x [n, c, f, h, w]
Tensor upsample_bicubic2d(Tensor x, int64_t height, int64_t width);                        // x [n, c, h, w]
Tensor upsample_linear1d(Tensor x, int64_t size);                                          // x [n, c, l]
Tensor upsample_bicubic2d_aa(Tensor x, int64_t height, int64_t width);  // x [n, c, h, w], antialiased

// --- factories -------------------------------------------------------------------------------------------------------
Tensor zeros_like(Tensor x);
Tensor new_zeros(Tensor like, const Shape& sizes);
Tensor new_zeros(Tensor like, const Shape& sizes, DType dtype);
Tensor new_ones(Tensor like, const Shape& sizes);
Tensor new_ones(Tensor like, const Shape& sizes, DType dtype);
Tensor zeros(const Shape& sizes, DType dtype);
Tensor full(const Shape& sizes, DType dtype);
Tensor ones(const Shape& sizes, DType dtype);
Tensor ones_like(Tensor x);
Tensor full_like(Tensor x);
Tensor scalar_tensor(DType dtype);  // a Python number put on the device
Tensor arange(int64_t n, DType dtype);
Tensor empty(const Shape& sizes, DType dtype);
Tensor empty_like(Tensor x);
Tensor randn(const Shape& sizes, DType dtype);
Tensor fill_(Tensor x);

// --- rules that the functions above share ----------------------------------------------------------------------------
// torch.result_type of two tensors: a tensor without dimensions promotes only across kinds.
DType result_type(const Tensor& a, const Tensor& b);
// Sizes of an elementwise result: those of an operand where they are the same, else `broadcast`, which is set.
const Shape& elementwise_sizes(const Tensor& a, const Tensor& b, Shape& broadcast);
// Strides of an elementwise result (TensorIterator): dense, in the order of the operands' strides.
Shape elementwise_strides(const Shape& sizes, std::initializer_list<const Tensor*> operands);
// autocast's casts: to the autocast type for matrix products, to float32 for what must be precise.
inline Tensor autocast_low(Tensor x) {
  if (!x.defined()) return x;
  const Autocast& autocast = x.tracer().context.autocast;
  if (!autocast.enabled || x.dtype() == autocast.dtype) return x;
  return is_floating_point(x.dtype()) && x.dtype() != DType::float64 ? to(std::move(x), autocast.dtype) : x;
}
inline Tensor autocast_float32(Tensor x) {
  if (!x.defined() || !x.tracer().context.autocast.enabled) return x;
  if (x.dtype() != DType::bfloat16 && x.dtype() != DType::float16) return x;
  return to(std::move(x), DType::float32);
}

}  // namespace modelmeter::torch
