// torch's gathers, scatters, sorts and full reductions, and its resampling.
#include "trace/functional.h"

namespace modelmeter::torch {
namespace {

Tensor reduced_to_scalar(Kernel kernel, Tensor x, DType dtype) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate({}, dtype);
  tracer.record(kernel, {&x}, {&out});
  x.reset();
  return out;
}

// at::native::upsample_gen2d_aa_out_cuda on a contiguous input.
Tensor bicubic_aa_contiguous(Tensor x, const Shape& sizes) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate(sizes, x.dtype());
  tracer.record(Kernel::upsample_bicubic2d_aa, {&x}, {&out});
  x.reset();
  return out;
}

}  // namespace

Tensor index(Tensor x, Tensor rows) {
  Tracer& tracer = x.tracer();
  Shape sizes = rows.sizes();
  for (int i = 1; i < x.dim(); ++i) sizes.push_back(x.sizes()[i]);
  Tensor out = tracer.allocate(sizes, x.dtype());
  tracer.record(Kernel::index, {&x, &rows}, {&out});
  x.reset();
  rows.reset();
  return out;
}

Tensor index_put_(Tensor x, Tensor rows, Tensor values) {
  x.tracer().record_in_place(Kernel::index_put_, {&x, &rows, &values});
  rows.reset();
  values.reset();
  return x;
}

Tensor scatter_(Tensor x, Tensor indices) {
  x.tracer().record_in_place(Kernel::scatter_, {&x, &indices});
  indices.reset();
  return x;
}

Tensor masked_scatter_(Tensor x, Tensor mask, Tensor source) {
  x.tracer().record_in_place(Kernel::masked_scatter_, {&x, &mask, &source});
  mask.reset();
  source.reset();
  return x;
}

Tensor masked_scatter(Tensor x, Tensor mask, Tensor source) {
  const Shape sizes = broadcast(x.sizes(), mask.sizes());
  Tensor out = clone(x.expand(sizes));
  return masked_scatter_(std::move(out), mask.expand(sizes), std::move(source));
}

TopK topk(Tensor x, int64_t k) {
  Tracer& tracer = x.tracer();
  Shape sizes = x.sizes();
  sizes[x.dim() - 1] = k;
  TopK out{tracer.allocate(sizes, x.dtype()), tracer.allocate(sizes, DType::int64)};
  tracer.record(Kernel::topk, {&x}, {&out.values, &out.indices});
  x.reset();
  return out;
}

Tensor nonzero(Tensor x, int64_t found) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate({found, x.dim()}, DType::int64);
  tracer.record(Kernel::nonzero, {&x}, {&out});
  x.reset();
  return out;
}

Sorted sort(Tensor x) {
  Tracer& tracer = x.tracer();
  Sorted out{tracer.allocate(x.sizes(), x.dtype()), tracer.allocate(x.sizes(), DType::int64)};
  tracer.record(Kernel::sort, {&x}, {&out.values, &out.indices});
  x.reset();
  return out;
}

Tensor argsort(Tensor x) { return sort(std::move(x)).indices; }

Tensor any(Tensor x) { return reduced_to_scalar(Kernel::any, std::move(x), DType::boolean); }
Tensor all(Tensor x) { return reduced_to_scalar(Kernel::all, std::move(x), DType::boolean); }

Tensor max(Tensor x) {
  const DType dtype = x.dtype();
  return reduced_to_scalar(Kernel::max, std::move(x), dtype);
}

Tensor argmax(Tensor x) {
  Tracer& tracer = x.tracer();
  Shape sizes = x.sizes();
  sizes.erase(x.dim() - 1);
  Tensor out = tracer.allocate(sizes, DType::int64);
  tracer.record(Kernel::argmax, {&x}, {&out});
  x.reset();
  return out;
}

Tensor index_fill_(Tensor x, Tensor indices) {
  x.tracer().record_in_place(Kernel::index_fill_, {&x, &indices});
  indices.reset();
  return x;
}

Tensor upsample_nearest_exact2d(Tensor x, int64_t height, int64_t width) {
  const Tensor dense = contiguous(x);
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate({x.size(0), x.size(1), height, width}, x.dtype());
  tracer.record(Kernel::upsample_nearest_exact2d, {&dense}, {&out});
  x.reset();
  return out;
}

Tensor upsample_nearest_exact3d(Tensor x, int64_t frames, int64_t height, int64_t width) {
  const Tensor dense = contiguous(x);
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate({x.size(0), x.size(1), frames, height, width}, x.dtype());
  tracer.record(Kernel::upsample_nearest_exact3d, {&dense}, {&out});
  x.reset();
  return out;
}

Tensor upsample_bicubic2d(Tensor x, int64_t height, int64_t width) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate({x.size(0), x.size(1), height, width}, x.dtype());
  tracer.record(Kernel::upsample_bicubic2d, {&x}, {&out});
  x.reset();
  return out;
}

Tensor upsample_linear1d(Tensor x, int64_t size) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate({x.size(0), x.size(1), size}, x.dtype());
  tracer.record(Kernel::upsample_linear1d, {&x}, {&out});
  x.reset();
  return out;
}

Tensor upsample_bicubic2d_aa(Tensor x, int64_t height, int64_t width) {
  const Shape sizes{x.size(0), x.size(1), height, width};
  if (x.is_contiguous()) return bicubic_aa_contiguous(std::move(x), sizes);
  Tracer& tracer = x.tracer();
  const int64_t channels = x.size(1);
  Tensor out = tracer.allocate(sizes, {height * width * channels, 1, width * channels, channels}, x.dtype());
  tracer.record(Kernel::empty, {}, {&out});
  const Tensor dense = contiguous(x);  // held until the result is copied back
  Tensor resampled = bicubic_aa_contiguous(dense, sizes);
  return copy_(std::move(out), std::move(resampled));
}

}  // namespace modelmeter::torch
