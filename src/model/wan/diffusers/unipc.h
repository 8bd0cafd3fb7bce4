// The twin of diffusers' UniPCMultistepScheduler (0.42.1, scheduling_unipc_multistep.py) as Wan's pipelines configure
// it: flow sigmas and prediction, order 2, bh2, predict_x0, lower_order_final.
//
// The steps of the official one, but the coefficients are computed on the device: noise levels are copied there one by
// one, and everything made of them is a kernel of one number.
#pragma once

#include "model/wan/diffusers/scheduler.h"

namespace modelmeter::wan::diffusers {

class UniPCMultistepScheduler : public FlowScheduler {
 public:
  explicit UniPCMultistepScheduler(int64_t steps);
  void add_to(LoopState& state) const override;

 protected:
  Tensor solve(int64_t i, const Tensor& model_output, Tensor sample) override;

 private:
  struct Coefficients;

  int64_t order(int64_t i) const;
  Tensor convert_model_output(const Tensor& model_output, const Tensor& sample) const;
  Tensor predict(const Tensor& sample, int64_t order) const;
  Tensor correct(const Tensor& this_model_output, int64_t order) const;
  Coefficients coefficients(int64_t order) const;
  Tensor multistep_uni_p_bh_update(const Tensor& sample, int64_t order) const;
  Tensor multistep_uni_c_bh_update(const Tensor& this_model_output, int64_t order) const;

  Tensor model_outputs_[2];  // the newest last
  Tensor last_sample_;
};

}  // namespace modelmeter::wan::diffusers
