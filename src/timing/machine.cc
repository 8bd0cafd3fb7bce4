#include "timing/machine.h"

#include <algorithm>

namespace modelmeter {
namespace {

// Of devices whose files have no measured share: the lowest of those that have one (docs/time.md).
constexpr double default_memory_fraction = 0.83;
// Measured on the H100 and H200 (2026-11): 19 MB in 3.5 and 3.0 us beyond the launch, 1.8 and 1.5 times the bandwidth
// of streams. All of it hits below half of the size of L2, none above one and a half.
constexpr double l2_speedup = 1.7;
constexpr double all_hit = 0.5, none_hits = 1.5;

}  // namespace

Machine::Machine(Device device, KernelStack stack, Host host)
    : device_(std::move(device)), stack_(std::move(stack)), host_(std::move(host)) {
  kernels_ = &stack_.architecture(device_.architecture);
  const double fraction = device_.memory_fraction.known() ? device_.memory_fraction.value : default_memory_fraction;
  bandwidth_ = device_.memory_bandwidth.value * fraction;
  l2_bandwidth_ = bandwidth_ * l2_speedup;
}

double Machine::memory_seconds(double bytes, double cold) const {
  const double l2 = device_.l2_size.value;
  if (l2 == 0) return bytes / bandwidth_;
  const double hit = std::clamp((none_hits - bytes / l2) / (none_hits - all_hit), 0.0, 1.0) * (bytes - cold);
  return hit / l2_bandwidth_ + (bytes - hit) / bandwidth_;
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
