// The twin of the official DPM-Solver++ sampler: Wan-Video/Wan2.1 @9737cba, wan/utils/fm_solvers.py
// (FlowDPMSolverMultistepScheduler), with the defaults that generate() leaves: order 2, dpmsolver++, midpoint. The
// first and, as the last noise level is 0, the last step are of order 1.
#pragma once

#include "model/wan/official/flow_scheduler.h"

namespace modelmeter::wan::official {

class FlowDPMSolverMultistepScheduler : public FlowScheduler {
 public:
  using FlowScheduler::FlowScheduler;

 protected:
  Tensor solve(int64_t i, const Tensor& model_output, Tensor sample) override;

 private:
  Tensor dpm_solver_first_order_update(const Tensor& sample) const;
  Tensor multistep_dpm_solver_second_order_update(const Tensor& sample) const;
};

}  // namespace modelmeter::wan::official
