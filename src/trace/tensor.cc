#include "trace/tensor.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "trace/tracer.h"

namespace modelmeter {
namespace {

// Replaces one -1 by what is left of numel; Error where it does not come out.
Shape inferred(Shape sizes, int64_t numel) {
  int64_t known = 1;
  int unknown = -1;
  for (int i = 0; i < sizes.rank(); ++i) {
    if (sizes[i] == -1) {
      unknown = i;
    } else {
      known *= sizes[i];
    }
  }
  if (unknown >= 0 && known != 0) sizes[unknown] = numel / known;
  if (sizes.numel() != numel) {
    throw Error(ErrorCode::internal, fmt::format("{} elements do not fit the shape {}", numel, sizes.to_string()));
  }
  return sizes;
}

// at::detail::computeStride: the strides that show `meta` with other sizes, if there are any.
bool view_strides(const TensorMeta& meta, const Shape& sizes, Shape& strides) {
  strides = sizes;
  if (meta.numel == 0) {
    strides = contiguous_strides(sizes);
    return true;
  }
  int view_d = sizes.rank() - 1;
  int64_t base = meta.sizes.rank() == 0 ? 1 : meta.own_strides[meta.sizes.rank() - 1];
  int64_t tensor_numel = 1;
  int64_t view_numel = 1;
  for (int d = meta.sizes.rank() - 1; d >= 0; --d) {
    tensor_numel *= meta.sizes[d];
    const bool chunk_ends = d == 0 || (meta.sizes[d - 1] != 1 && meta.own_strides[d - 1] != tensor_numel * base);
    if (!chunk_ends) continue;
    while (view_d >= 0 && (view_numel < tensor_numel || sizes[view_d] == 1)) {
      strides[view_d] = view_numel * base;
      view_numel *= sizes[view_d];
      --view_d;
    }
    if (view_numel != tensor_numel) return false;
    if (d > 0) {
      base = meta.own_strides[d - 1];
      tensor_numel = 1;
      view_numel = 1;
    }
  }
  for (; view_d >= 0; --view_d) {
    if (sizes[view_d] != 1) return false;
    strides[view_d] = 1;
  }
  return true;
}

// Elements that differ.
int64_t distinct(const Shape& sizes, const Shape& strides) {
  int64_t n = 1;
  for (int i = 0; i < sizes.rank(); ++i) {
    if (strides[i] != 0 || sizes[i] == 0) n *= sizes[i];
  }
  return n;
}

}  // namespace

bool TensorMeta::same_elements(const TensorMeta& other) const {
  return offset == other.offset && dtype == other.dtype && sizes == other.sizes && strides() == other.strides();
}

void Tensor::release() { meta_->storage->tracer->release(*meta_->storage); }

Tensor Tensor::view_of(const Shape& new_sizes, const Shape& new_strides, int64_t offset) const {
  TensorMeta* made = tracer().new_meta();
  made->sizes = new_sizes;
  made->numel = new_sizes.numel();
  made->offset = offset;
  made->storage = meta_->storage;
  made->dtype = meta_->dtype;
  made->contiguous = modelmeter::is_contiguous(new_sizes, new_strides);
  if (!made->contiguous) made->own_strides = new_strides;
  made->bytes = (made->contiguous ? made->numel : distinct(new_sizes, new_strides)) * size_of(made->dtype);
  return Tensor(made);
}

bool Tensor::can_view(const Shape& new_sizes) const {
  if (is_contiguous()) return true;
  Shape ignored;
  return view_strides(*meta_, inferred(new_sizes, numel()), ignored);
}

Tensor Tensor::view(Shape new_sizes) const {
  new_sizes = inferred(new_sizes, numel());
  if (is_contiguous()) {
    TensorMeta* made = tracer().new_meta();
    made->sizes = new_sizes;
    made->numel = meta_->numel;
    made->bytes = meta_->bytes;
    made->offset = meta_->offset;
    made->storage = meta_->storage;
    made->dtype = meta_->dtype;
    made->contiguous = true;
    return Tensor(made);
  }
  Shape new_strides;
  if (!view_strides(*meta_, new_sizes, new_strides)) {
    throw Error(ErrorCode::internal, fmt::format("a tensor of shape {} and strides {} cannot be viewed as {}",
                                                 sizes().to_string(), strides().to_string(), new_sizes.to_string()));
  }
  return view_of(new_sizes, new_strides, meta_->offset);
}

Tensor Tensor::transpose(int a, int b) const {
  a = sizes().dim(a);
  b = sizes().dim(b);
  Shape new_sizes = sizes();
  Shape new_strides = strides();
  std::swap(new_sizes[a], new_sizes[b]);
  std::swap(new_strides[a], new_strides[b]);
  return view_of(new_sizes, new_strides, meta_->offset);
}

Tensor Tensor::permute(std::initializer_list<int> order) const {
  const Shape old_strides = strides();
  Shape new_sizes;
  Shape new_strides;
  for (int from : order) {
    new_sizes.push_back(sizes()[sizes().dim(from)]);
    new_strides.push_back(old_strides[sizes().dim(from)]);
  }
  return view_of(new_sizes, new_strides, meta_->offset);
}

Tensor Tensor::unsqueeze(int at) const {
  at = sizes().dim(at, 1);
  Shape new_sizes = sizes();
  Shape new_strides = strides();
  new_strides.insert(at, at < dim() ? sizes()[at] * new_strides[at] : 1);
  new_sizes.insert(at, 1);
  return view_of(new_sizes, new_strides, meta_->offset);
}

Tensor Tensor::squeeze(int at) const {
  at = sizes().dim(at);
  if (sizes()[at] != 1) return *this;
  Shape new_sizes = sizes();
  Shape new_strides = strides();
  new_sizes.erase(at);
  new_strides.erase(at);
  return view_of(new_sizes, new_strides, meta_->offset);
}

Tensor Tensor::expand(Shape new_sizes) const {
  const Shape old_strides = strides();
  Shape new_strides = new_sizes;
  const int shift = new_sizes.rank() - dim();
  for (int i = 0; i < new_sizes.rank(); ++i) {
    const int64_t size = i < shift ? 1 : sizes()[i - shift];
    if (new_sizes[i] == -1) new_sizes[i] = size;
    new_strides[i] = i < shift || (size == 1 && new_sizes[i] != 1) ? 0 : old_strides[i - shift];
    if (size != 1 && size != new_sizes[i]) {
      throw Error(ErrorCode::internal,
                  fmt::format("shape {} does not expand to {}", sizes().to_string(), new_sizes.to_string()));
    }
  }
  return view_of(new_sizes, new_strides, meta_->offset);
}

Tensor Tensor::slice(int at, int64_t start, int64_t end, int64_t step) const {
  at = sizes().dim(at);
  const int64_t size = sizes()[at];
  if (start < 0) start += size;
  if (end < 0) end += size;
  start = std::clamp<int64_t>(start, 0, size);
  end = std::clamp<int64_t>(end, start, size);
  Shape new_sizes = sizes();
  Shape new_strides = strides();
  const int64_t offset = meta_->offset + start * new_strides[at];
  new_sizes[at] = (end - start + step - 1) / step;
  new_strides[at] *= step;
  return view_of(new_sizes, new_strides, offset);
}

Tensor Tensor::narrow(int at, int64_t start, int64_t length) const {
  at = sizes().dim(at);
  if (start < 0 || length < 0 || start + length > sizes()[at]) {
    throw Error(ErrorCode::internal, fmt::format("{} elements from {} on in dimension {} of a tensor of shape {}",
                                                 length, start, at, sizes().to_string()));
  }
  return slice(at, start, start + length);
}

Tensor Tensor::select(int at, int64_t index) const {
  at = sizes().dim(at);
  if (index < 0) index += sizes()[at];
  Shape new_sizes = sizes();
  Shape new_strides = strides();
  const int64_t offset = meta_->offset + index * new_strides[at];
  new_sizes.erase(at);
  new_strides.erase(at);
  return view_of(new_sizes, new_strides, offset);
}

std::vector<Tensor> Tensor::split(std::initializer_list<int64_t> lengths, int at) const {
  std::vector<Tensor> parts;
  parts.reserve(lengths.size());
  int64_t start = 0;
  for (int64_t length : lengths) {
    parts.push_back(narrow(at, start, length));
    start += length;
  }
  return parts;
}

std::vector<Tensor> Tensor::chunk(int n, int at) const {
  const int64_t size = this->size(at);
  const int64_t step = (size + n - 1) / n;
  std::vector<Tensor> parts;
  parts.reserve(static_cast<size_t>(n));
  for (int64_t start = 0; start < size; start += step) parts.push_back(slice(at, start, std::min(start + step, size)));
  return parts;
}

std::vector<Tensor> Tensor::unbind(int at) const {
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < size(at); ++i) parts.push_back(select(at, i));
  return parts;
}

