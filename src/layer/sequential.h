// torch.nn.Sequential: layers named 0, 1, 2 …, each on the result of the one before.
#pragma once

#include <tuple>

#include "layer/activation.h"
#include "layer/linear.h"
#include "layer/norm.h"

namespace modelmeter {

template <class... Layers>
class Sequential : public Module<Sequential<Layers...>> {
 public:
  static constexpr bool pure = (Layers::pure && ...);

  template <class... Options>
  explicit Sequential(const Options&... options) : Module<Sequential>("Sequential"), layers_(options...) {
    int i = 0;
    std::apply([&](Layers&... layer) { (this->register_module(std::to_string(i++), layer), ...); }, layers_);
  }
  Tensor forward(Tensor x) const {
    std::apply([&](const Layers&... layer) { ((x = layer(x)), ...); }, layers_);
    return x;
  }

 private:
  std::tuple<Layers...> layers_;
};

// Linear, GELU, Linear.
using Mlp = Sequential<Linear, GELU, Linear>;

}  // namespace modelmeter
