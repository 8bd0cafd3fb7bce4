#include "model/wan/official/unipc.h"

#include <algorithm>

#include "trace/shared_call.h"

namespace modelmeter::wan::official {
namespace {

constexpr int64_t solver_order = 2;

// torch.tensor(list of n numbers, device=device)
Tensor on_device(int64_t n) { return torch::to_device(Tracer::current().host({n}, DType::float32), DType::float32); }

// The equations of the coefficients: rks to the powers 0 … order - 1.
Tensor powers(const Tensor& rks, int64_t order) {
  TensorList rows;
  for (int64_t i = 0; i < order; ++i) rows.push_back(torch::pow(rks, static_cast<double>(i)));
  return torch::stack(rows);
}

// torch.einsum("k,bkc...->bc...", rhos, D1s) with one k: a product, in autocast's type.
Tensor weighted(Tensor rhos, Tensor d1s) {
  rhos = torch::autocast_low(std::move(rhos));
  d1s = torch::autocast_low(std::move(d1s));
  return torch::mul(rhos.view({1, 1, 1, 1, 1, 1}), d1s.permute({0, 2, 3, 4, 5, 1})).squeeze(5);
}

}  // namespace

int64_t FlowUniPCMultistepScheduler::order(int64_t i) const { return std::min({solver_order, steps_ - i, i + 1}); }

void FlowUniPCMultistepScheduler::add_to(LoopState& state) const {
  FlowScheduler::add_to(state);
  state.same.push_back(&last_sample_);
}

Tensor FlowUniPCMultistepScheduler::solve(int64_t i, const Tensor& model_output, Tensor sample) {
  Tensor model_output_convert = convert_model_output(model_output, sample);
  if (i > 0) sample = correct(model_output_convert, order(i - 1));
  push(std::move(model_output_convert));
  last_sample_ = sample;
  return predict(sample, order(i));
}

// The two updates follow from their arguments, what is kept of earlier steps and the order.

Tensor FlowUniPCMultistepScheduler::predict(const Tensor& sample, int64_t order) const {
  static const int32_t function = structure_id("wan::official::multistep_uni_p_bh_update");
  return shared_call(sample.tracer(), function, {&sample, &model_outputs_[0], &model_outputs_[1]}, {order},
                     [&] { return multistep_uni_p_bh_update(sample, order); });
}

Tensor FlowUniPCMultistepScheduler::correct(const Tensor& this_model_output, int64_t order) const {
  static const int32_t function = structure_id("wan::official::multistep_uni_c_bh_update");
  return shared_call(this_model_output.tracer(), function,
                     {&this_model_output, &last_sample_, &model_outputs_[0], &model_outputs_[1]}, {order},
                     [&] { return multistep_uni_c_bh_update(this_model_output, order); });
}

Tensor FlowUniPCMultistepScheduler::multistep_uni_p_bh_update(const Tensor& sample, int64_t order) const {
  const Tensor& m0 = model_outputs_[1];
  Tensor D1s;
  if (order == 2) {
    D1s = torch::sub(model_outputs_[0], m0);
    D1s = torch::div(std::move(D1s), sigma());
  }
  const Tensor rks = on_device(order);
  const Tensor R = powers(rks, order);
  const Tensor b = on_device(order);
  Tensor rhos_p;
  if (D1s.defined()) {
    D1s = torch::stack({D1s}, 1);
    rhos_p = on_device(1);
  }

  Tensor x_t_ = torch::mul(sigma(), sample);
  Tensor step = torch::mul(sigma(), m0);
  x_t_ = torch::sub(std::move(x_t_), std::move(step));
  if (!D1s.defined()) return torch::sub(x_t_, sigma());
  const Tensor pred_res = weighted(rhos_p, D1s);
  step = torch::mul(sigma(), pred_res);
  return torch::sub(x_t_, std::move(step));
}

Tensor FlowUniPCMultistepScheduler::multistep_uni_c_bh_update(const Tensor& this_model_output, int64_t order) const {
  const Tensor& m0 = model_outputs_[1];
  Tensor D1s;
  if (order == 2) {
    D1s = torch::sub(model_outputs_[0], m0);
    D1s = torch::div(std::move(D1s), sigma());
  }
  const Tensor rks = on_device(order);
  const Tensor R = powers(rks, order);
  const Tensor b = on_device(order);
  if (D1s.defined()) D1s = torch::stack({D1s}, 1);
  const Tensor rhos_c = order == 1 ? on_device(1) : torch::linalg_solve(R, b);

  Tensor x_t_ = torch::mul(sigma(), last_sample_);
  Tensor step = torch::mul(sigma(), m0);
  x_t_ = torch::sub(std::move(x_t_), std::move(step));
  Tensor corr_res;
  if (D1s.defined()) corr_res = weighted(rhos_c.narrow(0, 0, 1), D1s);
  const Tensor D1_t = torch::sub(this_model_output, m0);
  step = torch::mul(rhos_c.select(0, order - 1), D1_t);
  step = corr_res.defined() ? torch::add(corr_res, std::move(step)) : torch::add(std::move(step), 0.0);
  step = torch::mul(sigma(), std::move(step));
  return torch::sub(x_t_, std::move(step));
}

}  // namespace modelmeter::wan::official
