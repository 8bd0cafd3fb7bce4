// The clock that the power limit leaves. Over a run of kernels
//
//   watts(c) = idle + (joules of memory + c^2 x joules of arithmetic) / T(c)
//
// where c is the clock as a share of the highest and T(c) the time of all of them (timing/kernel_time.h): arithmetic
// takes c^2 of its energy, as voltage falls with the clock, and 1 / c of its time. The clock is the highest for which
// that is no more than what the limit sustains, plus the joules that a run may take before the limit
// acts (a short one is not held back). One clock for the whole run: the device averages over milliseconds to
// seconds, so that short kernels among long ones run at the clock of those. Not modelled: temperature.
#pragma once

#include <vector>

#include "timing/kernel_time.h"

namespace modelmeter {

// A kernel and how often it runs.
struct TimedKernel {
  KernelTime time;
  double times = 1;
};

struct RunPower {
  double clock = 1;       // share of the highest
  double mean_watts = 0;  // at the highest clock
  double seconds = 0;     // of all kernels at that clock
  double joules = 0;      // with the device's idle power over those seconds; 0 where its file has no power model
};

// The clock that one kernel of the run has: those that draw more than the mean are held back more,
// 1 - c_i = (1 - c) (watts of it / watts of the run)^steepness, both at the highest clock.
double clock_of(const KernelTime& time, double clock, double mean_watts, const Device& device);

RunPower solve_clock(const std::vector<TimedKernel>& kernels, const Device& device);

}  // namespace modelmeter
