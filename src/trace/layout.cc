// torch's copies, casts and layout changes.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "trace/functional.h"

namespace modelmeter::torch {
namespace {

// preserve_format: the strides of a dense tensor are kept, others become as an elementwise result's.
Shape preserved_strides(const Tensor& x) {
  return x.is_contiguous() ? contiguous_strides(x.sizes()) : elementwise_strides(x.sizes(), {&x});
}

Tensor copied(Kernel kernel, Tensor x, DType dtype) {
  Tracer& tracer = x.tracer();
  Tensor out = x.is_contiguous() ? tracer.allocate_like(x, dtype)
                                 : tracer.allocate(x.sizes(), elementwise_strides(x.sizes(), {&x}), dtype);
  tracer.record(kernel, {&x}, {&out});
  x.reset();
  return out;
}

Tensor contiguous_copy(Kernel kernel, Tensor x, DType dtype) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate_like(x, dtype);
  tracer.record(kernel, {&x}, {&out});
  x.reset();
  return out;
}

// cat of parts of several types: ATen's kernel takes one only, so that each part is copied to its place. The result is
// made like the first part of its type.
void copy_parts(const TensorList& parts, int dim, const Tensor& out) {
  const auto alike = [&](const Tensor& part) { return part.numel() > 0 && part.dtype() == out.dtype(); };
  const auto like = std::find_if(parts.begin(), parts.end(), alike);
  out.tracer().record(Kernel::new_empty, {like == parts.end() ? &parts.front() : &*like}, {&out});
  int64_t start = 0;
  for (const Tensor& part : parts) {
    if (part.numel() == 0) continue;
    copy_(out.narrow(dim, start, part.sizes()[dim]), part);
    start += part.sizes()[dim];
  }
}

}  // namespace

Tensor to(Tensor x, DType dtype) {
  if (x.dtype() == dtype) return x;
  if (x.on_host()) return x.tracer().host(x.sizes(), dtype);
  return copied(Kernel::to_copy, std::move(x), dtype);
}

Tensor type_as(Tensor x, const Tensor& other) { return to(std::move(x), other.dtype()); }

Tensor to_device(Tensor x, DType dtype) { return contiguous_copy(Kernel::to_copy, std::move(x), dtype); }

Tensor to_host(Tensor x) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.host(x.sizes(), x.dtype());
  tracer.record(Kernel::to_copy, {&x}, {&out});
  x.reset();
  return out;
}

Tensor contiguous(Tensor x) {
  if (x.is_contiguous()) return x;
  const DType dtype = x.dtype();
  return contiguous_copy(Kernel::clone, std::move(x), dtype);
}

Tensor clone(Tensor x) {
  const DType dtype = x.dtype();
  return copied(Kernel::clone, std::move(x), dtype);
}

Tensor repeat(Tensor x, const Shape& times) {
  Shape sizes = x.sizes();
  for (int i = 0; i < sizes.rank(); ++i) sizes[i] *= times[i];
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate(sizes, x.dtype());
  tracer.record(Kernel::repeat, {&x}, {&out});
  x.reset();
  return out;
}

Tensor repeat_interleave(Tensor x, int64_t repeats, int dim) {
  dim = x.sizes().dim(dim);
  Shape sizes = x.sizes();
  sizes.insert(dim + 1, repeats);
  x = contiguous(x.unsqueeze(dim + 1).expand(sizes));
  return flatten(std::move(x), dim, dim + 1);
}

Tensor reshape(Tensor x, const Shape& sizes) {
  if (x.is_contiguous() || x.can_view(sizes)) return x.view(sizes);
  return contiguous(std::move(x)).view(sizes);
}

Tensor flatten(Tensor x, int start, int end) {
  start = x.sizes().dim(start);
  end = x.sizes().dim(end);
  Shape sizes;
  int64_t product = 1;
  for (int i = 0; i < x.dim(); ++i) {
    if (i >= start && i <= end) product *= x.sizes()[i];
    if (i < start || i > end) {
      sizes.push_back(x.sizes()[i]);
    } else if (i == end) {
      sizes.push_back(product);
    }
  }
  return reshape(std::move(x), sizes);
}

