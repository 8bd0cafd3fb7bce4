#include "memory/stage_programs.h"

#include <algorithm>
#include <optional>
#include <string>

#include "cost/executions.h"
#include "memory/workspace.h"

namespace modelmeter {
namespace {

class Hash {
 public:
  void add(int64_t n) {
    value_ ^= static_cast<uint64_t>(n) + 0x9e3779b97f4a7c15U + (value_ << 6) + (value_ >> 2);
    value_ *= 0xbf58476d1ce4e5b9U;
    value_ ^= value_ >> 31;
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

// What is made: its size and how long it lives, counted from the stage's first op.
void add_storage(const Storage& storage, int32_t first, Hash& out) {
  out.add(storage.bytes);
  out.add(storage.born - first);
  out.add(storage.died < 0 ? -1 : storage.died - first);
}

AllocationProgram program(const Trace& trace, OpRange ops, const Stack& stack, bool records_stream) {
  AllocationProgram out = allocation_program(trace, ops.first, ops.end, stack, records_stream);
  for (AllocationEvent& event : out.events) event.op -= ops.first;
  return out;
}

OpRange all_ops(const Trace& trace) { return {0, static_cast<int32_t>(trace.ops.size())}; }

}  // namespace

OpRange ops_within(const Trace& trace, int32_t scope) {
  OpRange out;
  const auto within = [&](const Op& op) { return trace.is_within(op.scope, scope); };
  const Op* const first = std::find_if(trace.ops.begin(), trace.ops.end(), within);
  out.first = static_cast<int32_t>(first - trace.ops.begin());
  out.end = static_cast<int32_t>(std::find_if_not(first, trace.ops.end(), within) - trace.ops.begin());
  return out;
}

std::vector<Residence> residences_in_order(const Trace& trace) {
  std::vector<Residence> out = trace.residences;
  std::sort(out.begin(), out.end(), [](const Residence& a, const Residence& b) { return a.scope < b.scope; });
  return out;
}

void trace_unrolled(const StageCostMixin& run, Tracer& tracer) {
  tracer.unrolls = unrolled_loops;
  run.trace(tracer);
}

AllocationProgram program_of(const Stage& stage, const Stack& stack) {
  Tracer tracer;
  trace_unrolled(stage, tracer);
  return program(tracer.trace(), all_ops(tracer.trace()), stack, stage.offload(stage.run()).record_stream);
}

uint64_t StagePrograms::signature(const Trace& trace, OpRange ops, const Residence& residence) const {
  Hash out;
  out.add(ops.end - ops.first);
  out.add(residence.records_stream ? 1 : 0);
  const std::vector<int64_t> executions = executions_of_scopes(trace);
  for (int32_t i = ops.first; i < ops.end; ++i) {
    const Op& op = trace.ops[static_cast<size_t>(i)];
    out.add(static_cast<int64_t>(op.kernel) << 16 | op.outputs << 8 | op.stream);
    out.add(op.scope - residence.scope);
    out.add(executions[static_cast<size_t>(op.scope)]);
    out.add(op.live);
    out.add(workspace_bytes(trace, op, stack_));
    for (int k = 0; k < op.outputs; ++k) add_storage(*trace.output(op, k).storage, ops.first, out);
    if (op.last < 0) continue;
    const Op& last = trace.last_ops[static_cast<size_t>(op.last)];
    out.add(last.live);
    for (int k = 0; k < last.outputs; ++k) out.add(trace.output(last, k).storage->bytes);
  }
  for (size_t number = 0; number < trace.of_stages.size(); ++number) {
    if (trace.of_stages[number] == nullptr) continue;
    out.add(static_cast<int64_t>(number));
    add_storage(*trace.of_stages[number], ops.first, out);
  }
  return out.value();
}

// Nothing where the run has not what the stage does by itself.
std::unique_ptr<AllocationProgram> StagePrograms::of_stage_alone(const AnalyticModel& model, const std::string& id,
                                                                 const Residence& residence, uint64_t expected) const {
  for (const auto& stage : model.stages()) {
    if (stage->id() != id) continue;
    Residence alone = residence;
    alone.scope = 0;
    Tracer folded;
    stage->trace(folded);
    if (signature(folded.trace(), all_ops(folded.trace()), alone) != expected) return nullptr;
    return std::make_unique<AllocationProgram>(program_of(*stage, stack_));
  }
  return nullptr;
}

std::vector<const AllocationProgram*> StagePrograms::operator()(const AnalyticModel& model, const Trace& folded) {
  std::vector<const AllocationProgram*> out;
  std::optional<Tracer> whole;
  const std::vector<Residence> residences = residences_in_order(folded);
  for (size_t i = 0; i < residences.size(); ++i) {
    const Residence& residence = residences[i];
    if (!residence.on_device) {
      out.push_back(nullptr);
      continue;
    }
    const uint64_t key = signature(folded, ops_within(folded, residence.scope), residence);
    std::unique_ptr<const AllocationProgram>& known = known_[key];
    if (known == nullptr) {
      const std::string id(folded.scopes[static_cast<size_t>(residence.scope)].name);
      known = of_stage_alone(model, id, residence, key);
    }
    if (known == nullptr) {
      if (!whole) trace_unrolled(model, whole.emplace());
      const OpRange ops = ops_within(whole->trace(), residences_in_order(whole->trace())[i].scope);
      known = std::make_unique<AllocationProgram>(program(whole->trace(), ops, stack_, residence.records_stream));
    }
    out.push_back(known.get());
  }
  return out;
}

}  // namespace modelmeter
