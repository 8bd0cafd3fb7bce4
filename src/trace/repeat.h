// Repetition without tracing every iteration.
#pragma once

#include <utility>
#include <vector>

#include "trace/tracer.h"

namespace modelmeter {

// Whether two tensors look the same to a kernel: sizes, strides and dtype.
inline bool same_layout(const Tensor& a, const Tensor& b) { return a.meta().same_layout(b.meta()); }

// A tensor of new memory that no traced kernel made: stands for what an untraced iteration leaves behind.
inline Tensor untraced_like(const Tensor& x) { return x.tracer().allocate(x.sizes(), x.strides(), x.dtype()); }

// Runs `state = body(i, state)` for i = 0 … n - 1, tracing until an iteration leaves the state and the live memory as
// it found them: the rest are the same and are counted in a scope of that many repetitions. In it the body's module
// scopes carry the index of the first.
template <class Body>
Tensor repeat(int64_t n, Tensor state, Body body) {
  Tracer& tracer = Tracer::current();
  for (int64_t i = 0; i < n; ++i) {
    const int64_t live = tracer.live();
    const Storage* found = state.meta().storage;
    const int32_t scope = tracer.enter_repetition(1);
    Tensor next = body(i, state);
    tracer.leave();
    const bool steady = same_layout(state, next);
    state = std::move(next);
    if (tracer.folds && !tracer.unrolls_layers && steady && tracer.live() == live) {
      tracer.trace().scopes[static_cast<size_t>(scope)].count = n - i;
      tracer.trace().carried.push_back({scope, found, state.meta().storage});
      break;
    }
  }
  return state;
}

// Runs body() n times where every run is like the first and leaves nothing behind.
template <class Body>
void repeat_alike(int64_t n, Body body) {
  Tracer& tracer = Tracer::current();
  const int64_t traced = tracer.folds ? 1 : n;
  for (int64_t i = 0; i < traced; ++i) {
    const int64_t given = tracer.trace().given_bytes;
    tracer.enter_repetition(n / traced);
    body();
    tracer.leave();
    if (i > 0) tracer.trace().given_bytes = given;  // the same inputs again
  }
}

// What a loop carries from one iteration to the next. An iteration is steady, and those after it are like it, when it
// leaves the layouts of `same` as it found them and each of `growing` longer along one dimension.
struct LoopState {
  std::vector<const Tensor*> same;
  std::vector<Tensor*> growing;  // contiguous, the only tensors of their storages
};

// One loop being traced; the non-template part of repeat_steadily().
class Loop {
 public:
  explicit Loop(const LoopState& state) : state_(state), tracer_(Tracer::current()) {}

  void begin();
  bool end();  // whether the iteration was steady
  bool folds(int64_t n) const {
    return tracer_.folds && n > tracer_.unrolls && !(tracer_.unrolls_layers && state_.growing.empty());
  }
  void fold(int64_t times);  // counts it so often
  void begin_last();         // makes `growing` what the last iteration finds
  void end_last();
  void check_live() const;  // Error where untraced iterations did not leave the memory that they would

 private:
  void carry(const TensorMeta* found, const TensorMeta* left);

  const LoopState& state_;
  Tracer& tracer_;
  Tracer::Parts parts_;
  Tracer::Parts* outer_parts_ = nullptr;
  bool outer_shares_calls_ = false;
  std::vector<const TensorMeta*> before_;
  size_t first_op_ = 0;
  int64_t live_before_ = 0, live_step_ = 0, times_ = 1;
  int32_t scope_ = 0;
};

// Runs body(i) for i = 0 … n - 1, tracing until an iteration is steady and, if something grows, the last one. Costs and
// live memory are exact for all: see Trace. `skip(i)` stands for an untraced iteration where that leaves something
// behind that grows out of nothing (`untraced_like`).
template <class Body, class Skip>
void repeat_steadily(int64_t n, const LoopState& state, Body body, Skip skip) {
  Loop loop(state);
  for (int64_t i = 0; i < n; ++i) {
    loop.begin();
    body(i);
    if (!loop.end() || i + 1 == n || !loop.folds(n)) continue;
    loop.fold(n - i);
    const bool traces_last = !state.growing.empty();
    for (int64_t k = i + 1; k < n - traces_last; ++k) skip(k);
    if (traces_last) {
      loop.begin_last();
      body(n - 1);
      loop.end_last();
    }
    loop.check_live();
    return;
  }
}
template <class Body>
void repeat_steadily(int64_t n, const LoopState& state, Body body) {
  repeat_steadily(n, state, body, [](int64_t) {});
}

[[noreturn]] void throw_not_skippable();

// A part of a growing loop's body that does not grow: of the last iteration it is not traced. `part()` gives a tensor
// of new memory; what else it changes must look the same after as before in a steady iteration.
template <class Part>
Tensor alike(Part part) {
  Tracer& tracer = Tracer::current();
  Tracer::Parts* parts = tracer.parts;
  if (parts != nullptr && tracer.replaying()) {
    const Tracer::Part& known = parts->list[parts->next++];
    if (!known.skippable && !known.shared) return part();
    if (!known.skippable) throw_not_skippable();
    tracer.skip_replay(known.end_op, known.end_scope);
    return tracer.allocate(known.result->sizes, known.result->strides(), known.result->dtype);
  }
  if (parts == nullptr) return part();
  const Trace& trace = tracer.trace();
  const int64_t live = tracer.live();
  const size_t shared = trace.shared_calls.size();
  const bool shares_calls = tracer.exchange_shares_calls(parts->shares_calls);
  Tensor out = part();
  tracer.exchange_shares_calls(shares_calls);
  parts->list.push_back({trace.ops.size(), static_cast<int32_t>(trace.scopes.size()), &out.meta(),
                         tracer.live() - live == out.meta().storage->bytes, trace.shared_calls.size() > shared});
  return out;
}

}  // namespace modelmeter
