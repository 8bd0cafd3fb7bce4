// Which calls of pure functions a trace has recorded, and what they were called with, so that a call like one of them
// need not be recorded again.
//
// Two calls are like each other when the function is (by structure, not identity), the numbers that it is called with,
// the execution context, and the layouts and places of the tensors. Used by trace/shared_call.h.
#pragma once

#include <cstdint>
#include <vector>

#include "trace/arena.h"
#include "trace/tensor.h"

namespace modelmeter {

// What was called, with what.
struct CallKey {
  static constexpr size_t most_inputs = 4;

  int32_t function;                       // of structure_id()
  uint64_t context;                       // of the tracer
  Shape numbers;                          // that decide beside the tensors
  const TensorMeta* inputs[most_inputs];  // null where undefined
  size_t inputs_used;
  uint64_t elements;  // of all inputs: most calls that are not alike differ in it

  // Of calls of one function.
  bool like(const CallKey& other) const {
    if (elements != other.elements || context != other.context || inputs_used != other.inputs_used) return false;
    for (size_t i = 0; i < inputs_used; ++i) {
      if (!alike(inputs[i], other.inputs[i])) return false;
    }
    return numbers == other.numbers;
  }
  // Whether no two inputs share memory: what a kernel reads twice is counted once, so that it would matter how.
  bool apart() const {
    for (size_t i = 0; i < inputs_used; ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (inputs[i] != nullptr && inputs[j] != nullptr && inputs[i]->storage == inputs[j]->storage) return false;
      }
    }
    return true;
  }

 private:
  static bool alike(const TensorMeta* a, const TensorMeta* b) {
    if (a == nullptr || b == nullptr) return a == b;
    return a->same_layout(*b) && a->storage->place == b->storage->place;
  }
};

class Calls {
 public:
  // The index in Trace::calls of the last call like this, or -1.
  int32_t find(const CallKey& key) const {
    if (static_cast<size_t>(key.function) >= newest_.size()) return -1;
    const Newest& newest = newest_[static_cast<size_t>(key.function)];
    if (newest.round != round_) return -1;
    for (int32_t at = newest.at; at >= 0; at = known_[static_cast<size_t>(at)].older) {
      if (known_[static_cast<size_t>(at)].key.like(key)) return at;
    }
    return -1;
  }
  const TensorMeta& result(int32_t call) const { return *known_[static_cast<size_t>(call)].result; }
  void add(const CallKey& key, const TensorMeta& result);
  void clear() {
    known_.clear();
    ++round_;
  }

 private:
  struct Known {
    CallKey key;
    const TensorMeta* result;
    int32_t older;  // another of this function
  };
  struct Newest {
    uint64_t round = 0;
    int32_t at = -1;
  };
  std::vector<Known> known_;    // as Trace::calls
  std::vector<Newest> newest_;  // of each function, where `round` is that of now
  uint64_t round_ = 1;
};

// A small number for each text that says all there is to know of a function. Thread-safe.
int32_t structure_id(const std::string& text);

}  // namespace modelmeter
