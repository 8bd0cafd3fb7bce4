#include "model/wan/diffusers/scheduler.h"

#include <cmath>

#include "model/wan/diffusers/dpm_solver.h"
#include "model/wan/diffusers/flow_match.h"
#include "model/wan/diffusers/unipc.h"

namespace modelmeter::wan::diffusers {

std::unique_ptr<FlowScheduler> FlowScheduler::make(Scheduler scheduler, int64_t steps) {
  switch (scheduler) {
    case Scheduler::dpm_solver: return std::make_unique<DPMSolverMultistepScheduler>(steps);
    case Scheduler::euler: return std::make_unique<FlowMatchEulerDiscreteScheduler>(steps);
    case Scheduler::lcm: return std::make_unique<FlowMatchLCMScheduler>(steps);
    case Scheduler::unipc: break;
  }
  return std::make_unique<UniPCMultistepScheduler>(steps);
}

Tensor FlowScheduler::step(int64_t i, const Tensor& model_output, const Tensor& timestep, Tensor sample) {
  FunctionScope scope("scheduler");
  if (i == 0 && !begin_index_known_) {  // index_for_timestep
    Tensor equal = torch::compare(Kernel::eq, timesteps_, timestep);
    torch::nonzero(std::move(equal), 1);
  }
  return solve(i, model_output, std::move(sample));
}

std::vector<double> noise_timesteps(Scheduler scheduler, int64_t steps, double shift) {
  const auto shifted = [&](double x) { return shift * x / (1.0 + (shift - 1.0) * x); };
  const auto share = [&](int64_t i, int64_t of) { return static_cast<double>(i) / static_cast<double>(of); };
  const bool integers = scheduler == Scheduler::unipc || scheduler == Scheduler::dpm_solver;
  const double lowest = shifted(0.001);
  std::vector<double> out;
  for (int64_t i = 0; i < steps; ++i) {
    double sigma = 0;
    if (scheduler == Scheduler::unipc) {
      sigma = shifted(1.0 - 0.999 * share(i, steps)) - (i == 0 ? 1e-6 : 0.0);
    } else if (scheduler == Scheduler::dpm_solver) {
      sigma = shifted(0.999 * (1.0 - share(i, steps)));
    } else {
      sigma = shifted(steps == 1 ? 1.0 : 1.0 - (1.0 - lowest) * share(i, steps - 1));
    }
    out.push_back(integers ? std::floor(1000.0 * sigma) : 1000.0 * sigma);
  }
  return out;
}

}  // namespace modelmeter::wan::diffusers
