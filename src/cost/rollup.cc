#include "cost/rollup.h"

#include <algorithm>

#include "base/checked.h"

namespace modelmeter {
namespace {

void accumulate(int64_t& sum, int64_t value, int64_t times, const char* what) {
  sum = checked_add(sum, checked_mul(value, times, what), what);
}

}  // namespace

int64_t Cost::flops_full() const { return checked_add(flops_tensor, flops_vector, "the number of FLOPs"); }
int64_t Cost::bytes() const { return checked_add(bytes_read, bytes_written, "the number of bytes moved"); }

double Cost::arithmetic_intensity() const {
  const int64_t moved = bytes();
  return moved == 0 ? 0.0 : static_cast<double>(flops_full()) / static_cast<double>(moved);
}

void Cost::add(const OpCost& cost, int64_t times) {
  accumulate(kernels, 1, times, "the number of kernels");
  accumulate(flops_tensor, cost.flops_tensor, times, "the number of tensor FLOPs");
  accumulate(flops_vector, cost.flops_vector, times, "the number of vector FLOPs");
  accumulate(bytes_read, cost.bytes_read, times, "the number of bytes read");
  accumulate(bytes_written, cost.bytes_written, times, "the number of bytes written");
}

void Cost::add(const Cost& cost, int64_t times) {
  accumulate(kernels, cost.kernels, times, "the number of kernels");
  accumulate(flops_tensor, cost.flops_tensor, times, "the number of tensor FLOPs");
  accumulate(flops_vector, cost.flops_vector, times, "the number of vector FLOPs");
  accumulate(bytes_read, cost.bytes_read, times, "the number of bytes read");
  accumulate(bytes_written, cost.bytes_written, times, "the number of bytes written");
}

void roll_up(const Trace& trace, Rollup& out) {
  out.scopes.assign(trace.scopes.size(), {});
  out.peak_live = 0;
  out.peak_op = -1;
  // Per execution of its scope first; repetition is multiplied in below, once per scope.
  for (size_t i = 0; i < trace.ops.size(); ++i) {
    const Op& op = trace.ops[i];
    ScopeCost& scope = out.scopes[static_cast<size_t>(op.scope)];
    scope.peak_live = std::max(scope.peak_live, op.live);
    if (op.live > out.peak_live) {
      out.peak_live = op.live;
      out.peak_op = static_cast<int32_t>(i);
    }
    if (info(op.kernel).kind != OpKind::allocate) scope.own.add(cost_of(trace, op), 1);
  }
  // Children come after their parents, so that going backwards every scope is complete when it is added to its parent.
  for (size_t i = out.scopes.size(); i-- > 0;) {
    ScopeCost& scope = out.scopes[i];
    scope.inclusive.add(scope.own);
    const Scope& place = trace.scopes[i];
    if (place.parent < 0) continue;
    ScopeCost& parent = out.scopes[static_cast<size_t>(place.parent)];
    parent.inclusive.add(scope.inclusive, place.count);
    parent.peak_live = std::max(parent.peak_live, scope.peak_live);
  }
  // Until here `inclusive` is per execution of the parent's; make it that of the whole run.
  std::vector<int64_t>& executions = out.executions;
  executions.assign(out.scopes.size(), 1);
  for (size_t i = 0; i < out.scopes.size(); ++i) {
    const Scope& place = trace.scopes[i];
    const int64_t outer = place.parent < 0 ? 1 : executions[static_cast<size_t>(place.parent)];
    executions[i] = checked_mul(outer, place.count, "the number of repetitions");
    if (executions[i] == 1) continue;
    Cost own, inclusive;
    own.add(out.scopes[i].own, executions[i]);
    inclusive.add(out.scopes[i].inclusive, executions[i]);
    out.scopes[i].own = own;
    out.scopes[i].inclusive = inclusive;
  }
}

Rollup roll_up(const Trace& trace) {
  Rollup out;
  roll_up(trace, out);
  return out;
}

}  // namespace modelmeter
