#include "cost/rollup.h"

#include <algorithm>

#include "base/checked.h"
#include "cost/live_memory.h"

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

void Cost::add(const OpCost& cost) {
  ++kernels;
  bool overflow = __builtin_add_overflow(flops_tensor, cost.flops_tensor, &flops_tensor);
  overflow |= __builtin_add_overflow(flops_vector, cost.flops_vector, &flops_vector);
  overflow |= __builtin_add_overflow(bytes_read, cost.bytes_read, &bytes_read);
  overflow |= __builtin_add_overflow(bytes_written, cost.bytes_written, &bytes_written);
  flops_unknown += cost.flops_unknown;  // at most flops_tensor
  if (overflow) throw_overflow("a sum of FLOPs or bytes");
}

void Cost::add(const Cost& cost) {
  bool overflow = __builtin_add_overflow(kernels, cost.kernels, &kernels);
  overflow |= __builtin_add_overflow(flops_tensor, cost.flops_tensor, &flops_tensor);
  overflow |= __builtin_add_overflow(flops_vector, cost.flops_vector, &flops_vector);
  overflow |= __builtin_add_overflow(bytes_read, cost.bytes_read, &bytes_read);
  overflow |= __builtin_add_overflow(bytes_written, cost.bytes_written, &bytes_written);
  overflow |= __builtin_add_overflow(flops_unknown, cost.flops_unknown, &flops_unknown);
  if (overflow) throw_overflow("a sum of FLOPs or bytes");
}

void Cost::add(const Cost& cost, int64_t times) {
  accumulate(kernels, cost.kernels, times, "the number of kernels");
  accumulate(flops_tensor, cost.flops_tensor, times, "the number of tensor FLOPs");
  accumulate(flops_vector, cost.flops_vector, times, "the number of vector FLOPs");
  accumulate(bytes_read, cost.bytes_read, times, "the number of bytes read");
  accumulate(bytes_written, cost.bytes_written, times, "the number of bytes written");
  accumulate(flops_unknown, cost.flops_unknown, times, "the number of tensor FLOPs");
}

void Cost::add_half(const Cost& first_and_last, int64_t times) {
  Cost all;
  all.add(first_and_last, times);
  add(Cost{all.kernels / 2, all.flops_tensor / 2, all.flops_vector / 2, all.bytes_read / 2, all.bytes_written / 2,
           all.flops_unknown / 2});
}

namespace {

void executions_and_rises(const Trace& trace, std::vector<int64_t>& executions, std::vector<Rise>& rises) {
  executions.assign(trace.scopes.size(), 1);
  rises.assign(trace.scopes.size(), {});
  for (size_t i = 0; i < trace.scopes.size(); ++i) {
    const Scope& scope = trace.scopes[i];
    const auto parent = static_cast<size_t>(std::max(scope.parent, 0));
    const bool root = scope.parent < 0;
    executions[i] = checked_mul(root ? 1 : executions[parent], scope.count, "the number of repetitions");
    rises[i] = rise_within(scope, root ? Rise() : rises[parent]);
  }
}

// The highest live memory of what a residence is about, with the weights that are streamed through.
int64_t highest_streamed(const Trace& trace, int32_t scope) {
  expect_every_kernel(trace);  // each has weights of its own
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

// From each scope's ops, per execution, to all executions with all that is in it.
void add_up_scopes(const Trace& trace, const std::vector<Cost>& first_and_last, Rollup& out) {
  // Children come after their parents, so that going backwards every scope is complete when it is added to its parent.
  for (size_t i = out.scopes.size(); i-- > 0;) {
    ScopeCost& scope = out.scopes[i];
    if (out.executions[i] != 1) {
      Cost own;
      own.add(scope.own, out.executions[i]);
      scope.own = own;
    }
    if (!first_and_last.empty() && first_and_last[i].kernels != 0) {
      scope.own.add_half(first_and_last[i], out.executions[i]);
    }
    scope.inclusive.add(scope.own);
    const Scope& place = trace.scopes[i];
    if (place.parent < 0) continue;
    ScopeCost& parent = out.scopes[static_cast<size_t>(place.parent)];
    parent.inclusive.add(scope.inclusive);
    parent.peak_live = std::max(parent.peak_live, scope.peak_live);
  }
}

// Adds what calls share with a recorded one, of which the trace has no kernels of their own. As of ops, what is added
// is of one execution of the scope.
class SharedCosts {
 public:
  // `ops`: the costs of the trace's ops, as they are.
  SharedCosts(const Trace& trace, const std::vector<OpCost>& ops, const std::vector<Rise>& rises, Rollup& out)
      : trace_(trace), ops_(ops), rises_(rises), out_(out), costs_(trace.calls.size()) {}

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
      out.rise = std::max(out.rise, highest_live(trace_, op, rise_in(call, op.scope)) - call.live);
      if (!launches(trace_, op)) continue;
      const OpCost& first = ops_[static_cast<size_t>(i)];
      const int64_t times = times_in(call, op.scope);
      if (op.last < 0 && times == 1) {
        out.cost.add(first);
        continue;
      }
      Cost cost;
      cost.add(first);
      if (op.last < 0) {
        out.cost.add(cost, times);
      } else {
        cost.add(modelmeter::cost_of(trace_, trace_.last_ops[static_cast<size_t>(op.last)]));
        out.cost.add_half(cost, times);
      }
    }
    for_each_shared(call, [&](const SharedCall& s) {
      const CallCost& cost = cost_of(s);
      out.cost.add(cost.cost, times_in(call, s.scope));
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
  std::vector<Rise> rises;
  executions_and_rises(trace, out.executions, rises);
  // Costs of ops are wanted again only for what shares them.
  const bool shares = !trace.shared_calls.empty();
  std::vector<OpCost> op_costs(shares ? trace.ops.size() : 0);
  // Per execution of its scope first; repetition is multiplied in below, once per scope. Of what grows, a mean
  // execution is half of the first and the last.
  std::vector<Cost> first_and_last(trace.last_ops.empty() ? 0 : trace.scopes.size());
  for (size_t i = 0; i < trace.ops.size(); ++i) {
    const Op& op = trace.ops[i];
    const auto at = static_cast<size_t>(op.scope);
    ScopeCost& scope = out.scopes[at];
    const int64_t live = highest_live(trace, op, rises[at]);
    if (live > scope.peak_live) {
      scope.peak_live = live;
      if (live > out.peak_live) {
        out.peak_live = live;
        out.peak_op = static_cast<int32_t>(i);
      }
    }
    if (!launches(trace, op)) continue;
    const OpCost cost = cost_of(trace, op);
    if (shares) op_costs[i] = cost;
    if (op.last < 0) {
      scope.own.add(cost);
    } else {
      first_and_last[at].add(cost);
      first_and_last[at].add(cost_of(trace, trace.last_ops[static_cast<size_t>(op.last)]));
    }
  }
  if (shares) SharedCosts(trace, op_costs, rises, out).add();
  add_up_scopes(trace, first_and_last, out);
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
