#include "model/wan/diffusers/unipc.h"

#include <algorithm>

#include "trace/shared_call.h"

namespace modelmeter::wan::diffusers {
namespace {

constexpr int64_t solver_order = 2;

Tensor on_host() { return Tracer::current().host({}, DType::float32); }
Tensor on_device() { return torch::to_device(on_host(), DType::float32); }  // self.sigmas[i].to(device)

Tensor log_ratio(const Tensor& alpha, const Tensor& sigma) {
  Tensor log_alpha = torch::log(alpha);
  Tensor log_sigma = torch::log(sigma);
  return torch::sub(std::move(log_alpha), std::move(log_sigma));
}

Tensor half() {
  Tensor one = torch::ones({1}, DType::float32);
  return torch::mul(std::move(one), 0.5);
}

// torch.einsum("k,bkc...->bc...", rhos, D1s) with one k: a product.
Tensor weighted(const Tensor& rhos, const Tensor& d1s) {
  return torch::mul(rhos.view({1, 1, 1, 1, 1, 1}), d1s.permute({0, 2, 3, 4, 5, 1})).squeeze(5);
}

}  // namespace

// The local variables that the two updates share.
struct UniPCMultistepScheduler::Coefficients {
  Tensor sigma_t, sigma_s0, alpha_t, alpha_s0, lambda_t, lambda_s0, h;
  Tensor alpha_si, sigma_si, lambda_si, rk;
  Tensor rks, hh, h_phi_1, h_phi_k, B_h, R, b, D1s;