Tensor Tensor::unflatten(int at, Shape parts) const {
  at = sizes().dim(at);
  parts = inferred(parts, sizes()[at]);
  Shape new_sizes;
  for (int i = 0; i < dim(); ++i) {
    if (i != at) {
      new_sizes.push_back(sizes()[i]);
    } else {
      for (int64_t part : parts) new_sizes.push_back(part);
    }
  }
  return view(new_sizes);
}

Tensor Tensor::view_as_complex() const {
  Shape new_sizes = sizes();
  Shape new_strides = strides();
  new_sizes.erase(dim() - 1);
  new_strides.erase(dim() - 1);
  for (int i = 0; i < new_strides.rank(); ++i) new_strides[i] /= 2;
  Tensor out = view_of(new_sizes, new_strides, meta_->offset / 2);
  TensorMeta* made = const_cast<TensorMeta*>(out.meta_);
  made->dtype = dtype() == DType::float64 ? DType::complex128 : DType::complex64;
  made->bytes *= 2;
  return out;
}

Tensor Tensor::view_as_real() const {
  Shape new_sizes = sizes();
  Shape new_strides = strides();
  for (int i = 0; i < new_strides.rank(); ++i) new_strides[i] *= 2;
  new_sizes.push_back(2);
  new_strides.push_back(1);
  Tensor out = view_of(new_sizes, new_strides, meta_->offset * 2);
  TensorMeta* made = const_cast<TensorMeta*>(out.meta_);
  made->dtype = dtype() == DType::complex128 ? DType::float64 : DType::float32;
  made->bytes /= 2;
  return out;
}

}  // namespace modelmeter
