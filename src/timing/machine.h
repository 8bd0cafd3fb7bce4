// Machine: a device with the stack and the host that drive it, and the rates that follow from the three; and how it is
// connected to others like it, where several run a model.
#pragma once

#include <memory>
#include <optional>

#include "hardware/cluster.h"
#include "hardware/device.h"
#include "hardware/host.h"
#include "hardware/kernel_stack.h"
#include "timing/device_kernel.h"

namespace modelmeter {

class Machine {
 public:
  // Error where the stack has no kernels for the device's architecture.
  Machine(Device device, KernelStack stack, Host host, std::optional<Cluster> cluster = std::nullopt);

  const Device& device() const { return device_; }
  const KernelStack& stack() const { return stack_; }
  const Host& host() const { return host_; }
  const Cluster* cluster() const { return cluster_ ? &*cluster_ : nullptr; }
  const ArchitectureConstants& kernels() const { return stack_.architectures[kernels_]; }
  const MemoryConstants& memory(MemoryClass name) const { return stack_.memory[static_cast<size_t>(name)]; }

  // B/s that a streaming kernel reaches, of device memory and of L2.
  double bandwidth() const { return bandwidth_; }
  double l2_bandwidth() const { return l2_bandwidth_; }
  // The share of so many bytes that L2 does not hold: 0 or 1 but near its size.
  double miss(double bytes) const;
  // s for so many bytes, of which `cold` come from device memory whatever their number: the rest is in L2 where all
  // fit.
  double memory_seconds(double bytes, double cold) const;
  // The same where reading and writing are told apart: L2 takes less than it gives.
  double memory_seconds(double read, double written, double cold) const;
  // Of these bytes, what comes from device memory or goes there.
  double from_memory(double bytes, double cold) const { return cold + miss(bytes) * (bytes - cold); }
  // Of a kernel's first bytes, the share that L2 has.
  double first_from_l2(double bytes, double cold) const;
  // s until the first of them come from device memory and the last have gone there.
  double memory_latency(double bytes, double cold) const;

  // s that starting a kernel takes on this device, of what the stack says.
  double start(double seconds) const { return start_share_ * seconds; }
  // The same of kernels that the stack has one constant for on all architectures, measured at Hopper's clock: starting
  // a kernel is so many clocks, unless the device's file says what it takes.
  double start_at_clock(double seconds) const { return start_clocks_ * seconds; }
  // B/s of copies between host and device; 0 where the device's file does not give the link.
  double bus(BusMemory memory) const;

  double sms() const { return device_.sm_count.value; }
  double clock() const { return device_.boost_clock.value; }
  // FLOP/s of matrix units at the highest clock. Error where the device has none for that precision.
  double tensor_rate(const std::string& precision) const;
  double vector_rate() const;
  // s for elements at so many per SM and clock; 0 for as many as memory gives.
  double issue_seconds(double elements, double per_clock) const {
    return per_clock == 0 ? 0 : elements / (per_clock * sms() * clock());
  }

 private:
  Device device_;
  KernelStack stack_;
  Host host_;
  std::optional<Cluster> cluster_;
  size_t kernels_;  // of the stack's architectures
  double start_share_, start_clocks_, bandwidth_, l2_bandwidth_;
};

}  // namespace modelmeter