  Tensor first_order(const Tensor& x, const Tensor& m0) const;
  Tensor scaled(Tensor residual) const;  // alpha_t * B_h * residual; without one, times 0
};

UniPCMultistepScheduler::UniPCMultistepScheduler(int64_t steps) : FlowScheduler(steps) {
  timesteps_ = torch::to_device(Tracer::current().host({steps}, DType::float64), DType::int64);
}

int64_t UniPCMultistepScheduler::order(int64_t i) const { return std::min({solver_order, steps_ - i, i + 1}); }

void UniPCMultistepScheduler::add_to(LoopState& state) const {
  for (const Tensor& output : model_outputs_) state.same.push_back(&output);
  state.same.push_back(&last_sample_);
}

Tensor UniPCMultistepScheduler::solve(int64_t i, const Tensor& model_output, Tensor sample) {
  Tensor model_output_convert = convert_model_output(model_output, sample);
  if (i > 0) sample = correct(model_output_convert, order(i - 1));
  model_outputs_[0] = model_outputs_[1];
  model_outputs_[1] = std::move(model_output_convert);
  last_sample_ = sample;
  return predict(sample, order(i));
}

Tensor UniPCMultistepScheduler::convert_model_output(const Tensor& model_output, const Tensor& sample) const {
  static const int32_t function = structure_id("wan::diffusers::convert_model_output");
  return shared_call(sample.tracer(), function, {&model_output, &sample}, {}, [&] {
    Tensor noise = torch::mul(on_host(), model_output);
    return torch::sub(sample, std::move(noise));
  });
}

// The two updates follow from their arguments, what is kept of earlier steps and the order.

Tensor UniPCMultistepScheduler::predict(const Tensor& sample, int64_t order) const {
  static const int32_t function = structure_id("wan::diffusers::multistep_uni_p_bh_update");
  return shared_call(sample.tracer(), function, {&sample, &model_outputs_[0], &model_outputs_[1]}, {order},
                     [&] { return multistep_uni_p_bh_update(sample, order); });
}

Tensor UniPCMultistepScheduler::correct(const Tensor& this_model_output, int64_t order) const {
  static const int32_t function = structure_id("wan::diffusers::multistep_uni_c_bh_update");
  return shared_call(this_model_output.tracer(), function,
                     {&this_model_output, &last_sample_, &model_outputs_[0], &model_outputs_[1]}, {order},
                     [&] { return multistep_uni_c_bh_update(this_model_output, order); });
}

UniPCMultistepScheduler::Coefficients UniPCMultistepScheduler::coefficients(int64_t order) const {
  Coefficients c;
  c.sigma_t = on_device();
  c.sigma_s0 = on_device();
  c.alpha_t = torch::rsub(c.sigma_t, 1.0);
  c.alpha_s0 = torch::rsub(c.sigma_s0, 1.0);
  c.lambda_t = log_ratio(c.alpha_t, c.sigma_t);
  c.lambda_s0 = log_ratio(c.alpha_s0, c.sigma_s0);
  c.h = torch::sub(c.lambda_t, c.lambda_s0);

  TensorList rks;
  if (order == 2) {
    c.sigma_si = on_device();
    c.alpha_si = torch::rsub(c.sigma_si, 1.0);
    c.lambda_si = log_ratio(c.alpha_si, c.sigma_si);
    c.rk = torch::sub(c.lambda_si, c.lambda_s0);
    c.rk = torch::div(std::move(c.rk), c.h);
    rks.push_back(c.rk);
    c.D1s = torch::sub(model_outputs_[0], model_outputs_[1]);
    c.D1s = torch::div(std::move(c.D1s), c.rk);
  }
  rks.push_back(torch::ones({}, DType::float32));
  c.rks = torch::stack(std::move(rks));

  c.hh = torch::neg(c.h);
  c.h_phi_1 = torch::expm1(c.hh);
  c.h_phi_k = torch::div(c.h_phi_1, c.hh);
  c.h_phi_k = torch::sub(std::move(c.h_phi_k), 1.0);
  c.B_h = torch::expm1(c.hh);
  TensorList R, b;
  for (int64_t i = 1; i <= order; ++i) {
    R.push_back(torch::pow(c.rks, static_cast<double>(i - 1)));
    Tensor scaled = torch::mul(c.h_phi_k, 1.0);
    b.push_back(torch::div(std::move(scaled), c.B_h));
    Tensor next = torch::div(c.h_phi_k, c.hh);
    c.h_phi_k = torch::sub(std::move(next), 1.0);
  }
  c.R = torch::stack(std::move(R));
  c.b = torch::stack(std::move(b));
  if (c.D1s.defined()) c.D1s = torch::stack({c.D1s}, 1);
  return c;
}

// sigma_t / sigma_s0 * x - alpha_t * h_phi_1 * m0
Tensor UniPCMultistepScheduler::Coefficients::first_order(const Tensor& x, const Tensor& m0) const {
  Tensor kept = torch::div(sigma_t, sigma_s0);
  kept = torch::mul(std::move(kept), x);
  Tensor step = torch::mul(alpha_t, h_phi_1);
  step = torch::mul(std::move(step), m0);
  return torch::sub(std::move(kept), std::move(step));
}

Tensor UniPCMultistepScheduler::Coefficients::scaled(Tensor residual) const {
  Tensor factor = torch::mul(alpha_t, B_h);
  return residual.defined() ? torch::mul(std::move(factor), std::move(residual)) : torch::mul(std::move(factor), 0.0);
}

Tensor UniPCMultistepScheduler::multistep_uni_p_bh_update(const Tensor& sample, int64_t order) const {
  const Coefficients c = coefficients(order);
  Tensor rhos_p;
  if (c.D1s.defined()) rhos_p = half();
  const Tensor x_t_ = c.first_order(sample, model_outputs_[1]);
  Tensor pred_res;
  if (c.D1s.defined()) pred_res = weighted(rhos_p, c.D1s);
  Tensor step = c.scaled(pred_res);
  return torch::sub(x_t_, std::move(step));
}

Tensor UniPCMultistepScheduler::multistep_uni_c_bh_update(const Tensor& this_model_output, int64_t order) const {
  const Tensor& m0 = model_outputs_[1];
  const Coefficients c = coefficients(order);
  const Tensor rhos_c = order == 1 ? half() : torch::linalg_solve(c.R, c.b);
  const Tensor x_t_ = c.first_order(last_sample_, m0);
  Tensor corr_res;
  if (c.D1s.defined()) corr_res = weighted(rhos_c.narrow(0, 0, 1), c.D1s);
  const Tensor D1_t = torch::sub(this_model_output, m0);
  Tensor factor = torch::mul(c.alpha_t, c.B_h);  // evaluated before what it multiplies
  Tensor step = torch::mul(rhos_c.select(0, order - 1), D1_t);
  step = corr_res.defined() ? torch::add(corr_res, std::move(step)) : torch::add(std::move(step), 0.0);
  step = torch::mul(std::move(factor), std::move(step));
  return torch::sub(x_t_, std::move(step));
}

}  // namespace modelmeter::wan::diffusers
