#include "timing/operand_bytes.h"

#include <algorithm>

namespace modelmeter {
namespace {

constexpr double sector = 32;  // bytes that memory is read in …
constexpr double line = 64;    // … and that L2 keeps for them
// Of L2, what may come between two elements of a sector: 4 MB do not make L2 lose it, 17 MB do on both cards
// (transposed copies and UMT5's position bias on the H100 and the H200, 2026-11).
constexpr double reused_share = 0.2;

double bytes_of(int64_t n) { return static_cast<double>(n); }

// Whether the elements fill a range of memory without gaps or overlap.
bool is_dense(const TensorMeta& t) {
  if (t.contiguous()) return true;
  const Shape strides = t.strides();
  int64_t span = 1;
  for (int d = 0; d < t.sizes.rank(); ++d) span += (t.sizes[d] - 1) * strides[d];
  return span == t.numel && t.bytes == t.numel * size_of(t.dtype);
}

// Its stride along the innermost dimension of `out` that has more than one element.
int64_t inner_stride(const TensorMeta& t, const TensorMeta& out) {
  if (t.sizes.rank() != out.sizes.rank()) return 1;
  const Shape out_strides = out.strides(), strides = t.strides();
  int inner = -1;
  for (int d = 0; d < out.sizes.rank(); ++d) {
    if (out.sizes[d] > 1 && (inner < 0 || out_strides[d] < out_strides[inner])) inner = d;
  }
  return inner < 0 || t.sizes[inner] == 1 ? 1 : strides[inner];
}

// Bytes of memory that an element costs at such a stride, of those that it has: neighbours share a sector.
double sectors_touched(int64_t stride, DType dtype) {
  const double element = bytes_of(size_of(dtype));
  return stride > 1 && element < sector ? std::min(bytes_of(stride), sector / element) : 1;
}

// Elements of `out` from one to the next that lies beside it in the source.
double elements_apart(const TensorMeta& t, const TensorMeta& out) {
  const Shape strides = t.strides(), out_strides = out.strides();
  int beside = -1;
  for (int d = 0; d < t.sizes.rank(); ++d) {
    if (t.sizes[d] > 1 && (beside < 0 || strides[d] < strides[beside])) beside = d;
  }
  return beside < 0 ? 1 : bytes_of(out_strides[beside]);
}

}  // namespace

bool one_layout(const TensorMeta& a, const TensorMeta& b) {
  if (a.numel != b.numel || !is_dense(a) || !is_dense(b)) return false;
  if (a.contiguous() && b.contiguous()) return true;
  return a.sizes == b.sizes && a.strides() == b.strides();
}

double sector_bytes(const TensorMeta& t, const TensorMeta& out) {
  return bytes_of(t.bytes) * sectors_touched(inner_stride(t, out), t.dtype);
}

double read_bytes(const TensorMeta& t, const TensorMeta& out, const Machine& machine) {
  const double all = sector_bytes(t, out);
  if (all <= bytes_of(t.bytes) || !is_dense(t)) return all;
  const double between = elements_apart(t, out) * line;
  return between > reused_share * machine.device().l2_size.value ? all : bytes_of(t.bytes);
}

double written_bytes(const TensorMeta& t) {
  if (t.contiguous()) return bytes_of(t.bytes);
  const Shape strides = t.strides();
  int64_t least = 0;
  for (int d = 0; d < t.sizes.rank(); ++d) {
    if (t.sizes[d] > 1 && (least == 0 || strides[d] < least)) least = strides[d];
  }
  return bytes_of(t.bytes) * sectors_touched(least, t.dtype);
}

}  // namespace modelmeter
