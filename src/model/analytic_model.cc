#include "model/analytic_model.h"

#include "base/checked.h"

namespace modelmeter {

void Stage::record(Tracer& tracer, int64_t times) const {
  Tracer::Guard guard(tracer);
  Trace& trace = tracer.trace();
  trace.given_bytes = checked_add(trace.given_bytes, parameter_bytes(), "the size of the weights");
  trace.given_bytes = checked_add(trace.given_bytes, layer().buffer_bytes(), "the size of the buffers");
  tracer.enter_repetition(times);
  forward(tracer);
  tracer.leave();
}

void AnalyticModel::trace(Tracer& tracer) const {
  for (const auto& stage : stages()) {
    tracer.enter_function(stage->id());
    stage->trace(tracer);
    tracer.leave();
  }
}

void AnalyticModel::trace_forward(Tracer& tracer) const {
  for (const auto& stage : stages()) {
    tracer.enter_function(stage->id());
    stage->trace_forward(tracer);
    tracer.leave();
  }
}

int64_t AnalyticModel::parameter_count() const {
  int64_t total = 0;
  for (const auto& stage : stages()) total = checked_add(total, stage->parameter_count(), "the number of parameters");
  return total;
}

int64_t AnalyticModel::parameter_bytes() const {
  int64_t total = 0;
  for (const auto& stage : stages()) total = checked_add(total, stage->parameter_bytes(), "the size of the weights");
  return total;
}

}  // namespace modelmeter
