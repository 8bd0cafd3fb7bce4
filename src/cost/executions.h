// How often each op of a trace runs, and what it is each time: the one walk that every sum over a run goes through.
//
// A trace lists an op once, whatever repetitions it is in. Outside of growing loops all its executions are equal. In
// one, its sizes lie on the line through the first and the last iteration: FLOPs and bytes are linear then too (the
// tracer refuses what grows along two dimensions), and their sum is that of an arithmetic progression. What is not
// linear, as a duration with a floor, is summed by sum_over_iterations().
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/count.h"
#include "cost/op_factors.h"
#include "trace/trace.h"

namespace modelmeter {

// Error (internal) where calls were shared: sums and peaks count them, other readers want every kernel where it runs.
void expect_every_kernel(const Trace& trace);

// Of each scope, how often it runs in the whole run: the product of the counts up to the root. Error on overflow.
// `out` is reused memory.
void executions_of_scopes(const Trace& trace, std::vector<int64_t>& out);
std::vector<int64_t> executions_of_scopes(const Trace& trace);

// A recorded op with its executions.
struct Executions {
  const Op& op;    // of a growing loop in its first iteration
  const Op* last;  // in the last one; null where all executions are equal
  int32_t index;   // in Trace::ops
  int64_t times;   // in the whole run

  // The sum over all executions of what is linear in the iteration: f(op), an integer.
  template <class F>
  Count sum(const F& f) const {
    if (last == nullptr) return Count(f(op)) * times;
    return (Count(f(op)) + Count(f(*last))) * times / 2;
  }
};

// Calls visit(const Executions&) for each recorded op, in order. `executions` are those of the trace's scopes; with
// them given, ops of shared calls may be missing, for cost/rollup.h to add.
template <class Visit>
void for_each_execution(const Trace& trace, const std::vector<int64_t>& executions, const Visit& visit) {
  for (size_t i = 0; i < trace.ops.size(); ++i) {
    const Op& op = trace.ops[i];
    const Op* last = op.last < 0 ? nullptr : &trace.last_ops[static_cast<size_t>(op.last)];
    visit(Executions{op, last, static_cast<int32_t>(i), executions[static_cast<size_t>(op.scope)]});
  }
}
template <class Visit>
void for_each_execution(const Trace& trace, const Visit& visit) {
  expect_every_kernel(trace);
  for_each_execution(trace, executions_of_scopes(trace), visit);
}

// The iterations of the growing loop in which the op grows; 1 where its executions are equal.
int64_t iterations_of(const Trace& trace, const Op& op);

// An op at one iteration of the growing loop that it is in, operands included. One that does not grow is the same at
// every iteration.
class OpAtIteration {
 public:
  OpAtIteration(const Trace& trace, const Op& op);
  OpAtIteration(OpAtIteration&&) = default;
  OpAtIteration(const OpAtIteration&) = delete;
  OpAtIteration& operator=(const OpAtIteration&) = delete;

  // Iteration k, from 0 to iterations_of() - 1. Allocates nothing.
  void move_to(int64_t k);

  // Refer to this object, until it moves.
  Launch launch() const { return {op_.kernel, op_.inputs, op_.outputs, operands_.data(), params_.data(), recorded_}; }
  int64_t live() const { return live_; }  // Op::live

 private:
  const Op& op_;
  const Op* last_;
  const RecordedKernel* recorded_;
  int64_t steps_;  // from the first iteration to the last
  std::vector<const TensorMeta*> first_operands_, last_operands_;
  std::vector<TensorMeta> metas_;
  std::vector<Shape> strides_;  // of those that are not contiguous
  std::vector<const TensorMeta*> operands_;
  std::array<int64_t, 3> params_;
  int64_t live_;
};

OpAtIteration op_at(const Trace& trace, const Op& op, int64_t k);

// f(launch) summed over all executions of the op, exact whatever f is: every iteration of a growing loop is evaluated.
// `times` is how often the op runs. Integers are summed as a Count, others in their own type, in order.
template <class F>
auto sum_over_iterations(const Trace& trace, const Executions& executions, const F& f) {
  using Value = decltype(f(std::declval<const Launch&>()));
  using Sum = std::conditional_t<std::is_integral_v<Value>, Count, Value>;
  OpAtIteration at(trace, executions.op);
  const int64_t iterations = iterations_of(trace, executions.op);
  Sum sum = Sum();
  for (int64_t k = 0; k < iterations; ++k) {
    at.move_to(k);
    sum += f(at.launch());
  }
  return sum * static_cast<Sum>(executions.times / iterations);
}

// The same where f is an integer that is a polynomial of the iteration, of at most that degree: evaluated at degree + 1
// iterations.
Count sum_of_polynomial(const Trace& trace, const Executions& executions, int degree,
                        const std::function<Count(const Launch&)>& f);

}  // namespace modelmeter
