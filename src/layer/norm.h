// torch.nn.LayerNorm and RMSNorm over the last dimension.
#pragma once

#include "layer/base_layer.h"

namespace modelmeter {

struct NormOptions {
  int64_t normalized_shape;
  bool elementwise_affine = true;
};

class LayerNorm : public Module<LayerNorm> {
 public:
  static constexpr bool pure = true;

  LayerNorm(const BuildContext& context, const NormOptions& options, std::string_view class_name = "LayerNorm")
      : Module(class_name), affine_(options.elementwise_affine) {
    describe("normalized_shape", options.normalized_shape);
    describe("elementwise_affine", affine_);
    if (!affine_) return;
    register_parameter("weight", {options.normalized_shape}, context);
    register_parameter("bias", {options.normalized_shape}, context);
  }
  Tensor forward(Tensor x) const {
    return torch::layer_norm(std::move(x), affine_ ? parameter(0) : Tensor(), affine_ ? parameter(1) : Tensor());
  }

 private:
  bool affine_;
};

class RMSNorm : public Module<RMSNorm> {
 public:
  static constexpr bool pure = true;

  RMSNorm(const BuildContext& context, const NormOptions& options)
      : Module("RMSNorm"), affine_(options.elementwise_affine) {
    describe("normalized_shape", options.normalized_shape);
    describe("elementwise_affine", affine_);
    if (affine_) register_parameter("weight", {options.normalized_shape}, context);
  }
  Tensor forward(Tensor x) const { return torch::rms_norm(std::move(x), affine_ ? parameter(0) : Tensor()); }

 private:
  bool affine_;
};

}  // namespace modelmeter
