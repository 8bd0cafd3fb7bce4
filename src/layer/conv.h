// torch.nn.Conv2d and Conv3d: x [n, in_channels, spatial...], weight [out_channels, in_channels, kernel...].
#pragma once

#include "layer/base_layer.h"

namespace modelmeter {

struct ConvOptions {
  int64_t in_channels;
  int64_t out_channels;
  Shape kernel_size;  // one number per spatial dimension; so are stride and padding
  Shape stride;
  Shape padding;
  bool bias = true;
};

class Conv : public Module<Conv> {
 public:
  static constexpr bool pure = true;

  Conv(const BuildContext& context, const ConvOptions& options)
      : Module(options.kernel_size.rank() == 2 ? "Conv2d" : "Conv3d"), options_(options) {
    describe("in_channels", options.in_channels);
    describe("out_channels", options.out_channels);
    describe("kernel_size", options.kernel_size.to_string());
    describe("stride", options.stride.to_string());
    describe("padding", options.padding.to_string());
    Shape weight{options.out_channels, options.in_channels};
    for (int64_t k : options.kernel_size) weight.push_back(k);
    register_parameter("weight", weight, context);
    if (options.bias) register_parameter("bias", {options.out_channels}, context);
    for (int i = 0; i < options.kernel_size.rank(); ++i) dilation_.push_back(1);
  }
  Tensor forward(Tensor x) const {
    return torch::conv(std::move(x), parameter(0), options_.bias ? parameter(1) : Tensor(),
                       {options_.stride, options_.padding, dilation_, 1});
  }

 private:
  ConvOptions options_;
  Shape dilation_;
};

}  // namespace modelmeter
