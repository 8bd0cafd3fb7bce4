// Adaptive layer norm as in DiT: a norm's result is scaled and shifted by rows made from the time step.
#pragma once

#include "layer/base_layer.h"

namespace modelmeter {

// x * (1 + scale) + shift, x [b, s, d], scale and shift [b, 1, d]: three kernels.
Tensor modulate(Tensor x, Tensor scale, Tensor shift);

}  // namespace modelmeter
