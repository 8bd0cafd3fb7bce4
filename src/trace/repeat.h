// Repetition without tracing every iteration.
#pragma once

#include "trace/tracer.h"

namespace modelmeter {

// Whether two tensors look the same to a kernel: sizes, strides and dtype.
inline bool same_layout(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.sizes() == b.sizes() && a.strides() == b.strides();
}

// Runs `state = body(i, state)` for i = 0 … n - 1, tracing until an iteration leaves the state and the live memory as it
// found them: the rest are the same and are counted in a scope of that many repetitions. In it the body's module scopes
// carry the index of the first.
template <class Body>
Tensor repeat(int64_t n, Tensor state, Body body) {
  Tracer& tracer = Tracer::current();
  for (int64_t i = 0; i < n; ++i) {
    const int64_t live = tracer.live();
    const int32_t scope = tracer.enter_repetition(1);
    Tensor next = body(i, state);
    tracer.leave();
    const bool steady = same_layout(state, next);
    state = std::move(next);
    if (steady && tracer.live() == live) {
      tracer.trace().scopes[static_cast<size_t>(scope)].count = n - i;
      break;
    }
  }
  return state;
}

}  // namespace modelmeter
