#include "cost/executions.h"

#include <algorithm>

#include "base/checked.h"
#include "base/error.h"

namespace modelmeter {

void expect_every_kernel(const Trace& trace) {
  if (trace.shared_calls.empty()) return;
  throw Error(ErrorCode::internal, "a trace in which calls were shared has not every kernel where it runs");
}

namespace {

// On the line from `first` (k = 0) to `last` (k = steps).
int64_t between(int64_t first, int64_t last, int64_t k, int64_t steps) { return first + (last - first) / steps * k; }

void move(Shape& out, const Shape& first, const Shape& last, int64_t k, int64_t steps) {
  for (int d = 0; d < out.rank(); ++d) out[d] = between(first[d], last[d], k, steps);
}

void move(TensorMeta& out, Shape& strides, const TensorMeta& first, const TensorMeta& last, int64_t k, int64_t steps) {
  out.numel = between(first.numel, last.numel, k, steps);
  out.bytes = between(first.bytes, last.bytes, k, steps);
  out.offset = between(first.offset, last.offset, k, steps);
  move(out.sizes, first.sizes, last.sizes, k, steps);
  out.own_strides = nullptr;
  if (first.contiguous() && last.contiguous()) return;
  out.own_strides = &strides;
  strides = first.strides();
  move(strides, first.strides(), last.strides(), k, steps);
}

}  // namespace

void executions_of_scopes(const Trace& trace, std::vector<int64_t>& out) {
  out.assign(trace.scopes.size(), 1);
  for (size_t i = 0; i < trace.scopes.size(); ++i) {
    const Scope& scope = trace.scopes[i];
    const int64_t above = scope.parent < 0 ? 1 : out[static_cast<size_t>(scope.parent)];
    out[i] = checked_mul(above, scope.count, "the number of repetitions");
  }
}

std::vector<int64_t> executions_of_scopes(const Trace& trace) {
  std::vector<int64_t> out;
  executions_of_scopes(trace, out);
  return out;
}

int64_t iterations_of(const Trace& trace, const Op& op) {
  if (op.last < 0) return 1;
  auto at = static_cast<size_t>(op.scope);
  while (!trace.scopes[at].growing) at = static_cast<size_t>(trace.scopes[at].parent);
  return trace.scopes[at].count;
}

OpAtIteration::OpAtIteration(const Trace& trace, const Op& op)
    : op_(op),
      last_(op.last < 0 ? nullptr : &trace.last_ops[static_cast<size_t>(op.last)]),
      recorded_(trace.recorded_kernel(op)),
      steps_(iterations_of(trace, op) - 1),
      params_(op.params),
      live_(op.live) {
  const auto operands_of = [&](const Op& of) {
    const auto first = trace.operands.begin() + of.operands;
    return std::vector<const TensorMeta*>(first, first + of.inputs + of.outputs);
  };
  first_operands_ = operands_ = operands_of(op);
  if (last_ == nullptr) return;
  last_operands_ = operands_of(*last_);
  for (const TensorMeta* meta : first_operands_) metas_.push_back(*meta);
  strides_.resize(metas_.size());
  for (size_t i = 0; i < metas_.size(); ++i) operands_[i] = &metas_[i];
}

void OpAtIteration::move_to(int64_t k) {
  if (last_ == nullptr) return;
  for (size_t i = 0; i < metas_.size(); ++i) {
    move(metas_[i], strides_[i], *first_operands_[i], *last_operands_[i], k, steps_);
  }
  for (size_t i = 0; i < params_.size(); ++i) params_[i] = between(op_.params[i], last_->params[i], k, steps_);
  live_ = between(op_.live, last_->live, k, steps_);
}

OpAtIteration op_at(const Trace& trace, const Op& op, int64_t k) {
  OpAtIteration out(trace, op);
  out.move_to(k);
  return out;
}

Count sum_of_polynomial(const Trace& trace, const Executions& executions, int degree,
                        const std::function<Count(const Launch&)>& f) {
  const int64_t iterations = iterations_of(trace, executions.op);
  std::vector<Count> differences;  // forward differences at 0: of order 0, 1, …
  OpAtIteration at(trace, executions.op);
  for (int64_t k = 0; k < std::min<int64_t>(degree + 1, iterations); ++k) {
    at.move_to(k);
    differences.push_back(f(at.launch()));
  }
  for (size_t order = 1; order < differences.size(); ++order) {
    for (size_t i = differences.size() - 1; i >= order; --i) differences[i] -= differences[i - 1];
  }
  // Newton: the sum over k < n of a polynomial is the sum over j of C(n, j + 1) times its j-th difference.
  Count sum, binomial = 1;
  for (size_t j = 0; j < differences.size(); ++j) {
    binomial = binomial * (iterations - static_cast<int64_t>(j)) / (static_cast<int64_t>(j) + 1);
    sum += binomial * differences[j];
  }
  return sum * (executions.times / iterations);
}

}  // namespace modelmeter
