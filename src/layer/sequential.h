// torch.nn.Sequential: layers named 0, 1, 2 …, each on the result of the one before.
#pragma once

#include <concepts>
#include <tuple>

#include "layer/activation.h"
#include "layer/linear.h"
#include "layer/norm.h"

namespace modelmeter {

template <class... Layers>
class Sequential : public Module<Sequential<Layers...>> {
 public:
  static constexpr bool pure = (Layers::pure && ...);

  // Options of each layer; those without parameters are built from them alone.
  template <class... Options>
  explicit Sequential(const BuildContext& context, const Options&... options)
      : Module<Sequential>("Sequential"), layers_(Arguments<Options>{context, options}...) {
    int i = 0;
    std::apply([&](auto&... element) { (this->register_module(std::to_string(i++), element.layer), ...); }, layers_);
  }
  Tensor forward(Tensor x) const {
    std::apply([&](const auto&... element) { ((x = element.layer(x)), ...); }, layers_);
    return x;
  }

 private:
  template <class Options>
  struct Arguments {
    const BuildContext& context;
    const Options& options;
  };
  template <class Layer>
  struct Element {  // a layer stays where it is built; a tuple builds each member from one argument
    template <class Options>
      requires std::constructible_from<Layer, const BuildContext&, const Options&>
    Element(const Arguments<Options>& a) : layer(a.context, a.options) {}
    template <class Options>
    Element(const Arguments<Options>& a) : layer(a.options) {}

    Layer layer;
  };

  std::tuple<Element<Layers>...> layers_;
};

// Linear, GELU, Linear.
using Mlp = Sequential<Linear, GELU, Linear>;

}  // namespace modelmeter
