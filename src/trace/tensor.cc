#include "trace/tensor.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "trace/tracer.h"

namespace modelmeter {
namespace {

// Replaces one -1 in `sizes` by what is left of numel; Error where it does not come out.
void infer(Shape& sizes, int64_t numel) {
  int64_t known = 1;
  int unknown = -1;
  bool fits = true;
  for (int i = 0; i < sizes.rank(); ++i) {
    if (sizes[i] == -1) {
      unknown = i;
    } else {
      fits &= !__builtin_mul_overflow(known, sizes[i], &known);
    }
  }
  if (unknown >= 0) {
    sizes[unknown] = known == 0 ? 0 : numel / known;
    known *= sizes[unknown];
  }
  if (!fits || known != numel) {
    throw Error(fmt::format("{} elements do not fit the shape {}", numel, sizes.to_string()));
  }
}

// at::detail::computeStride: the strides that show `meta` with other sizes, if there are any.
bool view_strides(const TensorMeta& meta, const Shape& sizes, Shape& strides) {
  strides = sizes;
  if (meta.numel == 0) {
    set_contiguous_strides(sizes, strides);
    return true;
  }
  const Shape& old_strides = *meta.own_strides;
  int view_d = sizes.rank() - 1;
  int64_t base = meta.sizes.rank() == 0 ? 1 : old_strides[meta.sizes.rank() - 1];
  int64_t tensor_numel = 1;
  int64_t view_numel = 1;
  for (int d = meta.sizes.rank() - 1; d >= 0; --d) {
    tensor_numel *= meta.sizes[d];
    const bool chunk_ends = d == 0 || (meta.sizes[d - 1] != 1 && old_strides[d - 1] != tensor_numel * base);
    if (!chunk_ends) continue;
    while (view_d >= 0 && (view_numel < tensor_numel || sizes[view_d] == 1)) {
      strides[view_d] = view_numel * base;
      view_numel *= sizes[view_d];
      --view_d;
    }
    if (view_numel != tensor_numel) return false;
    if (d > 0) {
      base = old_strides[d - 1];
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

// A view, made in its place in the trace: it starts as what it is a view of, and the caller changes sizes, strides and
// offset to what it shows.
class View {
 public:
  explicit View(const TensorMeta& of)
      : trace_(of.storage->tracer->trace()), made_(trace_.metas.add()), strides_(trace_.strides.add()) {
    *made_ = of;
    if (of.contiguous()) {
      set_contiguous_strides(of.sizes, *strides_);
    } else {
      *strides_ = *of.own_strides;
    }
  }

  Shape& sizes() { return made_->sizes; }
  Shape& strides() { return *strides_; }
  int64_t& offset() { return made_->offset; }

  // The same elements in another order.
  Tensor reordered() {
    keep_strides();
    return Tensor(made_);
  }
  // Some of the elements, or elements more than once.
  Tensor resized() {
    const Shape& sizes = made_->sizes;
    int64_t distinct = 1;  // an expanded dimension shows the same elements again
    for (int i = 0; i < sizes.rank(); ++i) {
      if ((*strides_)[i] != 0 || sizes[i] == 0) distinct *= sizes[i];
    }
    made_->numel = sizes.numel();
    made_->bytes = distinct * size_of(made_->dtype);
    keep_strides();
    return Tensor(made_);
  }
  // The same bytes as elements of another type.
  Tensor retyped(DType dtype) {
    made_->dtype = dtype;
    return resized();
  }

 private:
  void keep_strides() {
    made_->own_strides = is_contiguous(made_->sizes, *strides_) ? nullptr : strides_;
    if (made_->own_strides == nullptr) trace_.strides.take_back();
  }

  Trace& trace_;
  TensorMeta* made_;
  Shape* strides_;
};

}  // namespace

bool TensorMeta::same_elements(const TensorMeta& other) const { return offset == other.offset && same_layout(other); }

bool Tensor::can_view(const Shape& new_sizes) const {
  if (is_contiguous()) return true;
  Shape sizes = new_sizes, ignored;
  infer(sizes, numel());
  return view_strides(*meta_, sizes, ignored);
}

Tensor Tensor::view(const Shape& new_sizes) const {
  TensorMeta* made = tracer().trace().metas.add();
  *made = *meta_;
  made->sizes = new_sizes;
  infer(made->sizes, meta_->numel);
  if (is_contiguous()) return Tensor(made);
  Shape* new_strides = tracer().trace().strides.add();
  if (!view_strides(*meta_, made->sizes, *new_strides)) {
    throw Error(fmt::format("a tensor of shape {} and strides {} cannot be viewed as {}", sizes().to_string(),
                            strides().to_string(), new_sizes.to_string()));
  }
  made->own_strides = modelmeter::is_contiguous(made->sizes, *new_strides) ? nullptr : new_strides;
  return Tensor(made);
}

Tensor Tensor::transpose(int a, int b) const {
  View view(*meta_);
  a = sizes().dim(a);
  b = sizes().dim(b);
  std::swap(view.sizes()[a], view.sizes()[b]);
  std::swap(view.strides()[a], view.strides()[b]);
  return view.reordered();
}

Tensor Tensor::permute(std::initializer_list<int> order) const {
  View view(*meta_);
  const Shape old_strides = view.strides();
  int i = 0;
  for (int from : order) {
    const int d = sizes().dim(from);
    view.sizes()[i] = sizes()[d];
    view.strides()[i++] = old_strides[d];
  }
  return view.reordered();
}

Tensor Tensor::unsqueeze(int at) const {
  at = sizes().dim(at, 1);
  if (is_contiguous()) {
    TensorMeta* made = tracer().trace().metas.add();
    *made = *meta_;
    made->sizes.insert(at, 1);
    return Tensor(made);
  }
  View view(*meta_);
  view.strides().insert(at, at < dim() ? sizes()[at] * view.strides()[at] : 1);
  view.sizes().insert(at, 1);
  return view.reordered();
}

Tensor Tensor::squeeze(int at) const {
  at = sizes().dim(at);
  if (sizes()[at] != 1) return *this;
  View view(*meta_);
  view.sizes().erase(at);
  view.strides().erase(at);
  return view.reordered();
}

Tensor Tensor::expand(const Shape& new_sizes) const {
  View view(*meta_);
  const int shift = new_sizes.rank() - dim();
  for (int i = 0; i < shift; ++i) {
    view.sizes().insert(0, 1);
    view.strides().insert(0, 0);
  }
  for (int i = 0; i < new_sizes.rank(); ++i) {
    int64_t& size = view.sizes()[i];
    if (new_sizes[i] == -1 || new_sizes[i] == size) continue;
    if (size != 1) {
      throw Error(fmt::format("shape {} does not expand to {}", sizes().to_string(), new_sizes.to_string()));
    }
    size = new_sizes[i];
    view.strides()[i] = 0;
  }
  return view.resized();
}

Tensor Tensor::slice(int at, int64_t start, int64_t end, int64_t step) const {
  at = sizes().dim(at);
  const int64_t size = sizes()[at];
  if (start < 0) start += size;
  if (end < 0) end += size;
  start = std::clamp<int64_t>(start, 0, size);
  end = std::clamp<int64_t>(end, start, size);
  View view(*meta_);
  view.offset() += start * view.strides()[at];
  view.sizes()[at] = (end - start + step - 1) / step;
  view.strides()[at] *= step;
  return view.resized();
}

Tensor Tensor::window(const Shape& starts, const Shape& lengths) const {
  View view(*meta_);
  for (int i = 0; i < dim(); ++i) view.offset() += starts[i] * view.strides()[i];
  view.sizes() = lengths;
  return view.resized();
}

Tensor Tensor::narrow(int at, int64_t start, int64_t length) const {
  at = sizes().dim(at);
  if (start < 0 || length < 0 || start + length > sizes()[at]) {
    throw Error(fmt::format("{} elements from {} on in dimension {} of a tensor of shape {}", length, start, at,
                            sizes().to_string()));
  }
  return slice(at, start, start + length);
}

Tensor Tensor::select(int at, int64_t index) const {
  at = sizes().dim(at);
  if (index < 0) index += sizes()[at];
  View view(*meta_);
  view.offset() += index * view.strides()[at];
  view.sizes().erase(at);
  view.strides().erase(at);
  return view.resized();
}

TensorList Tensor::split(std::initializer_list<int64_t> lengths, int at) const {
  TensorList parts;
  int64_t start = 0;
  for (int64_t length : lengths) {
    parts.push_back(narrow(at, start, length));
    start += length;
  }
  return parts;
}

TensorList Tensor::chunk(int n, int at) const {
  const int64_t size = this->size(at);
  const int64_t step = (size + n - 1) / n;
  TensorList parts;
  for (int64_t start = 0; start < size; start += step) parts.push_back(slice(at, start, std::min(start + step, size)));
  return parts;
}

TensorList Tensor::unbind(int at) const {
  TensorList parts;
  for (int64_t i = 0; i < size(at); ++i) parts.push_back(select(at, i));
  return parts;
}

Tensor Tensor::unflatten(int at, Shape parts) const {
  at = sizes().dim(at);
  infer(parts, sizes()[at]);
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

Tensor Tensor::view_dtype(DType to) const {
  View view(*meta_);
  const int64_t from_size = size_of(dtype()), to_size = size_of(to);
  if (from_size != to_size) {
    const int last = dim() - 1;
    const int64_t ratio = std::max(from_size, to_size) / std::min(from_size, to_size);
    const bool widens = to_size > from_size;
    bool fits = last >= 0 && view.strides()[last] == 1;
    const auto scale = [&](int64_t& n) {
      fits &= !widens || n % ratio == 0;
      n = widens ? n / ratio : n * ratio;
    };
    for (int i = 0; i < last; ++i) scale(view.strides()[i]);
    if (last >= 0) scale(view.sizes()[last]);
    scale(view.offset());
    if (!fits) {
      throw Error(fmt::format("a tensor of shape {} cannot be viewed as {}", sizes().to_string(), torch_name(to)));
    }
  }
  return view.retyped(to);
}

Tensor Tensor::view_as_complex() const {
  View view(*meta_);
  view.sizes().erase(dim() - 1);
  view.strides().erase(dim() - 1);
  for (int i = 0; i < view.strides().rank(); ++i) view.strides()[i] /= 2;
  view.offset() /= 2;
  return view.retyped(dtype() == DType::float64 ? DType::complex128 : DType::complex64);
}

Tensor Tensor::view_as_real() const {
  View view(*meta_);
  for (int i = 0; i < view.strides().rank(); ++i) view.strides()[i] *= 2;
  view.sizes().push_back(2);
  view.strides().push_back(1);
  view.offset() *= 2;
  return view.retyped(dtype() == DType::complex128 ? DType::float64 : DType::float32);
}

void TensorList::push_back_many(Tensor tensor) {
  if (size_ == few) {
    many_.reserve(2 * few);
    for (Tensor& one : few_) many_.push_back(std::move(one));
  }
  many_.push_back(std::move(tensor));
  ++size_;
}

}  // namespace modelmeter
