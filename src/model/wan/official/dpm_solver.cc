#include "model/wan/official/dpm_solver.h"

#include "trace/shared_call.h"

namespace modelmeter::wan::official {

Tensor FlowDPMSolverMultistepScheduler::solve(int64_t i, const Tensor& model_output, Tensor sample) {
  push(convert_model_output(model_output, sample));
  if (i == 0 || i == steps_ - 1) return dpm_solver_first_order_update(sample);
  static const int32_t function = structure_id("wan::official::multistep_dpm_solver_second_order_update");
  return shared_call(sample.tracer(), function, {&sample, &model_outputs_[0], &model_outputs_[1]}, {},
                     [&] { return multistep_dpm_solver_second_order_update(sample); });
}

Tensor FlowDPMSolverMultistepScheduler::dpm_solver_first_order_update(const Tensor& sample) const {
  Tensor x_t = torch::mul(sigma(), sample);
  Tensor step = torch::mul(sigma(), model_outputs_[1]);
  return torch::sub(std::move(x_t), std::move(step));
}

Tensor FlowDPMSolverMultistepScheduler::multistep_dpm_solver_second_order_update(const Tensor& sample) const {
  const Tensor &D0 = model_outputs_[1], &m1 = model_outputs_[0];
  Tensor D1 = torch::sub(D0, m1);
  D1 = torch::mul(sigma(), std::move(D1));
  Tensor x_t = torch::mul(sigma(), sample);
  Tensor step = torch::mul(sigma(), D0);
  x_t = torch::sub(std::move(x_t), std::move(step));
  step = torch::mul(sigma(), D1);
  return torch::sub(std::move(x_t), std::move(step));
}

}  // namespace modelmeter::wan::official
