#include "cost/rollup.h"

#include <algorithm>

#include "base/checked.h"
#include "cost/executions.h"
#include "cost/live_memory.h"
#include "cost/recorded_cost.h"

namespace modelmeter {
double Cost::arithmetic_intensity() const {
  const Count moved = bytes();
  return moved == 0 ? 0.0 : static_cast<double>(flops_full()) / static_cast<double>(moved);
}

void Cost::add(const Cost& cost) {
  for (const auto& [figure, what] : cost_sums) this->*figure = (this->*figure).plus(cost.*figure, what);
}

Cost Cost::times(int64_t n) const {
  Cost out;
  for (const auto& [figure, what] : cost_sums) out.*figure = (this->*figure).times(n, what);
  return out;
}

void Cost::add_half(const Cost& first_and_last, int64_t n) { add(first_and_last.times(n).part(2)); }

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

// Adds each op to its scope, as one execution of that: repetition is multiplied in once per scope. Of ops that grow, a
// mean execution is half of the first and the last.
void add_ops(const Trace& trace, const std::vector<Rise>& rises, std::vector<Cost>& first_and_last, Rollup& out) {
  ScopeCost* const scopes = out.scopes.data();
  const Rise* const rise = rises.data();
  OpCost* next_cost = out.op_costs.empty() ? nullptr : out.op_costs.data();
  for (const Op& op : trace.ops) {
    const auto at = static_cast<size_t>(op.scope);
    ScopeCost& scope = scopes[at];
    const int64_t live = highest_live(trace, op, rise[at]);
    if (live > scope.peak_live) {
      scope.peak_live = live;
      if (live > out.peak_live) {
        out.peak_live = live;
        out.peak_op = static_cast<int32_t>(&op - trace.ops.begin());
      }
    }
    const OpCost cost = recorded_cost(trace, op);
    if (next_cost != nullptr) *next_cost++ = cost;
    if (op.last < 0) {
      scope.own.add(cost);
    } else {
      first_and_last[at].add(cost);
      first_and_last[at].add(cost_of(trace, trace.last_ops[static_cast<size_t>(op.last)]));
    }
  }
}

// From each scope's ops, per execution, to all executions with all that is in it.
void add_up_scopes(const Trace& trace, const std::vector<Cost>& first_and_last, Rollup& out) {
  // Children come after their parents, so that going backwards every scope is complete when it is added to its parent.
  for (size_t i = out.scopes.size(); i-- > 0;) {
    ScopeCost& scope = out.scopes[i];
    if (scope.own.kernels != 0 && out.executions[i] != 1) scope.own = scope.own.times(out.executions[i]);
    if (!first_and_last.empty() && first_and_last[i].kernels != 0) {
      scope.own.add_half(first_and_last[i], out.executions[i]);
    }
    if (scope.own.kernels != 0) scope.inclusive.add(scope.own);
    const Scope& place = trace.scopes[i];
    if (place.parent < 0) continue;
    ScopeCost& parent = out.scopes[static_cast<size_t>(place.parent)];
    if (scope.inclusive.kernels != 0) parent.inclusive.add(scope.inclusive);
    parent.peak_live = std::max(parent.peak_live, scope.peak_live);
  }
}

// Adds what calls share with a recorded one, of which the trace has no kernels of their own. As of ops, what is added
// is of one execution of the scope.
class SharedCosts {
 public:
  SharedCosts(const Trace& trace, const std::vector<Rise>& rises, Rollup& out)
      : trace_(trace), ops_(out.op_costs), rises_(rises), out_(out), costs_(trace.calls.size()) {}

  void add() {
    for (const SharedCall& call : trace_.shared_calls) costs_[static_cast<size_t>(call.like)].used = true;
    // A call ends before the one that it is in.
    for (size_t i = costs_.size(); i-- > 0;) {
      const RecordedCall& call = trace_.calls[i];
      if (costs_[i].used) for_each_shared(call, [&](const SharedCall& s) { cost_of(s).used = true; });
    }
    for (size_t i = 0; i < costs_.size(); ++i) {
      if (costs_[i].used) costs_[i] = cost_of(trace_.calls[i]);
    }
    for (const SharedCall& call : trace_.shared_calls) {
      const CallCost& cost = cost_of(call);
      const auto at = static_cast<size_t>(call.scope);
      ScopeCost& scope = out_.scopes[at];
      scope.own.add(cost.cost);
      scope.peak_live = std::max(scope.peak_live, call.live + rises_[at].all + cost.rise);
      if (scope.peak_live <= out_.peak_live) continue;
      out_.peak_live = scope.peak_live;
      out_.peak_op = -1;
    }
  }

