// What the stages of runs ask an allocator for, kept by what they run: of many runs that differ in a stage or in where
// weights are, each program is made once.
//
// A stage is known by a hash of 64 bits of all that its program follows from, in a trace whose repetitions are folded:
// its ops in order, how often each runs, sizes and lifetimes of what they make, workspaces. The program is that of a
// trace in which loops as short as those over chunks of a video are written out (Tracer::unrolls), which takes many
// times as long.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "memory/allocation_program.h"
#include "model/analytic_model.h"

namespace modelmeter {

struct OpRange {
  int32_t first = 0, end = 0;
};
// The ops of a scope, which stand in a row.
OpRange ops_within(const Trace& trace, int32_t scope);

// The stages of a trace in the order in which they run.
std::vector<Residence> residences_in_order(const Trace& trace);

// Loops as short as those over chunks of a video are written out where allocations are followed; tokens are not.
inline constexpr int64_t unrolled_loops = 256;
// Records the run so.
void trace_unrolled(const StageCostMixin& run, Tracer& tracer);
// Of a stage by itself, its ops numbered from 0.
AllocationProgram program_of(const Stage& stage, const Stack& stack);

class StagePrograms {
 public:
  explicit StagePrograms(const Stack& stack) : stack_(stack) {}

  const Stack& stack() const { return stack_; }
  // Of each stage of the run in order, its ops numbered from 0; nothing where it is not on the device. `folded`: the
  // model's trace. They live as long as this.
  std::vector<const AllocationProgram*> operator()(const AnalyticModel& model, const Trace& folded);

 private:
  uint64_t signature(const Trace& trace, OpRange ops, const Residence& residence) const;
  std::unique_ptr<AllocationProgram> of_stage_alone(const AnalyticModel& model, const std::string& id,
                                                    const Residence& residence, uint64_t expected) const;

  const Stack& stack_;
  std::unordered_map<uint64_t, std::unique_ptr<const AllocationProgram>> known_;
};

}  // namespace modelmeter
