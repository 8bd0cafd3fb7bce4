// torch's matrix products and convolutions (aten/src/ATen/native/Linear.cpp, LinearAlgebra.cpp, Convolution.cpp).
#include "trace/functional.h"

namespace modelmeter::torch {
namespace {

Tensor addmm(Tensor bias, Tensor a, Tensor b) {
  Tracer& tracer = a.tracer();
  Tensor out = tracer.allocate({a.size(0), b.size(1)}, a.dtype());
  Op& op = tracer.record(Kernel::addmm, {&bias, &a, &b}, {&out});
  op.tf32 = out.dtype() == DType::float32 && tracer.context.matmul_allow_tf32;
  bias.reset();
  a.reset();
  b.reset();
  return out;
}

Tensor mm(Tensor a, Tensor b) {
  Tracer& tracer = a.tracer();
  Tensor out = tracer.allocate({a.size(0), b.size(1)}, a.dtype());
  Op& op = tracer.record(Kernel::mm, {&a, &b}, {&out});
  op.tf32 = out.dtype() == DType::float32 && tracer.context.matmul_allow_tf32;
  a.reset();
  b.reset();
  return out;
}

Tensor bmm(Tensor a, Tensor b) {
  Tracer& tracer = a.tracer();
  Tensor out = tracer.allocate({a.size(0), a.size(1), b.size(2)}, a.dtype());
  Op& op = tracer.record(Kernel::bmm, {&a, &b}, {&out});
  op.tf32 = out.dtype() == DType::float32 && tracer.context.matmul_allow_tf32;
  a.reset();
  b.reset();
  return out;
}

Shape with_last(Shape sizes, int64_t last) {
  sizes[sizes.rank() - 1] = last;
  return sizes;
}

}  // namespace

Tensor linear(Tensor x, Tensor weight, Tensor bias) {
  // Autocast casts the arguments from the last to the first.
  bias = autocast_low(std::move(bias));
  weight = autocast_low(std::move(weight));
  x = autocast_low(std::move(x));
  const bool fused_bias = bias.defined() && (x.dim() == 2 || x.is_contiguous());
  if (fused_bias) {
    Tensor flat = x.dim() == 2 ? x : x.view({-1, x.size(-1)});
    Tensor out = addmm(std::move(bias), std::move(flat), weight.t());
    if (x.dim() != 2) out = out.view(with_last(x.sizes(), weight.size(0)));
    x.reset();
    weight.reset();
    return out;
  }
  // matmul folds the batch into the rows where strides allow it, and batches the product otherwise.
  const bool folds = x.dim() == 2 || x.can_view({-1, x.size(-1)});
  Tensor out = folds ? mm(x.view({-1, x.size(-1)}), weight.t()).view(with_last(x.sizes(), weight.size(0)))
                     : matmul(x, weight.t());
  x.reset();
  weight.reset();
  if (bias.defined()) out = add(std::move(out), std::move(bias));
  return out;
}

Tensor matmul(Tensor a, Tensor b) {
  b = autocast_low(std::move(b));
  a = autocast_low(std::move(a));
  if (a.dim() == 2 && b.dim() == 2) return mm(std::move(a), std::move(b));
  Shape batch_a, batch_b;
  for (int i = 0; i < a.dim() - 2; ++i) batch_a.push_back(a.sizes()[i]);
  for (int i = 0; i < b.dim() - 2; ++i) batch_b.push_back(b.sizes()[i]);
  const Shape batch = broadcast(batch_a, batch_b);
  auto flat = [&](const Tensor& x) {
    Shape sizes = batch;
    sizes.push_back(x.size(-2));
    sizes.push_back(x.size(-1));
    const Shape folded{batch.numel(), x.size(-2), x.size(-1)};
    return reshape(sizes == x.sizes() ? x : x.expand(sizes), folded);
  };
  Tensor fa = flat(a);
  Tensor fb = flat(b);
  Shape out_sizes = batch;
  out_sizes.push_back(fa.size(1));
  out_sizes.push_back(fb.size(2));
  Tensor out = bmm(std::move(fa), std::move(fb)).view(out_sizes);
  a.reset();
  b.reset();
  return out;
}

Tensor grouped_mm(Tensor x, Tensor weights, Tensor offsets) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate({x.size(0), weights.size(2)}, x.dtype());
  tracer.record(Kernel::grouped_mm, {&x, &weights, &offsets}, {&out});
  x.reset();
  weights.reset();
  offsets.reset();
  return out;
}

Tensor linalg_solve(Tensor a, Tensor b) {
  Tracer& tracer = a.tracer();
  const int64_t n = b.size(0);
  Tensor out = tracer.allocate({n}, b.dtype());
  const Tensor factors = tracer.allocate({n, n}, {1, n}, a.dtype());  // column by column, as LAPACK has them
  const Tensor pivots = tracer.allocate({n}, DType::int32);
  const Tensor info = tracer.allocate({}, DType::int32);
  tracer.record(Kernel::linalg_solve_ex, {&a, &b}, {&out, &factors, &pivots, &info});
  a.reset();
  b.reset();
  return out;
}

Tensor conv(Tensor x, Tensor weight, Tensor bias, const ConvParams& params) {
  bias = autocast_low(std::move(bias));
  weight = autocast_low(std::move(weight));
  x = autocast_low(std::move(x));
  const Tensor given = x;  // alive to the end even where a contiguous copy takes its place
  // cuDNN takes either order of dense data; channels last comes out as it went in.
  const bool channels_last = x.is_channels_last();
  if (!channels_last) x = contiguous(std::move(x));
  Tracer& tracer = x.tracer();
  Shape sizes{x.size(0), weight.size(0)};
  for (int i = 0; i < x.dim() - 2; ++i) {
    const int64_t reach = params.dilation[i] * (weight.sizes()[i + 2] - 1) + 1;
    sizes.push_back((x.sizes()[i + 2] + 2 * params.padding[i] - reach) / params.stride[i] + 1);
  }
  Tensor out = channels_last ? tracer.allocate(sizes, channels_last_strides(sizes), x.dtype())
                             : tracer.allocate(sizes, x.dtype());
  Op& op = tracer.record(Kernel::convolution, {&x, &weight}, {&out},
                         conv_params({params.stride, params.padding, params.dilation}));
  op.tf32 = x.dtype() == DType::float32 && tracer.context.cudnn_allow_tf32;
  if (bias.defined()) {
    Shape bias_sizes{1, sizes[1]};
    for (int i = 2; i < sizes.rank(); ++i) bias_sizes.push_back(1);
    out = add_(std::move(out), bias.view(bias_sizes));
  }
  x.reset();
  weight.reset();
  bias.reset();
  return out;
}

Tensor conv3d(Tensor x, Tensor weight, Tensor bias, const Shape& stride, const Shape& padding) {
  return conv(std::move(x), std::move(weight), std::move(bias), {stride, padding, {1, 1, 1}, 1});
}

Tensor conv2d(Tensor x, Tensor weight, Tensor bias, const Shape& stride, const Shape& padding) {
  return conv(std::move(x), std::move(weight), std::move(bias), {stride, padding, {1, 1}, 1});
}

}  // namespace modelmeter::torch
