#include "model/wan/diffusers/flow_match.h"

namespace modelmeter::wan::diffusers {

FlowMatchEulerDiscreteScheduler::FlowMatchEulerDiscreteScheduler(int64_t steps) : FlowScheduler(steps) {
  sigmas_ = torch::to_device(Tracer::current().host({steps}, DType::float64), DType::float32);
  timesteps_ = torch::mul(sigmas_, 1000.0);
  Tensor last = torch::zeros({1}, DType::float32);
  sigmas_ = torch::cat({sigmas_, std::move(last)}, 0);
}

Tensor FlowMatchEulerDiscreteScheduler::solve(int64_t i, const Tensor& model_output, Tensor sample) {
  sample = torch::to(std::move(sample), DType::float32);
  const Tensor dt = torch::sub(sigmas_.select(0, i + 1), sigmas_.select(0, i));
  Tensor step = torch::mul(dt, model_output);
  const Tensor prev_sample = torch::add(sample, std::move(step));
  return torch::to(prev_sample, model_output.dtype());
}

Tensor FlowMatchLCMScheduler::solve(int64_t i, const Tensor& model_output, Tensor sample) {
  sample = torch::to(std::move(sample), DType::float32);
  const Tensor sigma_next = sigmas_.select(0, i + 1);
  Tensor step = torch::mul(sigmas_.select(0, i), model_output);
  const Tensor x0_pred = torch::sub(sample, std::move(step));
  const Tensor noise = torch::randn(x0_pred.sizes(), DType::float32);
  Tensor kept = torch::rsub(sigma_next, 1.0);
  kept = torch::mul(std::move(kept), x0_pred);
  Tensor added = torch::mul(sigma_next, noise);
  const Tensor prev_sample = torch::add(std::move(kept), std::move(added));
  return torch::to(prev_sample, model_output.dtype());
}

}  // namespace modelmeter::wan::diffusers
