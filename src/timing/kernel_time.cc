#include "timing/kernel_time.h"

namespace modelmeter {
namespace {

KernelTime small_time(const Machine& machine) {
  KernelTime t;
  t.fixed = machine.stack().small_kernel;
  return t;
}

// Over the bus, where the device's file gives it; else it takes no time.
KernelTime transfer_time(const DeviceKernel& kernel, const Machine& machine) {
  KernelTime t;
  t.fixed = machine.memory(MemoryClass::copy).fixed;
  if (machine.device().pcie_bandwidth.known()) t.memory = kernel.written / machine.device().pcie_bandwidth.value;
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
  return small_time(machine);
}

}  // namespace modelmeter
