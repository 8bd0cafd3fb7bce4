// torch.nn.Linear: y = x W^T + b, x [..., in_features], W [out_features, in_features].
#pragma once

#include "layer/base_layer.h"

namespace modelmeter {

struct LinearOptions {
  int64_t in_features;
  int64_t out_features;
  bool bias = true;
};

class Linear : public Module<Linear> {
 public:
  static constexpr bool pure = true;

  Linear(const BuildContext& context, const LinearOptions& options) : Module("Linear"), bias_(options.bias) {
    describe("in_features", options.in_features);
    describe("out_features", options.out_features);
    describe("bias", options.bias);
    register_weight("weight", {options.out_features, options.in_features}, context);
    if (bias_) register_parameter("bias", {options.out_features}, context);
  }
  Tensor forward(Tensor x) const { return torch::linear(std::move(x), parameter(0), bias_ ? parameter(1) : Tensor()); }

 private:
  bool bias_;
};

}  // namespace modelmeter
