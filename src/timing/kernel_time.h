// How long a device kernel takes, as the parts that a clock moves and those that it does not:
//
//   t(c) = fixed + ((compute / c)^p + memory^p)^(1/p)
//
// where c is the clock as a share of the highest. The power joins two limits that overlap but not wholly: a cube,
// fitted on kernels where both count, on two devices with one clock and two bandwidths (docs/time.md); more for GEMM,
// whose loads run ahead. `light` is the bound that no kernel beats: the larger of FLOPs at the peak and compulsory
// bytes at the bandwidth of the sheet.
#pragma once

#include <algorithm>
#include <cmath>

#include "timing/device_kernel.h"
#include "timing/machine.h"

namespace modelmeter {

// Of two limits that overlap: the longer, and something of the shorter.
inline double joined_seconds(double a, double b, double power) {
  if (power == 3) return std::cbrt(a * a * a + b * b * b);
  const double longer = std::max(a, b), shorter = std::min(a, b);
  return longer == 0 ? 0 : longer * std::pow(1 + std::pow(shorter / longer, power), 1 / power);
}

struct KernelTime {
  double fixed = 0, compute = 0, memory = 0;  // s
  double light = 0;                           // s
  double joules = 0, joules_at_clock = 0;     // of memory; of arithmetic at the highest clock, c^2 of it at another
  double overlap = 3;                         // p
  bool tensor = false;                        // `compute` is matrix units
  bool link = false;                          // `memory` is what goes to other devices

  double seconds(double clock) const {
    if (compute == 0) return fixed + memory;
    return fixed + joined_seconds(compute / clock, memory, overlap);
  }
};

// One function a class, in timing/kernels/.
KernelTime memory_time(const DeviceKernel& kernel, const Machine& machine);
KernelTime gemm_time(const DeviceKernel& kernel, const Machine& machine);
KernelTime attention_time(const DeviceKernel& kernel, const Machine& machine);
KernelTime convolution_time(const DeviceKernel& kernel, const Machine& machine);

KernelTime time_of(const DeviceKernel& kernel, const Machine& machine);

}  // namespace modelmeter
