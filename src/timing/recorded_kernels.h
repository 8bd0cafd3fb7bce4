// Which device kernels a kernel is that modelmeter knows by a recording alone: of what kind it is, its FLOPs, its bytes
// and its operands, which need not be all of them.
//
//   matrix products         one GEMM: n and k from the operands, m from the FLOPs
//   backward of convolution the implicit GEMMs of its forward, one for each gradient, between layout conversions
//   attention               fused kernels of the same queries and keys as often as the FLOPs say: 2.5 times for
//                           backward, which also sums up before and casts after
//   batch norm              one that goes over the image by channels; another for statistics and their gradients
//   norms' backward         one along rows for the input, one along columns for weight and bias
//   select's, slice's       zeros of the whole, a copy of the part
//   backward
//   all others              one kernel of its class of memory traffic; several tensors (_foreach_add_, _fused_adamw_)
//   are
//                           one launch
#pragma once

#include <vector>

#include "timing/launches.h"

namespace modelmeter {

// Appends them; `launch.recorded` is there, and it launches.
void recorded_kernels(const Launch& launch, const LaunchFlags& flags, const Machine& machine,
                      std::vector<DeviceKernel>& out);

}  // namespace modelmeter
