#include "timing/machine.h"

#include <algorithm>

namespace modelmeter {
namespace {

// Of devices whose files have no measured share: the lowest of those that have one (docs/time.md).
constexpr double default_memory_fraction = 0.83;
constexpr double hopper_clock = 1.98e9;  // at which the stack's constants were measured
// Fitted on single kernels of 1 to 100 MB on the H100 and the H200 and on launches of a forward on the H100 (2026-11;
// docs/validation.md says which were held out). L2's rate is the SMs': both cards are the same where all fits, though
// one has 1.4 times the other's bandwidth.
constexpr double l2_bytes_per_clock = 22.15;          // of an SM, of what reads about as much as it writes
constexpr double l2_read = 26, l2_written = 15.5;     // the same of each
constexpr double all_hit = 0.936, none_hits = 1.066;  // bytes over the size of L2
constexpr double cold_share = 0.1;                    // of the time of what is cold that nothing overlaps
constexpr double latency = 0.77e-6;                   // s, of what comes from device memory
constexpr double latency_bytes = 5.6e6;               // fewer take less
constexpr double least_wait = 0.25;                   // of it, for a few cold bytes (casts of biases in forwards)
constexpr double drain = 0.62e-6;                     // s, until what is written has gone there

}  // namespace

Machine::Machine(Device device, KernelStack stack, Host host, std::optional<Cluster> cluster)
    : device_(std::move(device)), stack_(std::move(stack)), host_(std::move(host)), cluster_(std::move(cluster)) {
  kernels_ = static_cast<size_t>(&stack_.architecture(device_.architecture) - stack_.architectures.data());
  start_share_ = device_.start_share.known() ? device_.start_share.value : 1;
  start_clocks_ = device_.start_share.known() || clock() == 0 ? start_share_ : hopper_clock / clock();
  const double fraction = device_.memory_fraction.known() ? device_.memory_fraction.value : default_memory_fraction;
  bandwidth_ = device_.memory_bandwidth.value * fraction;
  l2_bandwidth_ = std::max(bandwidth_, l2_bytes_per_clock * sms() * clock());
}

double Machine::miss(double bytes) const {
  const double l2 = device_.l2_size.value;
  return l2 == 0 ? 1 : std::clamp((bytes / l2 - all_hit) / (none_hits - all_hit), 0.0, 1.0);
}

double Machine::memory_seconds(double bytes, double cold) const {
  const double share = miss(bytes);
  const double of_l2 = bytes / l2_bandwidth_ + cold_share * cold / bandwidth_;
  return (1 - share) * of_l2 + share * bytes / bandwidth_;
}

double Machine::memory_seconds(double read, double written, double cold) const {
  const double bytes = read + written, share = miss(bytes), of_clock = sms() * clock();
  const double of_l2 = read / std::max(bandwidth_, l2_read * of_clock) +
                       written / std::max(bandwidth_, l2_written * of_clock) + cold_share * cold / bandwidth_;
  return (1 - share) * of_l2 + share * bytes / bandwidth_;
}

double Machine::first_from_l2(double bytes, double cold) const {
  return 1 - std::min(1.0, from_memory(bytes, cold) / latency_bytes);
}

double Machine::memory_latency(double bytes, double cold) const {
  const double waits = std::max(1 - first_from_l2(bytes, cold), cold > 0 ? least_wait : 0);
  return latency * waits + drain * miss(bytes);
}

double Machine::bus(BusMemory memory) const {
  const double link = device_.pcie_bandwidth.value, pinned = link * host_.pinned_share;
  switch (memory) {
    case BusMemory::any: return link;
    case BusMemory::pinned: return pinned;
    case BusMemory::pageable_source: return std::min(pinned, host_.pageable_to_device);
    case BusMemory::pageable_target: return std::min(pinned, host_.pageable_to_host);
  }
  return link;
}

double Machine::tensor_rate(const std::string& precision) const {
  const double clock_of_rate = device_.tensor_clock.known() ? device_.tensor_clock.value : clock();
  return device_.rate(precision).rate.value * clock() / clock_of_rate;
}

double Machine::vector_rate() const {
  // 128 multiply-adds of an SM and clock on all architectures here; sheets give the product.
  return device_.vector_rate.known() ? device_.vector_rate.value : sms() * clock() * 256;
}

}  // namespace modelmeter
