// What the official schedulers share: time steps on the device, noise levels and all arithmetic with them on the host,
// the two last predictions of the clean latent. Source: Wan-Video/Wan2.1 @9737cba, wan/utils; Wan2.2's are the same.
//
// A latent in host memory is advanced there: that launches nothing and takes no device memory.
#pragma once

#include <memory>
#include <vector>

#include "model/wan/sampling.h"
#include "trace/repeat.h"

namespace modelmeter::wan::official {

class FlowScheduler {
 public:
  explicit FlowScheduler(int64_t steps);  // with its set_timesteps()
  virtual ~FlowScheduler() = default;
  FlowScheduler(const FlowScheduler&) = delete;
  FlowScheduler& operator=(const FlowScheduler&) = delete;

  static std::unique_ptr<FlowScheduler> make(Scheduler scheduler, int64_t steps);

  const Tensor& timesteps() const { return timesteps_; }
  // step() number i. model_output and sample: [1, C, T, h, w].
  Tensor step(int64_t i, const Tensor& model_output, const Tensor& timestep, const Tensor& sample);
  virtual void add_to(LoopState& state) const;  // what is carried from step to step

 protected:
  virtual Tensor solve(int64_t i, const Tensor& model_output, Tensor sample) = 0;

  Tensor convert_model_output(const Tensor& model_output, const Tensor& sample) const;
  void push(Tensor model_output);                                               // in place of the oldest
  static Tensor sigma() { return Tracer::current().host({}, DType::float32); }  // or what is computed from some

  int64_t steps_;
  Tensor timesteps_;
  Tensor model_outputs_[2];  // of solver_order, the newest last
};

// The time steps of its set_timesteps(), integers. The noise levels are s(x) = shift x / (1 + (shift - 1) x) of
// x = 0.999 (1 - i / steps) (UniPC) or 1 - i / steps (DPM-Solver++, get_sampling_sigmas). T2V-A14B's 40 steps by UniPC
// are 26 above its boundary and 14 below, I2V-A14B's 15 and 25.
std::vector<double> noise_timesteps(Scheduler scheduler, int64_t steps, double shift);

}  // namespace modelmeter::wan::official