 private:
  struct CallCost {
    Cost cost;
    int64_t rise = 0;  // of live memory above that when it began, at the most
    bool used = false;
  };

  CallCost& cost_of(const SharedCall& call) { return costs_[static_cast<size_t>(call.like)]; }

  template <class Visit>
  void for_each_shared(const RecordedCall& call, Visit visit) const {
    for (int32_t i = call.first_shared; i < call.end_shared; ++i) visit(trace_.shared_calls[static_cast<size_t>(i)]);
  }

  // Of a scope in the call: how often it runs in each call, and how its live memory rises.
  int64_t times_in(const RecordedCall& call, int32_t scope) const {
    return scope == call.scope
               ? 1
               : out_.executions[static_cast<size_t>(scope)] / out_.executions[static_cast<size_t>(call.scope)];
  }
  Rise rise_in(const RecordedCall& call, int32_t scope) const {
    const Rise& above = rises_[static_cast<size_t>(call.scope)];
    Rise out = rises_[static_cast<size_t>(scope)];
    out.all -= above.all;
    out.outside_growing -= above.outside_growing;
    return out;
  }

  CallCost cost_of(const RecordedCall& call) {
    CallCost out;
    out.used = true;
    for (int32_t i = call.first_op; i < call.end_op; ++i) {
      const Op& op = trace_.ops[static_cast<size_t>(i)];
      const OpCost& first = ops_[static_cast<size_t>(i)];
      if (op.scope == call.scope && op.last < 0) {  // once a call, as most are
        out.rise = std::max(out.rise, op.live - call.live);
        out.cost.add(first);
        continue;
      }
      out.rise = std::max(out.rise, highest_live(trace_, op, rise_in(call, op.scope)) - call.live);
      const int64_t times = times_in(call, op.scope);
      Cost cost;
      cost.add(first);
      if (op.last < 0) {
        out.cost.add(cost.times(times));
      } else {
        cost.add(modelmeter::cost_of(trace_, trace_.last_ops[static_cast<size_t>(op.last)]));
        out.cost.add_half(cost, times);
      }
    }
    for_each_shared(call, [&](const SharedCall& s) {
      const CallCost& cost = cost_of(s);
      const int64_t times = times_in(call, s.scope);
      out.cost.add(times == 1 ? cost.cost : cost.cost.times(times));
      out.rise = std::max(out.rise, s.live + rise_in(call, s.scope).all + cost.rise - call.live);
    });
    return out;
  }

  const Trace& trace_;
  const std::vector<OpCost>& ops_;
  const std::vector<Rise>& rises_;
  Rollup& out_;
  std::vector<CallCost> costs_;  // as Trace::calls
};

}  // namespace

void roll_up(const Trace& trace, Rollup& out) {
  out.scopes.assign(trace.scopes.size(), {});
  out.peak_live = 0;
  out.peak_op = -1;
  executions_of_scopes(trace, out.executions);
  const std::vector<Rise> rise = rises(trace);
  std::vector<Cost> first_and_last(trace.last_ops.empty() ? 0 : trace.scopes.size());
  out.op_costs.resize(trace.shared_calls.empty() ? 0 : trace.ops.size());
  add_ops(trace, rise, first_and_last, out);
  if (!trace.shared_calls.empty()) SharedCosts(trace, rise, out).add();
  add_up_scopes(trace, first_and_last, out);
}

int64_t Rollup::peak_live_bytes(const Trace& trace) const {
  if (trace.residences.empty()) return checked_add(trace.given_bytes, peak_live, "live memory");
  int64_t highest = 0;
  for (const Residence& r : trace.residences) {
    const int64_t own = r.on_device ? scopes[static_cast<size_t>(r.scope)].peak_live : 0;
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
