#include "timing/kernel_time.h"

namespace modelmeter {
namespace {

constexpr double transfer_fixed = 0.8e-6;  // s; H100, 2026-11

// Sorting a row: bitonic in a warp, else radix in a block, else in passes over the device; the largest of rows.
// Measured on the H100 and the H200 (2026-11): sorts of 6, 1,698 and 49,152, top-k of 1 to 8,192 rows of 64.
constexpr double warp_sort = 128, block_sort = 4096;
constexpr double block_fixed = 6e-6, block_element = 13e-9, passes_fixed = 45e-6, passes_element = 0.12e-9;
constexpr double top_k_fixed = 5e-6, top_k_row = 2.7e-9;

double sort_seconds(const DeviceKernel& kernel, const Machine& machine) {
  if (kernel.sorts == Sorts::top_k) return top_k_fixed + top_k_row * kernel.rows;
  if (kernel.width <= warp_sort) return machine.stack().small_kernel;
  if (kernel.width <= block_sort) return block_fixed + block_element * kernel.width;
  return passes_fixed + passes_element * kernel.width * kernel.rows;
}

KernelTime small_time(const DeviceKernel& kernel, const Machine& machine) {
  KernelTime t;
  t.fixed = kernel.sorts == Sorts::none ? machine.start_at_clock(machine.stack().small_kernel)
                                        : sort_seconds(kernel, machine);
  return t;
}

// Over the bus, where the device's file gives it; else it takes no time.
KernelTime transfer_time(const DeviceKernel& kernel, const Machine& machine) {
  KernelTime t;
  t.fixed = transfer_fixed;
  const double rate = machine.bus(kernel.host_memory);
  if (rate > 0) t.memory = kernel.written / rate;
  t.light = t.memory;
  return t;
}

}  // namespace

KernelTime time_of(const DeviceKernel& kernel, const Machine& machine) {
  switch (kernel.shape) {
    case KernelShape::memory: return memory_time(kernel, machine);
    case KernelShape::gemm: return gemm_time(kernel, machine);
    case KernelShape::attention: return attention_time(kernel, machine);
    case KernelShape::convolution: return convolution_time(kernel, machine);
    case KernelShape::transfer: return transfer_time(kernel, machine);
    case KernelShape::small: break;
  }
  return small_time(kernel, machine);
}

}  // namespace modelmeter
