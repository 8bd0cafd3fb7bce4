// Costs summed over scopes and repetitions, and the peaks of live memory.
#pragma once

#include <cstdint>
#include <iterator>
#include <vector>

#include "base/count.h"
#include "cost/op_cost.h"

namespace modelmeter {

// Sums over any number of kernels: exact, past 64 bits, and checked.
struct Cost {
  Count kernels = 0;
  Count flops_tensor = 0;
  Count flops_vector = 0;
  Count bytes_read = 0;
  Count bytes_written = 0;
  Count flops_unknown = 0;  // of flops_tensor: what FlopCounterMode has no formula for

  Count flops_torch() const { return flops_tensor - flops_unknown; }
  Count flops_full() const { return flops_tensor.plus(flops_vector, "the number of FLOPs"); }
  Count bytes() const { return bytes_read.plus(bytes_written, "the number of bytes moved"); }
  // FLOP (full) per byte moved; 0 where nothing moves.
  double arithmetic_intensity() const;

  void add(const OpCost& cost);  // one execution of an op
  void add(const Cost& cost);
  // Adds half of it that many times; where that is the sum of an arithmetic progression, from its first and last
  // member.
  void add_half(const Cost& first_and_last, int64_t n);
  Cost times(int64_t n) const;
  // An equal part of it: every sum divided, rounded down.
  Cost part(int64_t parts) const;
  friend bool operator==(const Cost& a, const Cost& b);
};

// Every sum of a Cost with what errors call it. What reports show of them is in cost/figures.h.
struct CostSum {
  Count Cost::* member;
  const char* what;
};
inline constexpr CostSum cost_sums[] = {
    {&Cost::kernels, "the number of kernels"},
    {&Cost::flops_tensor, "the number of tensor FLOPs"},
    {&Cost::flops_vector, "the number of vector FLOPs"},
    {&Cost::bytes_read, "the number of bytes read"},
    {&Cost::bytes_written, "the number of bytes written"},
    {&Cost::flops_unknown, "the number of tensor FLOPs"},
};
static_assert(sizeof(Cost) == std::size(cost_sums) * sizeof(Count), "a member of Cost is not in cost_sums");

inline void Cost::add(const OpCost& cost) {
  kernels.add_64(cost.kernels);
  flops_tensor.add_64(cost.flops_tensor);
  flops_vector.add_64(cost.flops_vector);
  bytes_read.add_64(cost.bytes_read);
  bytes_written.add_64(cost.bytes_written);
  flops_unknown.add_64(cost.flops_unknown);
}

// What a scope costs with everything in it.
struct ScopeCost {
  Cost own;               // of the ops directly in the scope, all executions
  Cost inclusive;         // with those of its children, all executions
  int64_t peak_live = 0;  // highest live memory above the start while it runs
};

struct Rollup {
  std::vector<ScopeCost> scopes;    // as Trace::scopes
  std::vector<int64_t> executions;  // of each scope in the whole run
  int64_t peak_live = 0;            // above the start
  int32_t peak_op = -1;             // the first op at which it stands
  std::vector<OpCost> op_costs;     // of each op, where calls are shared: those of a shared call count again

  const Cost& total() const { return scopes.front().inclusive; }
  // With what is resident; of a run in stages, the highest of them.
  int64_t peak_live_bytes(const Trace& trace) const;
};

// One pass over the ops and one over the scopes. `out` is reused memory.
void roll_up(const Trace& trace, Rollup& out);
Rollup roll_up(const Trace& trace);

}  // namespace modelmeter
