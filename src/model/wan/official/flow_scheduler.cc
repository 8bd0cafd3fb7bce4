#include "model/wan/official/flow_scheduler.h"

#include <cmath>

#include "model/wan/official/dpm_solver.h"
#include "model/wan/official/unipc.h"
#include "trace/shared_call.h"

namespace modelmeter::wan::official {

FlowScheduler::FlowScheduler(int64_t steps) : steps_(steps) {
  timesteps_ = torch::to_device(Tracer::current().host({steps}, DType::float64), DType::int64);
}

std::unique_ptr<FlowScheduler> FlowScheduler::make(Scheduler scheduler, int64_t steps) {
  if (scheduler == Scheduler::unipc) return std::make_unique<FlowUniPCMultistepScheduler>(steps);
  return std::make_unique<FlowDPMSolverMultistepScheduler>(steps);
}

void FlowScheduler::add_to(LoopState& state) const {
  for (const Tensor& output : model_outputs_) state.same.push_back(&output);
}

Tensor FlowScheduler::step(int64_t i, const Tensor& model_output, const Tensor& timestep, const Tensor& sample) {
  FunctionScope scope("scheduler");
  if (i == 0) {  // index_for_timestep
    Tensor equal = torch::compare(Kernel::eq, timesteps_, timestep);
    torch::nonzero(std::move(equal), 1);
  }
  if (sample.on_host()) return sample;
  return solve(i, model_output, sample);
}

Tensor FlowScheduler::convert_model_output(const Tensor& model_output, const Tensor& sample) const {
  static const int32_t function = structure_id("wan::official::convert_model_output");
  return shared_call(sample.tracer(), function, {&model_output, &sample}, {}, [&] {
    Tensor noise = torch::mul(sigma(), model_output);
    return torch::sub(sample, std::move(noise));
  });
}

void FlowScheduler::push(Tensor model_output) {
  model_outputs_[0] = model_outputs_[1];
  model_outputs_[1] = std::move(model_output);
}

std::vector<double> noise_timesteps(Scheduler scheduler, int64_t steps, double shift) {
  const double highest = scheduler == Scheduler::unipc ? 0.999 : 1.0;
  std::vector<double> out;
  for (int64_t i = 0; i < steps; ++i) {
    const double x = highest * (1.0 - static_cast<double>(i) / static_cast<double>(steps));
    out.push_back(std::floor(1000.0 * (shift * x / (1.0 + (shift - 1.0) * x))));
  }
  return out;
}

}  // namespace modelmeter::wan::official
