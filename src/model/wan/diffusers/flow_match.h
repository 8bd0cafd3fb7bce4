// The twins of diffusers' FlowMatchEulerDiscreteScheduler and FlowMatchLCMScheduler (0.42.1,
// scheduling_flow_match_*.py): noise levels on the device, one prediction a step, the sample given back in the model's
// dtype. LCM adds new noise.
//
// Distilled models run them for 4 or 8 steps. Not modelled: stochastic_sampling, per-token time steps, scale factors.
#pragma once

#include "model/wan/diffusers/scheduler.h"

namespace modelmeter::wan::diffusers {

class FlowMatchEulerDiscreteScheduler : public FlowScheduler {
 public:
  explicit FlowMatchEulerDiscreteScheduler(int64_t steps);

 protected:
  Tensor solve(int64_t i, const Tensor& model_output, Tensor sample) override;

  Tensor sigmas_;  // [steps + 1]
};

class FlowMatchLCMScheduler : public FlowMatchEulerDiscreteScheduler {
 public:
  using FlowMatchEulerDiscreteScheduler::FlowMatchEulerDiscreteScheduler;

 protected:
  Tensor solve(int64_t i, const Tensor& model_output, Tensor sample) override;
};

}  // namespace modelmeter::wan::diffusers
