#include "layer/layerwise_cast.h"

namespace modelmeter {

LayerwiseCast::LayerwiseCast(const BaseLayer& layer) {
  for (const BaseLayer::Parameter& parameter : layer.parameters()) {
    if (!parameter.persistent) continue;
    kept_.push_back(Tracer::current().parameter(parameter.spec.sizes, layer.weight_format()->values));
    cast_.push_back(torch::to(kept_.back(), parameter.spec.dtype));
  }
}

void LayerwiseCast::end() {
  for (size_t i = 0; i < cast_.size(); ++i) {
    cast_[i].tracer().record(Kernel::to_copy, {&cast_[i]}, {&kept_[i]});
    cast_[i].reset();
  }
}

}  // namespace modelmeter
