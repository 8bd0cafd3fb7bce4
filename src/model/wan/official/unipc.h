// The twin of the official UniPC sampler: Wan-Video/Wan2.1 @9737cba, wan/utils/fm_solvers_unipc.py
// (FlowUniPCMultistepScheduler), with the defaults that generate() leaves: order 2, bh2, predict_x0, lower_order_final.
//
// A step corrects the latent with the new prediction (not the first), then predicts the next one. The first and the
// last prediction are of order 1; a correction is of the order of the prediction before it.
#pragma once

#include "model/wan/official/flow_scheduler.h"

namespace modelmeter::wan::official {

class FlowUniPCMultistepScheduler : public FlowScheduler {
 public:
  using FlowScheduler::FlowScheduler;
  void add_to(LoopState& state) const override;

 protected:
  Tensor solve(int64_t i, const Tensor& model_output, Tensor sample) override;

 private:
  int64_t order(int64_t i) const;
  Tensor predict(const Tensor& sample, int64_t order) const;
  Tensor correct(const Tensor& this_model_output, int64_t order) const;
  Tensor multistep_uni_p_bh_update(const Tensor& sample, int64_t order) const;
  Tensor multistep_uni_c_bh_update(const Tensor& this_model_output, int64_t order) const;

  Tensor last_sample_;
};

}  // namespace modelmeter::wan::official