Tensor cat(TensorList parts, int dim) {
  Tracer& tracer = parts.front().tracer();
  // A part of shape [0] fits any other; it sets the type alone.
  const auto fits_any = [](const Tensor& part) { return part.dim() == 1 && part.numel() == 0; };
  const auto first = std::find_if_not(parts.begin(), parts.end(), fits_any);
  Shape sizes = first == parts.end() ? parts.front().sizes() : first->sizes();
  dim = sizes.dim(dim);
  DType dtype = parts.front().dtype();
  sizes[dim] = 0;
  for (const Tensor& part : parts) {
    dtype = promote_types(dtype, part.dtype());
    if (!fits_any(part)) sizes[dim] += part.sizes()[dim];
  }
  Tensor out = tracer.allocate(sizes, dtype);
  const auto is_cast = [&](const Tensor& part) { return part.numel() > 0 && part.dtype() != dtype; };
  if (std::none_of(parts.begin(), parts.end(), is_cast)) {
    tracer.record(Kernel::cat, parts, out);
  } else {
    copy_parts(parts, dim, out);
  }
  parts.clear();
  return out;
}

Tensor stack(TensorList parts, int dim) {
  Tracer& tracer = parts.front().tracer();
  Shape sizes = parts.front().sizes();
  sizes.insert(sizes.dim(dim, 1), static_cast<int64_t>(parts.size()));
  Tensor out = tracer.allocate(sizes, parts.front().dtype());
  tracer.record(Kernel::stack, parts, out);
  parts.clear();
  return out;
}

Tensor copy_(Tensor target, Tensor source) {
  target.tracer().record_in_place(Kernel::copy_, {&target, &source});
  source.reset();
  return target;
}

Tensor pad(Tensor x, std::initializer_list<int64_t> padding) {
  const int first = x.dim() - static_cast<int>(padding.size()) / 2;
  const auto amount = [&](int dim, int side) { return *std::next(padding.begin(), 2 * (x.dim() - 1 - dim) + side); };
  const auto before = [&](int dim) { return amount(dim, 0); };
  const auto after = [&](int dim) { return amount(dim, 1); };
  const Tensor given = x;
  bool grows = false;
  for (int dim = first; dim < x.dim(); ++dim) {
    const int64_t cut_before = std::max<int64_t>(-before(dim), 0), cut_after = std::max<int64_t>(-after(dim), 0);
    if (cut_before + cut_after > 0) x = x.narrow(dim, cut_before, x.size(dim) - cut_before - cut_after);
    grows |= before(dim) > 0 || after(dim) > 0;
  }
  if (!grows) return clone(std::move(x));

  Tracer& tracer = x.tracer();
  Shape sizes = x.sizes(), starts;
  for (int dim = 0; dim < x.dim(); ++dim) {
    starts.push_back(dim < first ? 0 : std::max<int64_t>(before(dim), 0));
    if (dim >= first) sizes[dim] += starts[dim] + std::max<int64_t>(after(dim), 0);
  }
  Tensor out = tracer.allocate(sizes, x.dtype());
  tracer.record(Kernel::new_empty, {&given}, {&out});
  tracer.record_in_place(Kernel::fill_, {&out});
  Tensor inside = out.window(starts, x.sizes());
  copy_(std::move(inside), std::move(x));
  return out;
}

Tensor embedding(Tensor weight, Tensor ids) {
  Tracer& tracer = weight.tracer();
  Shape sizes = ids.sizes();
  sizes.push_back(weight.size(1));
  Tensor out = tracer.allocate(sizes, weight.dtype());
  tracer.record(Kernel::embedding, {&weight, &ids}, {&out});
  weight.reset();
  ids.reset();
  return out;
}

