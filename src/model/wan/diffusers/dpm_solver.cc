#include "model/wan/diffusers/dpm_solver.h"

namespace modelmeter::wan::diffusers {
namespace {

Tensor sigma() { return Tracer::current().host({}, DType::float32); }  // or what is computed from some

}  // namespace

DPMSolverMultistepScheduler::DPMSolverMultistepScheduler(int64_t steps) : FlowScheduler(steps) {
  timesteps_ = torch::to_device(Tracer::current().host({steps}, DType::float64), DType::int64);
}

void DPMSolverMultistepScheduler::add_to(LoopState& state) const {
  for (const Tensor& output : model_outputs_) state.same.push_back(&output);
}

Tensor DPMSolverMultistepScheduler::solve(int64_t i, const Tensor& model_output, Tensor sample) {
  Tensor noise = torch::mul(sigma(), model_output);
  Tensor x0_pred = torch::sub(sample, std::move(noise));
  model_outputs_[0] = model_outputs_[1];
  model_outputs_[1] = std::move(x0_pred);
  sample = torch::to(std::move(sample), DType::float32);
  const bool first_order = i == 0 || i == steps_ - 1;
  return first_order ? dpm_solver_first_order_update(sample) : multistep_dpm_solver_second_order_update(sample);
}

Tensor DPMSolverMultistepScheduler::dpm_solver_first_order_update(const Tensor& sample) const {
  Tensor x_t = torch::mul(sigma(), sample);
  Tensor step = torch::mul(sigma(), model_outputs_[1]);
  return torch::sub(std::move(x_t), std::move(step));
}

Tensor DPMSolverMultistepScheduler::multistep_dpm_solver_second_order_update(const Tensor& sample) const {
  const Tensor &m0 = model_outputs_[1], &m1 = model_outputs_[0];
  Tensor D1 = torch::sub(m0, m1);
  D1 = torch::mul(sigma(), std::move(D1));
  Tensor x_t = torch::mul(sigma(), sample);
  Tensor step = torch::mul(sigma(), m0);
  x_t = torch::sub(std::move(x_t), std::move(step));
  step = torch::mul(sigma(), D1);
  return torch::sub(std::move(x_t), std::move(step));
}

}  // namespace modelmeter::wan::diffusers
