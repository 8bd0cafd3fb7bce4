#include "layer/modulation.h"

namespace modelmeter {

Tensor modulate(Tensor x, Tensor scale, Tensor shift) {
  Tensor factor = torch::add(std::move(scale), 1.0);
  x = torch::mul(x, std::move(factor));
  return torch::add(std::move(x), std::move(shift));
}

}  // namespace modelmeter