Tensor index(Tensor x, Tensor rows, Tensor columns) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate(broadcast(rows.sizes(), columns.sizes()), x.dtype());
  tracer.record(Kernel::index, {&x, &rows, &columns}, {&out});
  x.reset();
  rows.reset();
  columns.reset();
  return out;
}

Tensor new_ones(Tensor like, const Shape& sizes, DType dtype) {
  Tracer& tracer = like.tracer();
  Tensor out = tracer.allocate(sizes, dtype);
  tracer.record(Kernel::new_ones, {&like}, {&out});
  like.reset();
  return out;
}

Tensor new_ones(Tensor like, const Shape& sizes) {
  const DType dtype = like.dtype();
  return new_ones(std::move(like), sizes, dtype);
}

Tensor full(const Shape& sizes, DType dtype) {
  Tracer& tracer = Tracer::current();
  Tensor out = tracer.allocate(sizes, dtype);
  tracer.record(Kernel::full, {}, {&out});
  return out;
}

Tensor ones(const Shape& sizes, DType dtype) {
  Tracer& tracer = Tracer::current();
  Tensor out = tracer.allocate(sizes, dtype);
  tracer.record(Kernel::ones, {}, {&out});
  return out;
}

Tensor ones_like(Tensor x) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate(x.sizes(), preserved_strides(x), x.dtype());
  tracer.record(Kernel::ones_like, {&x}, {&out});
  x.reset();
  return out;
}

Tensor full_like(Tensor x) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate(x.sizes(), preserved_strides(x), x.dtype());
  tracer.record(Kernel::full_like, {&x}, {&out});
  x.reset();
  return out;
}

Tensor scalar_tensor(DType dtype) {
  Tracer& tracer = Tracer::current();
  Tensor out = tracer.allocate({}, dtype);
  tracer.record(Kernel::scalar_tensor, {}, {&out});
  return out;
}

Tensor new_zeros(Tensor like, const Shape& sizes, DType dtype) {
  Tracer& tracer = like.tracer();
  Tensor out = tracer.allocate(sizes, dtype);
  tracer.record(Kernel::new_zeros, {&like}, {&out});
  like.reset();
  return out;
}

Tensor new_zeros(Tensor like, const Shape& sizes) {
  const DType dtype = like.dtype();
  return new_zeros(std::move(like), sizes, dtype);
}

Tensor zeros(const Shape& sizes, DType dtype) {
  Tracer& tracer = Tracer::current();
  Tensor out = tracer.allocate(sizes, dtype);
  tracer.record(Kernel::zeros, {}, {&out});
  return out;
}

Tensor zeros_like(Tensor x) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate(x.sizes(), preserved_strides(x), x.dtype());
  tracer.record(Kernel::zeros_like, {&x}, {&out});
  x.reset();
  return out;
}

Tensor arange(int64_t n, DType dtype) {
  Tracer& tracer = Tracer::current();
  Tensor out = tracer.allocate({n}, dtype);
  tracer.record(Kernel::arange, {}, {&out});
  return out;
}

Tensor randn(const Shape& sizes, DType dtype) {
  Tracer& tracer = Tracer::current();
  Tensor out = tracer.allocate(sizes, dtype);
  tracer.record(Kernel::randn, {}, {&out});
  return out;
}

Tensor fill_(Tensor x) {
  x.tracer().record_in_place(Kernel::fill_, {&x});
  return x;
}

Tensor empty(const Shape& sizes, DType dtype) {
  Tracer& tracer = Tracer::current();
  Tensor out = tracer.allocate(sizes, dtype);
  tracer.record(Kernel::empty, {}, {&out});
  return out;
}

Tensor empty_like(Tensor x) {
  Tracer& tracer = x.tracer();
  Tensor out = tracer.allocate(x.sizes(), preserved_strides(x), x.dtype());
  tracer.record(Kernel::empty_like, {&x}, {&out});
  x.reset();
  return out;
}

}  // namespace modelmeter::torch
