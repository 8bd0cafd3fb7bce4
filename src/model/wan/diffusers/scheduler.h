// What diffusers' schedulers share as Wan's pipelines use them (0.42.1): flow matching, time steps on the device. The
// classes: UniPCMultistepScheduler (unipc.h), those of flow_match.h, DPMSolverMultistepScheduler (dpm_solver.h).
#pragma once

#include <memory>
#include <vector>

#include "model/wan/sampling.h"
#include "trace/functional.h"
#include "trace/repeat.h"

namespace modelmeter::wan::diffusers {

class FlowScheduler {
 public:
  explicit FlowScheduler(int64_t steps) : steps_(steps) {}
  virtual ~FlowScheduler() = default;
  FlowScheduler(const FlowScheduler&) = delete;
  FlowScheduler& operator=(const FlowScheduler&) = delete;

  static std::unique_ptr<FlowScheduler> make(Scheduler scheduler, int64_t steps);  // with its set_timesteps()

  void set_begin_index() { begin_index_known_ = true; }
  const Tensor& timesteps() const { return timesteps_; }
  // step() number i. model_output and sample: [B, C, T, h, w].
  Tensor step(int64_t i, const Tensor& model_output, const Tensor& timestep, Tensor sample);
  virtual void add_to(LoopState&) const {}  // what is carried from step to step

 protected:
  virtual Tensor solve(int64_t i, const Tensor& model_output, Tensor sample) = 0;

  int64_t steps_;
  Tensor timesteps_;

 private:
  bool begin_index_known_ = false;
};

// The time steps of its set_timesteps(). The noise levels are s(x) = shift x / (1 + (shift - 1) x) of
// - UniPC: x = 1 - 0.999 i / steps, the first less 1e-6; integers;
// - DPM-Solver++: x = 0.999 (1 - i / steps); integers;
// - Euler and LCM: x from 1 to s(0.001) in equal steps, both ends among them.
// T2V-A14B's 40 steps by UniPC with shift 3 are 13 above its boundary of 0.875 and 27 below.
std::vector<double> noise_timesteps(Scheduler scheduler, int64_t steps, double shift);

}  // namespace modelmeter::wan::diffusers
