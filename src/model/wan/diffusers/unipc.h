// The twin of diffusers' UniPCMultistepScheduler (0.42.1, scheduling_unipc_multistep.py) as Wan's pipelines configure
// it: flow sigmas and prediction, order 2, bh2, predict_x0, lower_order_final.
//
// The steps of the official one, but the coefficients are computed on the device: noise levels are copied there one by
// one, and everything made of them is a kernel of one number.
#pragma once

#include "trace/functional.h"
#include "trace/repeat.h"

namespace modelmeter::wan::diffusers {

class UniPCMultistepScheduler {
 public:
  explicit UniPCMultistepScheduler(int64_t steps);  // with set_timesteps()
  UniPCMultistepScheduler(const UniPCMultistepScheduler&) = delete;
  UniPCMultistepScheduler& operator=(const UniPCMultistepScheduler&) = delete;

  void set_begin_index() { begin_index_known_ = true; }
  const Tensor& timesteps() const { return timesteps_; }
  // step() number i. model_output and sample: [B, C, T, h, w].
  Tensor step(int64_t i, const Tensor& model_output, const Tensor& timestep, Tensor sample);
  void add_to(LoopState& state) const;  // what is carried from step to step

 private:
  struct Coefficients;

  int64_t order(int64_t i) const;
  Tensor convert_model_output(const Tensor& model_output, const Tensor& sample) const;
  Tensor predict(const Tensor& sample, int64_t order) const;
  Tensor correct(const Tensor& this_model_output, int64_t order) const;
  Coefficients coefficients(int64_t order) const;
  Tensor multistep_uni_p_bh_update(const Tensor& sample, int64_t order) const;
  Tensor multistep_uni_c_bh_update(const Tensor& this_model_output, int64_t order) const;

  int64_t steps_;
  bool begin_index_known_ = false;
  Tensor timesteps_;
  Tensor model_outputs_[2];  // the newest last
  Tensor last_sample_;
};

}  // namespace modelmeter::wan::diffusers
