// Numbers of a run that something follows from, as a key of a map.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "model/run_values.h"

namespace modelmeter {

struct RunKey {
  static constexpr size_t most = std::tuple_size_v<RunValues> + 8;  // and what stands beside them
  std::array<int64_t, most> values{};
  size_t size = 0;

  void add(int64_t value) { values[size++] = value; }
  bool operator==(const RunKey& other) const {
    return size == other.size && std::equal(values.begin(), values.begin() + size, other.values.begin());
  }
};

struct RunKeyHash {
  size_t operator()(const RunKey& key) const {
    uint64_t hash = 0xcbf29ce484222325U;
    for (size_t i = 0; i < key.size; ++i) {
      hash = (hash ^ static_cast<uint64_t>(key.values[i])) * 0x9e3779b97f4a7c15U;
      hash ^= hash >> 32U;
    }
    return hash;
  }
};

}  // namespace modelmeter
