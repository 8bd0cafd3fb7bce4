// Kernels bound by memory or by the instructions of each element: elementwise, copies, reductions, norms, gathers.
// Bytes at the bandwidth that streams reach, joined with elements at the rate of the class (configs/stack).
#include <algorithm>

#include "timing/kernel_time.h"

namespace modelmeter {
namespace {

// Reductions along the innermost dimension: each row waits for its tree of partial sums, a few ns an element of it
// where rows are few. Measured on the H100 (2026-11): 2.4 us for one row, 5.3 of 1536, 9.5 of 4096, 12 of 5120.
constexpr double reduction_row = 1.9e-9;
// A layer norm works 8,400 elements' worth for each row; rows past 16 KiB are read twice. Measured on the H100: 128 to
// 5120 wide.
constexpr double norm_row_elements = 8400;
// The first bytes of what is in device memory and not in L2 (H100 and H200, copies of 0.5 to 4 MB, 2026-11).
constexpr double device_memory_latency = 0.6e-6;
// Narrow rows share a block: 1,000 and 27 for each element.
constexpr double narrow_row_elements = 1000, narrow_row_slope = 27;
constexpr double norm_row_bytes = 16384;

}  // namespace

KernelTime memory_time(const DeviceKernel& kernel, const Machine& machine) {
  const MemoryConstants& constants = machine.memory(kernel.memory);
  const bool norm = kernel.memory == MemoryClass::layer_norm || kernel.memory == MemoryClass::layer_norm_narrow;
  KernelTime t;
  double bytes = kernel.bytes(), elements = kernel.elements;
  if (norm) {
    elements += std::min(norm_row_elements, narrow_row_elements + narrow_row_slope * kernel.width) * kernel.rows;
    if (kernel.rows > 0 && kernel.read / kernel.rows > norm_row_bytes) bytes += kernel.read;
  }
  t.fixed = constants.fixed;
  if (kernel.read > 0) t.fixed += device_memory_latency * kernel.cold / kernel.read;
  if (kernel.memory == MemoryClass::reduction && kernel.rows > 8) t.fixed += reduction_row * kernel.width;
  t.compute = machine.issue_seconds(elements, constants.per_clock);
  t.memory = machine.memory_seconds(bytes, kernel.cold) / constants.memory;
  t.light = kernel.bytes() / machine.device().memory_bandwidth.value;
  if (machine.device().power) t.joules = bytes * machine.device().power->memory.value;
  return t;
}

}  // namespace modelmeter
