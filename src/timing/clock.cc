#include "timing/clock.h"

#include <algorithm>

namespace modelmeter {
namespace {

constexpr double lowest_clock = 0.2;
constexpr int bisections = 20;
// A GEMM among attention and copies is held back more than they are. Chosen on forwards of the H100 and the H200,
// 2026-11 (docs/validation.md).
constexpr double steepness = 2.2;

class PowerRun {
 public:
  PowerRun(const std::vector<TimedKernel>& kernels, const Device& device) : kernels_(kernels), device_(device) {
    double clocked = 0;
    for (const TimedKernel& k : kernels) {
      memory_joules_ += k.time.joules * k.times;
      clocked += k.time.joules_at_clock * k.times;
    }
    const double t = seconds(1);
    if (device.power && t > 0) mean_watts_ = device.power->idle.value + (memory_joules_ + clocked) / t;
  }

  double seconds(double clock) const {
    double sum = 0;
    for (const TimedKernel& k : kernels_) sum += k.time.seconds(of(k, clock)) * k.times;
    return sum;
  }
  double joules(double clock, double seconds) const {
    double sum = device_.power->idle.value * seconds + memory_joules_;
    for (const TimedKernel& k : kernels_) {
      const double c = of(k, clock);
      sum += k.time.joules_at_clock * k.times * c * c;
    }
    return sum;
  }
  double mean_watts() const { return mean_watts_; }
  bool within_limit(double clock) const {
    const double t = seconds(clock);
    return joules(clock, t) <=
           device_.power->sustained.value * device_.power_limit.value * t + device_.power->burst.value;
  }

 private:
  double of(const TimedKernel& kernel, double clock) const {
    return clock_of(kernel.time, clock, mean_watts_, device_);
  }

  const std::vector<TimedKernel>& kernels_;
  const Device& device_;
  double memory_joules_ = 0, mean_watts_ = 0;
};

}  // namespace

double clock_of(const KernelTime& time, double clock, double mean_watts, const Device& device) {
  if (clock == 1 || !device.power || time.joules_at_clock == 0) return clock;
  const double watts = device.power->idle.value + (time.joules + time.joules_at_clock) / time.seconds(1);
  return std::max(lowest_clock, 1 - (1 - clock) * std::pow(watts / mean_watts, steepness));
}

RunPower solve_clock(const std::vector<TimedKernel>& kernels, const Device& device) {
  const PowerRun run(kernels, device);
  RunPower out;
  if (device.power && device.power_limit.known() && !run.within_limit(1)) {
    double low = lowest_clock, high = 1;
    for (int i = 0; i < bisections; ++i) {
      const double middle = (low + high) / 2;
      (run.within_limit(middle) ? low : high) = middle;
    }
    out.clock = low;
  }
  out.mean_watts = run.mean_watts();
  out.seconds = run.seconds(out.clock);
  if (device.power) out.joules = run.joules(out.clock, out.seconds);
  return out;
}

}  // namespace modelmeter
