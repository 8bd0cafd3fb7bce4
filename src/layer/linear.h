// torch.nn.Linear: y = x W^T + b, x [..., in_features], W [out_features, in_features]. Where its weight is kept in
// another format (BaseLayer::store) it is the class that a library puts in its place.
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
    register_parameter("weight", {options.out_features, options.in_features}, context);
    if (bias_) register_parameter("bias", {options.out_features}, context);
  }
  Tensor forward(Tensor x) const {
    if (is_stored_otherwise()) return forward_stored(std::move(x));
    return torch::linear(std::move(x), parameter(0), bias_ ? parameter(1) : Tensor());
  }

 protected:
  bool can_be_stored_as(const StoredAs&) const override { return true; }

 private:
  Tensor forward_stored(Tensor x) const;  // in stored_linear.cc
  Tensor base_forward(Tensor x) const;

  bool bias_;
};

}  // namespace modelmeter
