#include "trace/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"

namespace modelmeter {

void Shape::insert(int at, int64_t dim) {
  if (rank_ == max_rank) throw_too_many();
  for (int i = rank_; i > at; --i) dims_[i] = dims_[i - 1];
  dims_[at] = dim;
  ++rank_;
}

void Shape::erase(int at) {
  for (int i = at; i + 1 < rank_; ++i) dims_[i] = dims_[i + 1];
  --rank_;
}

std::string Shape::to_string() const { return fmt::format("[{}]", fmt::join(begin(), end(), ", ")); }

void Shape::throw_too_many() { throw Error(ErrorCode::internal, fmt::format("more than {} dimensions", max_rank)); }

void Shape::throw_bad_dim(int index) const {
  throw Error(ErrorCode::internal, fmt::format("dimension {} of a tensor of shape {}", index, to_string()));
}

void Shape::throw_overflow() const {
  throw Error(fmt::format("the number of elements of a tensor of shape {} overflows 64 bits", to_string()), {},
              {"counts are exact integers up to 9.2e18; make the workload smaller"});
}

Shape contiguous_strides(const Shape& sizes) {
  Shape strides;
  set_contiguous_strides(sizes, strides);
  return strides;
}

Shape channels_last_strides(const Shape& sizes) {
  Shape strides = sizes;
  int64_t step = 1;
  for (int i = 0; i < sizes.rank(); ++i) {
    const int d = i == 0 ? 1 : i == sizes.rank() - 1 ? 0 : sizes.rank() - i;
    strides[d] = step;
    step *= sizes[d];
  }
  return strides;
}

bool is_channels_last(const Shape& sizes, const Shape& strides) {
  if (sizes.rank() != 4 && sizes.rank() != 5) return false;
  const Shape wanted = channels_last_strides(sizes);
  for (int i = 0; i < sizes.rank(); ++i) {
    if (sizes[i] != 1 && strides[i] != wanted[i]) return false;
  }
  return true;
}

Shape broadcast(const Shape& a, const Shape& b) {
  if (a == b) return a;
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  const int shift = longer.rank() - shorter.rank();
  for (int i = 0; i < shorter.rank(); ++i) {
    int64_t& dim = out[i + shift];
    if (dim == shorter[i] || shorter[i] == 1) continue;
    if (dim != 1) {
      throw Error(fmt::format("shapes {} and {} do not broadcast", a.to_string(), b.to_string()));
    }
    dim = shorter[i];
  }
  return out;
}

}  // namespace modelmeter
