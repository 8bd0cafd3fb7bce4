#include "trace/repeat.h"

#include <algorithm>

#include "base/checked.h"
#include "base/error.h"

namespace modelmeter {
namespace {

// The same to kernels, and to live memory: what was given is not counted.
bool same_layout(const TensorMeta* a, const TensorMeta* b) {
  if (a == nullptr || b == nullptr) return a == b;
  if (a->storage->place != b->storage->place) return false;
  return a == b || a->same_layout(*b);
}

// Whether `after` is `before`, or `before` made longer along one dimension, in storage of its own.
bool grown(const TensorMeta* before, const TensorMeta* after) {
  if (before == nullptr || after == nullptr || before->dtype != after->dtype) return false;
  if (before->storage->place != after->storage->place) return false;
  if (before->sizes.rank() != after->sizes.rank() || !before->contiguous() || !after->contiguous()) return false;
  if (after->storage->bytes != after->numel * size_of(after->dtype)) return false;
  int growing = 0;
  for (int i = 0; i < before->sizes.rank(); ++i) growing += before->sizes[i] != after->sizes[i];
  return growing <= 1;
}

const TensorMeta* meta_of(const Tensor& x) { return x.defined() ? &x.meta() : nullptr; }

}  // namespace

void Loop::begin() {
  before_.clear();
  for (const Tensor* x : state_.same) before_.push_back(meta_of(*x));
  for (const Tensor* x : state_.growing) before_.push_back(meta_of(*x));
  live_before_ = tracer_.live();
  first_op_ = tracer_.trace().ops.size();
  if (!state_.growing.empty()) {
    // The last repetition is recorded against this one, kernel by kernel: all have to be there.
    // None can be steady that finds nothing there yet.
    outer_shares_calls_ = tracer_.shares_calls();
    const bool may_be_steady =
        std::all_of(state_.growing.begin(), state_.growing.end(), [](const Tensor* x) { return x->defined(); });
    if (may_be_steady) tracer_.exchange_shares_calls(false);
    parts_ = {{}, 0, outer_shares_calls_};
    outer_parts_ = std::exchange(tracer_.parts, &parts_);
  }
  scope_ = tracer_.enter_repetition(1);
}

bool Loop::end() {
  tracer_.leave();
  if (!state_.growing.empty()) {
    tracer_.parts = outer_parts_;
    tracer_.exchange_shares_calls(outer_shares_calls_);
  }
  live_step_ = tracer_.live() - live_before_;
  for (const Tensor* x : state_.same) {
    if (x->defined()) tracer_.trace().handed_on.push_back(x->meta().storage);
  }
  size_t at = 0;
  for (const Tensor* x : state_.same) {
    if (!same_layout(before_[at++], meta_of(*x))) return false;
  }
  for (const Tensor* x : state_.growing) {
    if (!grown(before_[at++], meta_of(*x))) return false;
  }
  return true;
}

void Loop::fold(int64_t times) {
  times_ = times;
  Scope& scope = tracer_.trace().scopes[static_cast<size_t>(scope_)];
  if (tracer_.replaying() && (scope.count != times || scope.live_step != live_step_)) {
    throw Error(ErrorCode::internal, "a loop in a growing loop changes with it");
  }
  scope.count = times;
  scope.live_step = live_step_;
  scope.growing = !state_.growing.empty();
  size_t at = 0;
  for (const Tensor* x : state_.same) carry(before_[at++], meta_of(*x));
  for (const Tensor* x : state_.growing) carry(before_[at++], meta_of(*x));
}

void Loop::carry(const TensorMeta* found, const TensorMeta* left) {
  if (found == nullptr || left == nullptr || found->storage == left->storage) return;
  tracer_.trace().carried.push_back({scope_, found->storage, left->storage});
}

void Loop::begin_last() {
  size_t at = state_.same.size();
  for (Tensor* x : state_.growing) {
    const TensorMeta& before = *before_[at++];
    const TensorMeta& after = x->meta();
    Shape sizes = after.sizes;
    for (int i = 0; i < sizes.rank(); ++i) sizes[i] += (times_ - 2) * (sizes[i] - before.sizes[i]);
    x->reset();
    *x = tracer_.allocate(sizes, after.dtype);
    const int64_t last = x->meta().bytes;
    std::vector<Grown>& grown = tracer_.trace().grown;
    grown.push_back({before.storage, last, scope_});
    grown.push_back({after.storage, last + after.bytes - before.bytes, scope_});
  }
  tracer_.exchange_shares_calls(false);
  tracer_.begin_replay(scope_, first_op_, tracer_.trace().ops.size());
  outer_parts_ = std::exchange(tracer_.parts, &parts_);
}

void Loop::end_last() {
  tracer_.end_replay();
  tracer_.parts = outer_parts_;
  tracer_.exchange_shares_calls(outer_shares_calls_);
}

void throw_not_skippable() {
  throw Error(ErrorCode::internal, "a part of a loop leaves more behind than its result, and its calls were shared");
}

void Loop::check_live() const {
  const int64_t growth = checked_mul(live_step_, times_, "live memory");
  if (tracer_.live() != checked_add(live_before_, growth, "live memory")) {
    throw Error(ErrorCode::internal, "a loop leaves memory behind that is not part of its state");
  }
}

}  // namespace modelmeter
