#include "cost/rollup.h"

#include <algorithm>

#include "base/checked.h"
#include "cost/executions.h"
#include "cost/live_memory.h"

namespace modelmeter {
double Cost::arithmetic_intensity() const {
  const Count moved = bytes();
  return moved == 0 ? 0.0 : static_cast<double>(flops_full()) / static_cast<double>(moved);
}

void Cost::add(const Cost& cost) {
  for (const auto& [figure, what] : cost_sums) this->*figure = (this->*figure).plus(cost.*figure, what);
}

void Cost::add(const Cost& cost, int64_t times) {
  for (const auto& [figure, what] : cost_sums) {
    this->*figure = (this->*figure).plus((cost.*figure).times(times, what), what);
  }
}

void Cost::add_half(const Cost& first_and_last, int64_t times) {
  Cost all;
  all.add(first_and_last, times);
  for (const auto& [figure, what] : cost_sums) this->*figure = (this->*figure).plus(all.*figure / 2, what);
}

Cost Cost::part(int64_t parts) const {
  Cost out;
  for (const auto& [figure, what] : cost_sums) out.*figure = this->*figure / parts;
  return out;
}

bool operator==(const Cost& a, const Cost& b) {
  return std::all_of(std::begin(cost_sums), std::end(cost_sums),
                     [&](const CostSum& sum) { return a.*sum.member == b.*sum.member; });
}

namespace {

// The highest live memory of what a residence is about, with the weights that are streamed through.
int64_t highest_streamed(const Trace& trace, int32_t scope) {
  const std::vector<int64_t> weights = streamed_weights(trace);
  const std::vector<Rise> rise = rises(trace);
  int64_t highest = 0;
  for (const Op& op : trace.ops) {
    if (!trace.is_within(op.scope, scope)) continue;
    const auto at = static_cast<size_t>(op.scope);
    highest = std::max(highest, checked_add(highest_live(trace, op, rise[at]), weights[at], "live memory"));
  }
  return highest;
}

}  // namespace

void roll_up(const Trace& trace, Rollup& out) {
  out.scopes.assign(trace.scopes.size(), {});
  out.peak_live = 0;
  out.peak_op = -1;
  executions_of_scopes(trace, out.executions);
  const std::vector<Rise> rise = rises(trace);
  // Per execution of its scope first; repetition is multiplied in below, once per scope. Of what grows, a mean
  // execution is half of the first and the last.
  std::vector<Cost> first_and_last(trace.last_ops.empty() ? 0 : trace.scopes.size());
  for_each_execution(trace, out.executions, [&](const Executions& e) {
    const auto at = static_cast<size_t>(e.op.scope);
    ScopeCost& scope = out.scopes[at];
    const int64_t live = highest_live(trace, e.op, rise[at]);
    scope.peak_live = std::max(scope.peak_live, live);
    if (live > out.peak_live) {
      out.peak_live = live;
      out.peak_op = e.index;
    }
    (e.last == nullptr ? scope.own : first_and_last[at]).add(cost_of(trace, e.op));
    if (e.last != nullptr) first_and_last[at].add(cost_of(trace, *e.last));
  });
  // Children come after their parents, so that going backwards every scope is complete when it is added to its parent.
  for (size_t i = out.scopes.size(); i-- > 0;) {
    ScopeCost& scope = out.scopes[i];
    if (out.executions[i] != 1) {
      Cost own;
      own.add(scope.own, out.executions[i]);
      scope.own = own;
    }
    if (!first_and_last.empty() && first_and_last[i].kernels != 0)
      scope.own.add_half(first_and_last[i], out.executions[i]);
    scope.inclusive.add(scope.own);
    const Scope& place = trace.scopes[i];
    if (place.parent < 0) continue;
    ScopeCost& parent = out.scopes[static_cast<size_t>(place.parent)];
    parent.inclusive.add(scope.inclusive);
    parent.peak_live = std::max(parent.peak_live, scope.peak_live);
  }
}

int64_t Rollup::peak_live_bytes(const Trace& trace) const {
  if (trace.residences.empty()) return checked_add(trace.given_bytes, peak_live, "live memory");
  int64_t highest = 0;
  for (const Residence& r : trace.residences) {
    const int64_t own = !r.on_device ? 0
                        : r.streamed ? highest_streamed(trace, r.scope)
                                     : scopes[static_cast<size_t>(r.scope)].peak_live;
    highest = std::max(highest, checked_add(r.given_bytes, own, "live memory"));
  }
  return highest;
}

Rollup roll_up(const Trace& trace) {
  Rollup out;
  roll_up(trace, out);
  return out;
}

}  // namespace modelmeter
