// What everything that is reported stands on: the trace of a run and what it adds up to. Made once (evaluate() in
// layer/stage_cost.h) and handed to all who read it: reports, pages of layers, memory over time, layer classes,
// comparisons. It does not change, so that many threads may read one.
#pragma once

#include <memory>

#include "cost/rollup.h"
#include "trace/tracer.h"

namespace modelmeter {

class Evaluation {
 public:
  // Of what the tracer recorded; none of its tensors is alive.
  explicit Evaluation(std::unique_ptr<const Tracer> tracer)
      : tracer_(std::move(tracer)), rollup_(roll_up(tracer_->trace())) {}

  const Trace& trace() const { return tracer_->trace(); }
  const Rollup& rollup() const { return rollup_; }

 private:
  std::unique_ptr<const Tracer> tracer_;
  Rollup rollup_;
};

}  // namespace modelmeter
