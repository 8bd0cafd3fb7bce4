#include "fit/known_stages.h"

#include <algorithm>
#include <utility>

#include "cost/weight_transfers.h"
#include "memory/stage_programs.h"

namespace modelmeter {
namespace {

std::vector<int64_t> numbers_of(const Stage& stage) {
  std::vector<int64_t> out = {stage.forwards()};
  for (const Dependence& dependence : stage.depends_on()) {
    out.push_back(static_cast<int64_t>(dependence.value));
    out.push_back(stage.run()[dependence.value]);
  }
  return out;
}

}  // namespace

StageFacts& KnownStages::of(const Stage& stage) {
  auto known = std::make_unique<Known>();
  known->identity = stage.identity();
  known->numbers = numbers_of(stage);
  known->offload = stage.offload(stage.run());
  known->execution = stage.execution();
  const auto found = std::find_if(known_.begin(), known_.end(), [&](const std::unique_ptr<Known>& other) {
    return other->execution == known->execution && other->numbers == known->numbers &&
           other->offload == known->offload && other->identity->equals(*known->identity);
  });
  if (found != known_.end()) return (*found)->facts;
  known->facts = trace(stage);
  known_.push_back(std::move(known));
  return known_.back()->facts;
}

// As it is in the trace of a run, with nothing that moves before it.
StageFacts KnownStages::trace(const Stage& stage) {
  tracer_.clear();
  tracer_.enter_function(stage.id());
  Trace& trace = tracer_.trace();
  stage.trace(tracer_);
  StageFacts out;
  out.input_bytes = trace.given_bytes - stage.weight_and_buffer_bytes();
  Residence residence{tracer_.scope(), 0};
  residence.records_stream = stage.offload(stage.run()).record_stream;
  trace.residences.push_back(residence);
  tracer_.leave();
  roll_up(trace, rollup_);
  out.peak_live = rollup_.scopes[static_cast<size_t>(residence.scope)].peak_live;
  const WeightTransfers moved = weight_transfers(trace, residence);
  out.copied = moved.to_device + moved.to_host;
  if (timer_) out.wall = (*timer_)(trace, rollup_.executions).front().wall;
  tracer_.clear();  // scopes are named by the model
  return out;
}

const AllocationProgram& KnownStages::program(const Stage& stage, StageFacts& facts) const {
  if (!facts.has_program) {
    facts.program = program_of(stage, stack_);
    facts.has_program = true;
  }
  return facts.program;
}

}  // namespace modelmeter
