// How far a single kernel may be off what is predicted for it.
#include <algorithm>
#include <string_view>

#include "verify/validation_files.h"

namespace modelmeter {
namespace {

// Nine kernels in ten are within these of what is predicted for them alone: a share by their class, and what starting
// one adds (micro.csv on the H100 and the H200, 2026-11; docs/validation.md).
constexpr double start_spread = 0.5e-6;
constexpr double stream_spread = 0.04, layout_spread = 0.16;
constexpr double half_convolution_spread = 0.1, convolution_spread = 0.18;
constexpr double cudnn_spread = 0.085, flash_spread = 0.15, efficient_spread = 0.055;
constexpr double gemm_spread = 0.105, wide_gemm_spread = 0.19;  // of 32 bits
// Of devices whose power is not modelled: their tables say no clock.
constexpr double without_power = 1.5;

// Where elements are not read or written one after another.
bool changes_layout(const DeviceKernel& kernel) {
  switch (kernel.memory) {
    case MemoryClass::strided:
    case MemoryClass::strided_narrow:
    case MemoryClass::reduction_outer:
    case MemoryClass::resample: return true;
    default: return kernel.in_parts;
  }
}

double spread_of(const DeviceKernel& kernel) {
  const std::string_view attention = kernel.attention, precision = kernel.precision;
  const bool wide = precision.empty() || precision == "tf32";
  switch (kernel.shape) {
    case KernelShape::memory: return changes_layout(kernel) ? layout_spread : stream_spread;
    case KernelShape::gemm: return wide ? wide_gemm_spread : gemm_spread;
    case KernelShape::convolution: return wide ? convolution_spread : half_convolution_spread;
    case KernelShape::attention:
      return attention == "flash" ? flash_spread : attention == "cudnn" ? cudnn_spread : efficient_spread;
    case KernelShape::small:
    case KernelShape::transfer: break;
  }
  return layout_spread;
}

}  // namespace

double spread_of_kernels(const std::vector<DeviceKernel>& kernels, double seconds, const Machine& machine) {
  double share = 0;
  for (const DeviceKernel& kernel : kernels) share = std::max(share, spread_of(kernel));
  return seconds * share * (machine.device().power ? 1 : without_power) + start_spread;
}

}  // namespace modelmeter
