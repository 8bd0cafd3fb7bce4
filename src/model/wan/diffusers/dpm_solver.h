// The twin of diffusers' DPMSolverMultistepScheduler (0.42.1, scheduling_dpmsolver_multistep.py) made of the config of
// a Wan pipeline's scheduler: flow sigmas and prediction, order 2, dpmsolver++, midpoint. Noise levels and all
// arithmetic with them are on the host. The first and, as the last noise level is 0, the last step are of order 1.
#pragma once

#include "model/wan/diffusers/scheduler.h"

namespace modelmeter::wan::diffusers {

class DPMSolverMultistepScheduler : public FlowScheduler {
 public:
  explicit DPMSolverMultistepScheduler(int64_t steps);
  void add_to(LoopState& state) const override;

 protected:
  Tensor solve(int64_t i, const Tensor& model_output, Tensor sample) override;

 private:
  Tensor dpm_solver_first_order_update(const Tensor& sample) const;
  Tensor multistep_dpm_solver_second_order_update(const Tensor& sample) const;

  Tensor model_outputs_[2];  // the newest last
};

}  // namespace modelmeter::wan::diffusers
