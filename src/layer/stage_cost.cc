#include "layer/stage_cost.h"

namespace modelmeter {

StageCost StageCostMixin::get_forward_cost() const {
  Tracer tracer;
  tracer.share_calls(true);
  trace(tracer);
  return cost_of_trace(tracer.trace(), roll_up(tracer.trace()));
}

StageCost StageCostMixin::cost_of_trace(const Trace& trace, const Rollup& rollup) const {
  return {rollup.total(),   parameter_count(), parameter_bytes(),
          rollup.peak_live, kv_cache_bytes(),  rollup.peak_live_bytes(trace)};
}

}  // namespace modelmeter
