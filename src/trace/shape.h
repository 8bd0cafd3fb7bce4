// The sizes of a tensor: up to 8 dimensions, stored inline so that recording allocates nothing.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

namespace modelmeter {

class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() {
    for (int i = 0; i < 4; ++i) dims_[i] = 0;
  }
  Shape(const Shape& other) { copy(other); }
  // NOLINTNEXTLINE(bugprone-unhandled-self-assignment): its dims onto themselves
  Shape& operator=(const Shape& other) {
    copy(other);
    return *this;
  }
  Shape(std::initializer_list<int64_t> dims) : Shape() {
    for (int64_t dim : dims) push_back(dim);
  }

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[i]; }
  int64_t& operator[](int i) { return dims_[i]; }
  const int64_t* begin() const { return dims_; }
  const int64_t* end() const { return dims_ + rank_; }

  void push_back(int64_t dim) {
    if (rank_ == max_rank) throw_too_many();
    dims_[rank_++] = dim;
  }
  void insert(int at, int64_t dim);
  void erase(int at);

  // The index of a dimension counted from the end when negative, as in torch; Error when out of range.
  // `extra` 1 allows one more position (unsqueeze).
  int dim(int index, int extra = 0) const {
    const int n = rank_ + extra;
    if (index < -n || index >= n) throw_bad_dim(index);
    return index < 0 ? index + n : index;
  }

  // Number of elements; Error on overflow.
  int64_t numel() const {
    int64_t n = 1;
    for (int i = 0; i < rank_; ++i) {
      if (__builtin_mul_overflow(n, dims_[i], &n)) throw_overflow();
    }
    return n;
  }

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i) {
      if (a.dims_[i] != b.dims_[i]) return false;
    }
    return true;
  }
  friend bool operator!=(const Shape& a, const Shape& b) { return !(a == b); }

  std::string to_string() const;  // "[1, 256, 5120]"

  [[noreturn]] void throw_overflow() const;

 private:
  [[noreturn]] static void throw_too_many();
  [[noreturn]] void throw_bad_dim(int index) const;

  // Most shapes have four dimensions at most: the others are not touched, nor is their memory.
  void copy(const Shape& other) {
    rank_ = other.rank_;
    for (int i = 0; i < 4; ++i) dims_[i] = other.dims_[i];
    if (rank_ > 4) {
      for (int i = 4; i < max_rank; ++i) dims_[i] = other.dims_[i];
    }
  }

  int rank_ = 0;
  int64_t dims_[max_rank];  // the first four are always set, of the others those below rank_
};

// The strides of a contiguous (row-major) tensor of these sizes.
Shape contiguous_strides(const Shape& sizes);

// Whether these strides lay the elements out row-major without gaps; dimensions of size 1 do not matter.
bool is_contiguous(const Shape& sizes, const Shape& strides);

// Strides that lay out [n, c, spatial...] row-major with the channels innermost, without gaps; whether these do, where
// dimensions of size 1 do not matter.
Shape channels_last_strides(const Shape& sizes);
bool is_channels_last(const Shape& sizes, const Shape& strides);

// torch's broadcasting; Error naming both shapes where they do not fit.
Shape broadcast(const Shape& a, const Shape& b);

}  // namespace modelmeter
