// Which device kernels a launch of a trace is, by dtypes, strides, shapes, device and stack. ATen's rules
// (TensorIterator's for elementwise kernels), as they are seen in profiles of PyTorch 2.11 on Hopper:
//
//   elementwise   one layout and one dtype: vectorised; several dtypes: unrolled; an operand broadcast or strided: by
//                 offsets. float32 to 16 bits is vectorised, the way back unrolled.
//   copies        the copy engine where layouts and dtypes are equal; an innermost dimension that is not the source's
//                 takes a sector of 32 bytes for each element
//   cat           one input with elements is a copy; a kernel with vectors where rows allow it; else a slow one, or
//                 past 4 dimensions a strided copy for each input
//   convolution   layout conversions of input, filter and output around the implicit GEMM; a pointwise one is a GEMM
//   attention     SDPA on Hopper runs cuDNN's kernel, with a mask too; elsewhere as the trace says
#pragma once

#include <vector>

#include "cost/op_factors.h"
#include "timing/device_kernel.h"
#include "timing/machine.h"

namespace modelmeter {

// What a launch's operands do not say.
struct LaunchFlags {
  bool causal = false, tf32 = false;
  bool transfer = false;  // between host and device
};

// Whether float32 may be TF32 on it: before Ampere it is float32, whatever is allowed.
bool has_tf32(const Machine& machine);
// Of matrix units: "bf16"; "" where they have none for that dtype.
const char* precision_of(DType dtype, bool tf32);

// Appends them to `out`; none for what launches nothing (cost/op_factors.h).
void device_kernels(const Launch& launch, const LaunchFlags& flags, const Machine& machine,
                    std::vector<DeviceKernel>& out);

}  // namespace modelmeter
