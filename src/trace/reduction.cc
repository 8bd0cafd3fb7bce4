// torch's reductions and normalisations.
#include "trace/functional.h"

namespace modelmeter::torch {
namespace {

Tensor reduced(Kernel kernel, Tensor x, int dim, bool keepdim, DType dtype) {
  Tracer& tracer = x.tracer();
  Shape sizes = x.sizes();
  dim = sizes.dim(dim);
  if (keepdim) {
    sizes[dim] = 1;
  } else {
    sizes.erase(dim);
  }
  Tensor out = tracer.allocate(sizes, dtype);
  tracer.record(kernel, {&x}, {&out});
  x.reset();
  return out;
}

// Under autocast sums of narrow types are float32, without a cast first; those of integers are int64.
DType sum_dtype(const Tensor& x) {
  if (!is_floating_point(x.dtype()) && !is_complex(x.dtype())) return DType::int64;
  const bool narrow = x.dtype() == DType::bfloat16 || x.dtype() == DType::float16;
  return narrow && x.tracer().context.autocast.enabled ? DType::float32 : x.dtype();
}

}  // namespace

Tensor mean(Tensor x, int dim, bool keepdim) {
  const DType dtype = x.dtype();
  return reduced(Kernel::mean, std::move(x), dim, keepdim, dtype);
}

Tensor sum(Tensor x, int dim, bool keepdim) {
  const DType dtype = sum_dtype(x);
  return reduced(Kernel::sum, std::move(x), dim, keepdim, dtype);
}

Tensor sum(Tensor x) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate({}, sum_dtype(x));
  tracer.record(Kernel::sum, {&x}, {&out});
  x.reset();
  return out;
}

Tensor all(Tensor x, int dim, bool keepdim) { return reduced(Kernel::all, std::move(x), dim, keepdim, DType::boolean); }

Tensor cumsum(Tensor x, int, DType dtype) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate(x.sizes(), dtype);
  tracer.record(Kernel::cumsum, {&x}, {&out});
  x.reset();
  return out;
}

Tensor histc(Tensor x, int64_t bins) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate({bins}, x.dtype());
  tracer.record(Kernel::histc, {&x}, {&out});
  x.reset();
  return out;
}

Tensor softmax(Tensor x, int, std::optional<DType> dtype) {
  if (dtype) {
    x = to(std::move(x), *dtype);
  } else {
    x = autocast_float32(std::move(x));
  }
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate(x.sizes(), x.dtype());
  tracer.record(Kernel::softmax, {&x}, {&out});
  x.reset();
  return out;
}

Tensor linalg_vector_norm(Tensor x, int dim) {
  const DType dtype = x.dtype();
  return reduced(Kernel::linalg_vector_norm, std::move(x), dim, true, dtype);
}

Tensor normalize(Tensor x, int dim) {
  Tensor denom = linalg_vector_norm(x, dim);
  denom = clamp_min(std::move(denom));
  denom = denom.expand(x.sizes());
  return div(std::move(x), std::move(denom));
}

Tensor layer_norm(Tensor x, Tensor weight, Tensor bias) {
  // Autocast casts the arguments from the last to the first.
  bias = autocast_float32(std::move(bias));
  weight = autocast_float32(std::move(weight));
  x = autocast_float32(std::move(x));
  Tracer& tracer = x.tracer();
  Tensor dense = contiguous(x);
  Shape statistics = x.sizes();
  statistics[x.dim() - 1] = 1;
  // The statistics are kept in float32 for narrower inputs.
  const DType statistics_dtype = x.dtype() == DType::float64 ? DType::float64 : DType::float32;
  Tensor out = tracer.allocate(x.sizes(), x.dtype());
  Tensor mean = tracer.allocate(statistics, statistics_dtype);
  Tensor rstd = tracer.allocate(statistics, statistics_dtype);
  tracer.record(Kernel::native_layer_norm, {&dense, &weight, &bias}, {&out, &mean, &rstd});
  dense.reset();
  x.reset();
  weight.reset();
  bias.reset();
  return out;
}

Tensor rms_norm(Tensor x, Tensor weight) {
  x = contiguous(std::move(x));
  Tracer& tracer = x.tracer();
  Shape statistics = x.sizes();
  statistics[x.dim() - 1] = 1;
  Tensor out = tracer.allocate(x.sizes(), x.dtype());
  Tensor rstd = tracer.allocate(statistics, x.dtype() == DType::float64 ? DType::float64 : DType::float32);
  tracer.record(Kernel::fused_rms_norm, {&x, &weight}, {&out, &rstd});
  x.reset();
  weight.reset();
  return out;
}

}  // namespace modelmeter::torch
