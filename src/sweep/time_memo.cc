#include "sweep/time_memo.h"

#include "base/checked.h"
#include "cost/executions.h"

namespace modelmeter {

void TimeMemo::add(const RunValues& run, const PartPlace& place, std::vector<StageTime>& out) {
  const int64_t forwards = part_.forwards(run);
  RunKey key;
  for (const Dependence& d : depends_on_) key.add(run[d.value]);
  for (const int64_t value : {static_cast<int64_t>(place.offload.kind), int64_t{place.on_device}, place.arriving_bytes,
                              place.leaving_bytes, forwards}) {
    key.add(value);
  }
  auto known = times_.find(key);
  if (known == times_.end()) {
    std::vector<StageTime> times = times_of(key, run, place, forwards);
    if (times_.size() >= most_times) times_.clear();
    known = times_.emplace(key, std::move(times)).first;
  }
  out.insert(out.end(), known->second.begin(), known->second.end());
}

std::vector<StageTime> TimeMemo::times_of(const RunKey& key, const RunValues& run, const PartPlace& place,
                                          int64_t forwards) {
  RunKey of_forward = key;
  of_forward.values[--of_forward.size] = 0;  // however often
  if (parts_.size() >= most_parts && parts_.count(of_forward) == 0) parts_.clear();
  Part& part = parts_[of_forward];
  std::vector<StageTime> out;
  const std::vector<std::shared_ptr<TimedStage>> stages = stages_of(part, run, place);
  for (size_t i = 0; i < stages.size(); ++i) {
    executions_.clear();
    for (const int64_t once : part.executions[i]) {
      executions_.push_back(checked_mul(once, forwards, "the number of executions"));
    }
    out.push_back(stages[i]->time(executions_));
    out.back().stage = part.names[i];
  }
  return out;
}

std::vector<std::shared_ptr<TimedStage>> TimeMemo::stages_of(Part& part, const RunValues& run, const PartPlace& place) {
  std::vector<std::shared_ptr<TimedStage>> out;
  for (const std::weak_ptr<TimedStage>& stage : part.stages) {
    out.push_back(stage.lock());
    if (out.back() == nullptr) break;
  }
  if (!out.empty() && out.back() != nullptr) return out;
  part = Part();
  out.clear();
  trace(run, place);
  const Trace& trace = tracer_->trace();
  const std::vector<int64_t> of_scopes = executions_of_scopes(trace);
  for (const StageOps& stage : stage_ops(trace)) {
    out.push_back(timer_.stage(trace, stage));
    part.stages.push_back(out.back());
    part.names.emplace_back(trace.scopes[static_cast<size_t>(stage.residence.scope)].name);
    executions_in(trace, stage, of_scopes, part.executions.emplace_back());
  }
  return out;
}

// One forward, with every kernel, and its residences as AnalyticModel::trace records them.
void TimeMemo::trace(const RunValues& run, const PartPlace& place) {
  if (!tracer_) tracer_ = std::make_unique<Tracer>();
  tracer_->clear();
  ++traced_;
  Trace& trace = tracer_->trace();
  const int32_t scope = tracer_->enter_function(part_.id());
  part_.trace_forward(*tracer_, run);
  tracer_->leave();
  if (is_stage_) {
    trace.residences.push_back(
        {scope, 0, place.on_device, place.arriving_bytes, place.leaving_bytes, 0, place.offload.record_stream});
    return;
  }
  // The functions within the repetition that stands for all forwards.
  const int32_t forwards = trace.scopes[static_cast<size_t>(scope)].first_child;
  for (int32_t child = trace.scopes[static_cast<size_t>(forwards)].first_child; child >= 0;
       child = trace.scopes[static_cast<size_t>(child)].next_sibling) {
    if (trace.scopes[static_cast<size_t>(child)].kind == ScopeKind::function) trace.residences.push_back({child, 0});
  }
}

}  // namespace modelmeter
