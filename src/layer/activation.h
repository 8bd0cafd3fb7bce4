// torch.nn's activations: elementwise, without parameters.
#pragma once

#include "layer/base_layer.h"

namespace modelmeter {

struct GELUOptions {};
struct SiLUOptions {};

class GELU : public Module<GELU> {
 public:
  static constexpr bool pure = true;

  GELU(const GELUOptions& = {}) : Module("GELU") {}
  explicit GELU(std::string_view class_name) : Module(class_name) {}
  Tensor forward(Tensor x) const { return torch::gelu(std::move(x)); }
};

class SiLU : public Module<SiLU> {
 public:
  static constexpr bool pure = true;

  SiLU(const SiLUOptions& = {}) : Module("SiLU") {}
  explicit SiLU(std::string_view class_name) : Module(class_name) {}
  Tensor forward(Tensor x) const { return torch::silu(std::move(x)); }
};

}  // namespace modelmeter
