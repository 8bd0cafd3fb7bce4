// A hash of 64 bits of what the time of ops follows from: their kernels, their operands' dtypes, sizes, strides and
// memories. Of a million different ones two are taken for one with a probability of 3e-8.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "trace/trace.h"

namespace modelmeter {

namespace signature {

__extension__ using Wide = unsigned __int128;

constexpr uint64_t split_mix(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

inline constexpr size_t key_count = 64;
constexpr std::array<uint64_t, key_count> make_keys() {
  std::array<uint64_t, key_count> out{};
  uint64_t state = 1;
  for (uint64_t& key : out) key = split_mix(state);
  return out;
}
inline constexpr std::array<uint64_t, key_count> keys = make_keys();

inline uint64_t word(int64_t n) { return static_cast<uint64_t>(n); }

}  // namespace signature

// A sum of products of pairs for each op (NH of UMAC: the products wait for nothing), folded into one number.
class Signature {
 public:
  void add(uint64_t a, uint64_t b) {
    sum_ += static_cast<signature::Wide>(a + signature::keys[at_]) * (b + signature::keys[at_ + 1]);
    at_ = (at_ + 2) % signature::key_count;
  }
  void fold() {
    const uint64_t low = static_cast<uint64_t>(sum_), high = static_cast<uint64_t>(sum_ >> 64);
    const signature::Wide product =
        static_cast<signature::Wide>(state_ ^ low ^ signature::keys[0]) * (high ^ signature::keys[1] ^ at_);
    state_ = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
    sum_ = 0;
    at_ = 0;
  }
  uint64_t value() const { return state_; }

 private:
  uint64_t state_ = signature::keys[2];
  signature::Wide sum_ = 0;
  size_t at_ = 0;
};

namespace signature {

inline void add_sizes(const Shape& sizes, Signature& out) {
  const int rank = sizes.rank();
  for (int d = 0; d + 1 < rank; d += 2) out.add(word(sizes[d]), word(sizes[d + 1]));
  if (rank % 2 != 0) out.add(word(sizes[rank - 1]), 0);
}

inline void add_operand(const TensorMeta& t, Signature& out) {
  const uint64_t place = static_cast<uint64_t>(t.storage->place);
  const char* const role = t.storage->role;
  const uint64_t cold = (t.storage->born < 0 ? 1 : 0) + (role == streamed_role ? 2 : 0) +
                        (role == pinned_role ? 4 : 0) + (role == pinned_anew_role ? 8 : 0);
  const uint64_t kind = static_cast<uint64_t>(t.dtype) | word(t.sizes.rank()) << 8 | cold << 16 | place << 24 |
                        (t.contiguous() ? 0 : uint64_t{1} << 32);
  out.add(kind, word(t.bytes));
  add_sizes(t.sizes, out);
  if (!t.contiguous()) add_sizes(*t.own_strides, out);
}

}  // namespace signature

// What its time follows from, but for how often it runs.
inline void add_op(const Trace& trace, const Op& op, Signature& out) {
  const uint64_t flags = (op.causal ? 1 : 0) + (op.tf32 ? 2 : 0) + (op.stream == copy_stream ? 4 : 0);
  const uint64_t head =
      static_cast<uint64_t>(op.kernel) | uint64_t{op.inputs} << 8 | uint64_t{op.outputs} << 16 | flags << 24;
  out.add(head, signature::word(op.input_bytes));  // an input that stands there twice is read once
  out.add(signature::word(op.params[0]), signature::word(op.params[1]));
  const TensorMeta* const* operand = trace.operands.data() + op.operands;
  for (int k = 0; k < op.inputs + op.outputs; ++k) signature::add_operand(*operand[k], out);
  out.add(signature::word(op.params[2]), 0);
}

}  // namespace modelmeter
