#include "model/deepseek_ocr/decoder_parts.h"

namespace modelmeter::deepseek_ocr {
namespace {

LinearOptions without_bias(int64_t in, int64_t out) { return {in, out, false}; }

Tensor rotate_half(const Tensor& x) {
  const int64_t half = x.size(-1) / 2;
  const Tensor x1 = x.slice(-1, 0, half);
  Tensor x2 = torch::neg(x.slice(-1, half, x.size(-1)));
  return torch::cat({x2, x1}, -1);
}

}  // namespace

Tensor rotated(const Tensor& x, const Tensor& cos, const Tensor& sin) {
  Tensor by_cos = torch::mul(x, cos);
  Tensor by_sin = rotate_half(x);
  by_sin = torch::mul(by_sin, sin);
  return torch::add(std::move(by_cos), std::move(by_sin));
}

Tensor repeat_kv(const Tensor& x, int64_t n_rep) {
  if (n_rep == 1) return x;
  const int64_t b = x.size(0), heads = x.size(1), s = x.size(2), d = x.size(3);
  return torch::reshape(x.unsqueeze(2).expand({b, heads, n_rep, s, d}), {b, heads * n_rep, s, d});
}

DeepseekV2RMSNorm::DeepseekV2RMSNorm(const BuildContext& context, int64_t hidden_size, std::string_view class_name)
    : Module(class_name) {
  register_parameter("weight", {hidden_size}, context);
}

Tensor DeepseekV2RMSNorm::forward(Tensor hidden_states) const {
  const DType input_dtype = hidden_states.dtype();
  hidden_states = torch::to(hidden_states, DType::float32);
  Tensor variance = torch::pow(hidden_states, 2);
  variance = torch::mean(std::move(variance), -1, true);
  {
    Tensor scale = torch::add(variance, 1e-6);
    scale = torch::rsqrt(std::move(scale));
    hidden_states = torch::mul(hidden_states, std::move(scale));
  }
  Tensor narrow = torch::to(hidden_states, input_dtype);
  return torch::mul(parameter(0), std::move(narrow));
}

DeepseekV2MLP::DeepseekV2MLP(const BuildContext& context, int64_t hidden_size, int64_t intermediate_size,
                             std::string_view class_name, std::string_view activation)
    : Module(class_name),
      gate_proj_(context, without_bias(hidden_size, intermediate_size)),
      up_proj_(context, without_bias(hidden_size, intermediate_size)),
      down_proj_(context, without_bias(intermediate_size, hidden_size)),
      act_fn_(activation) {
  register_module("gate_proj", gate_proj_);
  register_module("up_proj", up_proj_);
  register_module("down_proj", down_proj_);
  register_module("act_fn", act_fn_);
}

Tensor DeepseekV2MLP::forward(Tensor x) const {
  Tensor inner = gate_proj_(x);
  inner = act_fn_(inner);
  Tensor up = up_proj_(x);
  inner = torch::mul(inner, std::move(up));
  return down_proj_(inner);
}

}  // namespace modelmeter::deepseek_ocr
