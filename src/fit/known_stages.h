// What stages add to the runs that have them, each worked out once: of a few hundred ways to run, most stages are like
// those of ways before (Stage::identity()).
//
// A stage is traced by itself: its live memory, its copies of weights, its time on a machine; and, where the run is
// replayed, what it asks the allocator for. Keeps references. Not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "cost/rollup.h"
#include "memory/allocation_program.h"
#include "model/analytic_model.h"
#include "timing/run_timer.h"

namespace modelmeter {

struct StageFacts {
  int64_t input_bytes = 0;         // that it is given beside its weights
  int64_t peak_live = 0;           // above what it is given
  Count copied = 0;                // bytes of weights over the bus while it runs
  double wall = 0;                 // s, without what moves before it; 0 without a machine
  AllocationProgram program = {};  // where it has one yet
  bool has_program = false;
};

class KnownStages {
 public:
  // timer: none: nothing is timed.
  KnownStages(const Stack& stack, std::optional<RunTimer>& timer) : stack_(stack), timer_(timer) {}

  // Of a stage that has an identity. Valid as long as this.
  StageFacts& of(const Stage& stage);
  const AllocationProgram& program(const Stage& stage, StageFacts& facts) const;
  int64_t traced() const { return static_cast<int64_t>(known_.size()); }

 private:
  struct Known {
    std::shared_ptr<const StageIdentity> identity;
    std::vector<int64_t> numbers;  // of the run, that it depends on, and how often it runs
    Offload offload;
    Execution execution;
    StageFacts facts;
  };
  StageFacts trace(const Stage& stage);

  const Stack& stack_;
  std::optional<RunTimer>& timer_;
  Tracer tracer_;
  Rollup rollup_;
  std::vector<std::unique_ptr<Known>> known_;
};

}  // namespace modelmeter
