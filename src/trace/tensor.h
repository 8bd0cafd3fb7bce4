// A torch.Tensor without its data: sizes, strides, dtype and a storage.
//
// A Tensor is a handle. Its storage counts the handles on it and is freed when the last one goes, exactly as in eager
// PyTorch; that is where live memory comes from. Views share storage and launch no kernel. Functions that launch
// kernels are in trace/functional.h.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/dtype.h"
#include "trace/shape.h"

namespace modelmeter {

class TensorList;
class Tracer;

enum class Place : uint8_t {
  device,  // allocated during the trace, counted as live memory
  given,   // a parameter, buffer or input: there before the trace and after it
  host,    // in host memory
};

struct Storage {
  Tracer* tracer;
  int64_t bytes;
  int32_t handles;
  int32_t born;  // index of the op that made it; -1 for what was given
  int32_t died;  // number of ops recorded when the last handle went; -1 while alive
  Place place;
  const char* role;  // what a forward keeps it for ("feature cache"), or null
};

// What an op remembers of a tensor. It lives in the trace and never changes, but for `storage`'s counters.
struct TensorMeta {
  Storage* storage;
  const Shape* own_strides;  // null where the tensor is contiguous, as most are; read strides()
  int64_t numel;
  int64_t bytes;   // of the elements that differ: an expanded dimension (stride 0) counts once
  int64_t offset;  // in elements of dtype, from the start of the storage
  DType dtype;
  Shape sizes;

  bool contiguous() const { return own_strides == nullptr; }
  Shape strides() const { return contiguous() ? contiguous_strides(sizes) : *own_strides; }
  bool same_as(const TensorMeta& other) const {  // the same elements of the same storage
    return this == &other || (storage == other.storage && same_elements(other));
  }
  bool same_layout(const TensorMeta& other) const {  // to a kernel: sizes, strides and dtype
    if (dtype != other.dtype || sizes != other.sizes || contiguous() != other.contiguous()) return false;
    return contiguous() || *own_strides == *other.own_strides;
  }

 private:
  bool same_elements(const TensorMeta& other) const;
};

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(const TensorMeta* meta) : meta_(meta) { ++meta_->storage->handles; }
  Tensor(const Tensor& other) : meta_(other.meta_) {
    if (meta_) ++meta_->storage->handles;
  }
  Tensor(Tensor&& other) noexcept : meta_(std::exchange(other.meta_, nullptr)) {}
  // NOLINTNEXTLINE(bugprone-unhandled-self-assignment): the other is held before this one lets go
  Tensor& operator=(const Tensor& other) {
    if (other.meta_) ++other.meta_->storage->handles;
    reset();
    meta_ = other.meta_;
    return *this;
  }
  Tensor& operator=(Tensor&& other) noexcept {
    if (this != &other) {
      reset();
      meta_ = std::exchange(other.meta_, nullptr);
    }
    return *this;
  }
  ~Tensor() { reset(); }

  // Says what its memory is kept for; reports of memory name it. `role` must outlive the trace.
  void set_role(const char* role) const { meta_->storage->role = role; }

  // Lets go of the storage: Python's `del x`.
  void reset() {
    if (meta_ && --meta_->storage->handles == 0) release();
    meta_ = nullptr;
  }

  bool defined() const { return meta_ != nullptr; }
  const TensorMeta& meta() const { return *meta_; }
  Tracer& tracer() const { return *meta_->storage->tracer; }

  const Shape& sizes() const { return meta_->sizes; }
  Shape strides() const { return meta_->strides(); }
  int64_t size(int dim) const { return meta_->sizes[meta_->sizes.dim(dim)]; }
  int dim() const { return meta_->sizes.rank(); }
  int64_t numel() const { return meta_->numel; }
  DType dtype() const { return meta_->dtype; }
  bool is_contiguous() const { return meta_->contiguous(); }
  // Dense with the channels innermost, and not row-major.
  bool is_channels_last() const {
    return !meta_->contiguous() && modelmeter::is_channels_last(meta_->sizes, *meta_->own_strides);
  }
  bool unique() const { return meta_->storage->handles == 1; }  // the only handle on its storage
  bool on_host() const { return meta_->storage->place == Place::host; }

  // Views. A size of -1 is inferred; Error where strides do not allow the view (torch's RuntimeError).
  Tensor view(const Shape& sizes) const;
  bool can_view(const Shape& sizes) const;
  Tensor transpose(int a, int b) const;
  Tensor t() const { return transpose(0, 1); }
  Tensor permute(std::initializer_list<int> order) const;
  Tensor unsqueeze(int dim) const;
  Tensor squeeze(int dim) const;
  Tensor expand(const Shape& sizes) const;  // -1 keeps a size
  Tensor narrow(int dim, int64_t start, int64_t length) const;
  Tensor slice(int dim, int64_t start, int64_t end, int64_t step = 1) const;  // Python's x[start:end:step]
  Tensor window(const Shape& starts, const Shape& lengths) const;  // narrow() in all dimensions, within bounds
  Tensor select(int dim, int64_t index) const;                     // x[index]: drops the dimension
  TensorList split(std::initializer_list<int64_t> lengths, int dim) const;
  TensorList chunk(int n, int dim) const;
  TensorList unbind(int dim) const;
  Tensor unflatten(int dim, Shape sizes) const;
  // The same bytes as elements of another type: view(dtype). Along the last dimension, which must be dense; Error where
  // the offset or a size does not come out.
  Tensor view_dtype(DType dtype) const;
  Tensor view_as_complex() const;
  Tensor view_as_real() const;

 private:
  void release();

  const TensorMeta* meta_ = nullptr;
};

// A Python list or tuple of tensors: most have few, and those need no memory of their own.
class TensorList {
 public:
  TensorList() = default;
  TensorList(std::initializer_list<Tensor> tensors) {
    for (const Tensor& tensor : tensors) push_back(tensor);
  }
  TensorList(TensorList&&) = default;
  TensorList(const TensorList&) = default;
  TensorList& operator=(TensorList&&) = default;
  TensorList& operator=(const TensorList&) = default;

  void push_back(Tensor tensor) {
    if (size_ < few) {
      few_[size_++] = std::move(tensor);
    } else {
      push_back_many(std::move(tensor));
    }
  }
  void clear() {
    for (Tensor& tensor : few_) tensor.reset();
    many_.clear();
    size_ = 0;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Tensor* begin() { return size_ <= few ? few_ : many_.data(); }
  Tensor* end() { return begin() + size_; }
  const Tensor* begin() const { return size_ <= few ? few_ : many_.data(); }
  const Tensor* end() const { return begin() + size_; }
  Tensor& operator[](size_t i) { return begin()[i]; }
  const Tensor& operator[](size_t i) const { return begin()[i]; }
  Tensor& front() { return *begin(); }
  const Tensor& front() const { return *begin(); }
  Tensor& back() { return end()[-1]; }
  const Tensor& back() const { return end()[-1]; }

 private:
  static constexpr size_t few = 6;  // as many as rows of modulation, the most that a forward of ours makes each time

  void push_back_many(Tensor tensor);

  Tensor few_[few];
  std::vector<Tensor> many_;  // all of them where they are more
  size_t size_ = 0;
};

}  // namespace modelmeter
