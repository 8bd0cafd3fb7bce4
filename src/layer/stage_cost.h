// StageCost: what one stage (text_encoder, diffusion, vae; vision, prefill, decode) or a whole model costs, and
// StageCostMixin, which gives it to everything that can record its run: the stages and the root that aggregates them.
//
// Figures are exact integers in base units; the methods give them in the units of reports (TFLOP = 1e12 FLOP, TB = 1e12
// bytes, GB = 1e9 bytes).
#pragma once

#include <cstdint>

#include "cost/evaluation.h"
#include "cost/rollup.h"
#include "trace/tracer.h"

namespace modelmeter {

struct StageCost {
  Cost cost;  // of the whole run, repetitions included
  int64_t parameters = 0;
  int64_t weight_bytes = 0;
  int64_t activation_peak_bytes = 0;  // highest live memory above weights, buffers and inputs
  int64_t kv_cache_bytes = 0;
  int64_t peak_live_bytes = 0;  // with weights, buffers and inputs

  double flops_tflops() const { return static_cast<double>(cost.flops_full()) / 1e12; }
  double flops_tensor_tflops() const { return static_cast<double>(cost.flops_tensor) / 1e12; }
  double flops_cuda_tflops() const { return static_cast<double>(cost.flops_vector) / 1e12; }
  double io_tb() const { return static_cast<double>(cost.bytes()) / 1e12; }
  double arithmetic_intensity() const { return cost.arithmetic_intensity(); }  // FLOP (full) per byte
  double weights_gb() const { return static_cast<double>(weight_bytes) / 1e9; }
  double activations_gb() const { return static_cast<double>(activation_peak_bytes) / 1e9; }
  double kv_gb() const { return static_cast<double>(kv_cache_bytes) / 1e9; }
};

class StageCostMixin {
 public:
  virtual ~StageCostMixin() = default;

  // Records the whole run into a cleared tracer. Const and thread-safe: one tracer per thread.
  virtual void trace(Tracer& tracer) const = 0;
  // Records one forward of the model, as a reference recording does.
  virtual void trace_forward(Tracer& tracer) const = 0;
  virtual int64_t parameter_count() const = 0;
  virtual int64_t parameter_bytes() const = 0;
  virtual int64_t kv_cache_bytes() const { return 0; }  // after the run; of models that have one

  StageCost get_forward_cost() const;  // of the whole run; traces it
  // The same, of a trace that was recorded by trace() or trace_forward().
  StageCost cost_of(const Evaluation& evaluation) const { return cost_of(evaluation.trace(), evaluation.rollup()); }
  StageCost cost_of(const Trace& trace, const Rollup& rollup) const;
};

// Traces the whole run, or one forward, in a tracer of its own. Const and thread-safe.
Evaluation evaluate(const StageCostMixin& run);
Evaluation evaluate_forward(const StageCostMixin& run);

}  // namespace modelmeter
