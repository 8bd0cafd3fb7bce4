#include "layer/stage_cost.h"

namespace modelmeter {

Evaluation evaluate(const StageCostMixin& run) {
  auto tracer = std::make_unique<Tracer>();
  run.trace(*tracer);
  return Evaluation(std::move(tracer));
}

Evaluation evaluate_forward(const StageCostMixin& run) {
  auto tracer = std::make_unique<Tracer>();
  run.trace_forward(*tracer);
  return Evaluation(std::move(tracer));
}

StageCost StageCostMixin::get_forward_cost() const {
  Tracer tracer;
  tracer.share_calls(true);
  trace(tracer);
  return cost_of(tracer.trace(), roll_up(tracer.trace()));
}

StageCost StageCostMixin::cost_of(const Trace& trace, const Rollup& rollup) const {
  return {rollup.total(),   parameter_count(), parameter_bytes(),
          rollup.peak_live, kv_cache_bytes(),  rollup.peak_live_bytes(trace)};
}

}  // namespace modelmeter
