#include "timing/clock.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_map>

namespace modelmeter {
namespace {

constexpr double lowest_clock = 0.2;
constexpr int bisections = 20;
// A GEMM among attention and copies is held back more than they are. Chosen on forwards of the H100 and the H200,
// 2026-11 (docs/validation.md).
constexpr double steepness = 2.2;

// How much one kernel is held back, of what the run is.
double restraint_of(const KernelTime& time, double mean_watts, const Device& device) {
  const double watts = device.power->idle.value + (time.joules + time.joules_at_clock) / time.seconds(1);
  return std::pow(watts / mean_watts, steepness);
}
double held_back(double clock, double restraint) { return std::max(lowest_clock, 1 - (1 - clock) * restraint); }
bool is_held_back(const KernelTime& time, const Device& device) { return device.power && time.joules_at_clock != 0; }

struct TimeEqual {
  bool operator()(const KernelTime& a, const KernelTime& b) const {
    return a.fixed == b.fixed && a.compute == b.compute && a.memory == b.memory && a.joules == b.joules &&
           a.joules_at_clock == b.joules_at_clock && a.overlap == b.overlap;
  }
};
struct TimeHash {
  size_t operator()(const KernelTime& t) const {
    const std::hash<double> hash;
    return hash(t.compute) * 31 + hash(t.memory) * 7 + hash(t.fixed);
  }
};

// Kernels of equal times, of which a run of many blocks has many, are worked out once.
class PowerRun {
 public:
  PowerRun(const std::vector<TimedKernel>& kernels, const Device& device) : kernels_(kernels), device_(device) {
    find_distinct();
    double clocked = 0;
    for (const TimedKernel& k : kernels) {
      memory_joules_ += k.time.joules * k.times;
      clocked += k.time.joules_at_clock * k.times;
    }
    const double t = seconds(1);
    if (device.power && t > 0) mean_watts_ = device.power->idle.value + (memory_joules_ + clocked) / t;
    for (Distinct& d : distinct_) {
      if (is_held_back(*d.time, device)) d.restraint = restraint_of(*d.time, mean_watts_, device);
    }
  }

  double seconds(double clock) const {
    std::vector<double> each;
    for (const Distinct& d : distinct_) each.push_back(d.time->seconds(of(d, clock)));
    double sum = 0;
    for (size_t i = 0; i < kernels_.size(); ++i) sum += each[which_[i]] * kernels_[i].times;
    return sum;
  }
  double joules(double clock, double seconds) const {
    std::vector<double> clocks;
    for (const Distinct& d : distinct_) clocks.push_back(of(d, clock));
    double sum = device_.power->idle.value * seconds + memory_joules_;
    for (size_t i = 0; i < kernels_.size(); ++i) {
      const TimedKernel& k = kernels_[i];
      const double c = clocks[which_[i]];
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
  struct Distinct {
    const KernelTime* time;
    double restraint = 0;  // where it is held back
  };

  void find_distinct() {
    std::unordered_map<KernelTime, uint32_t, TimeHash, TimeEqual> known;
    for (const TimedKernel& k : kernels_) {
      const auto [at, is_new] = known.try_emplace(k.time, static_cast<uint32_t>(distinct_.size()));
      if (is_new) distinct_.push_back({&k.time});
      which_.push_back(at->second);
    }
  }
  double of(const Distinct& kernel, double clock) const {
    return clock == 1 || !is_held_back(*kernel.time, device_) ? clock : held_back(clock, kernel.restraint);
  }

  const std::vector<TimedKernel>& kernels_;
  std::vector<Distinct> distinct_;
  std::vector<uint32_t> which_;  // of distinct_, by kernel
  const Device& device_;
  double memory_joules_ = 0, mean_watts_ = 0;
};

}  // namespace

double clock_of(const KernelTime& time, double clock, double mean_watts, const Device& device) {
  if (clock == 1 || !is_held_back(time, device)) return clock;
  return held_back(clock, restraint_of(time, mean_watts, device));
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
