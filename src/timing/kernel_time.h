// How long a device kernel takes, as the parts that a clock moves and those that it does not:
//
//   t(c) = fixed + ((compute / c)^3 + memory^3)^(1/3)
//
// where c is the clock as a share of the highest. The cube joins two limits that overlap but not wholly; it was fitted
// on kernels where both count, on two devices with one clock and two bandwidths (docs/time.md). `light` is the bound
// that no kernel beats: the larger of FLOPs at the peak and compulsory bytes at the bandwidth of the sheet.
#pragma once

#include <cmath>

#include "timing/device_kernel.h"
#include "timing/machine.h"

namespace modelmeter {

struct KernelTime {
  double fixed = 0, compute = 0, memory = 0;  // s
  double light = 0;                           // s
  double joules = 0, joules_at_clock = 0;     // of memory; of arithmetic at the highest clock, c^2 of it at another
  bool tensor = false;                        // `compute` is matrix units

  double seconds(double clock) const {
    if (compute == 0) return fixed + memory;
    const double c = compute / clock;
    return fixed + std::cbrt(c * c * c + memory * memory * memory);
  }
};

// One function a class, in timing/kernels/.
KernelTime memory_time(const DeviceKernel& kernel, const Machine& machine);
KernelTime gemm_time(const DeviceKernel& kernel, const Machine& machine);
KernelTime attention_time(const DeviceKernel& kernel, const Machine& machine);
KernelTime convolution_time(const DeviceKernel& kernel, const Machine& machine);

KernelTime time_of(const DeviceKernel& kernel, const Machine& machine);

}  // namespace modelmeter
