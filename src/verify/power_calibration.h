// A device's power model (hardware/device.h) from steady states: seconds of one kind of work each, with mean watts
// and the rate that was reached.
//
//   power.csv: device, kind = power, what, watts, rate
//   what = idle | copy | add f32 (rate in B/s) | gemm bf16 N^3 | flash HxSxD (rate in FLOP/s)
//
//   idle       watts of idle
//   memory     J/B: least squares of (watts - idle) over rate, of copies and additions
//   tensor     J/FLOP of a GEMM, attention of FlashAttention 2, at the highest clock:
//              (watts - idle - memory x B/s) / (FLOP/s x c^2), where c is the share of the highest clock at which the
//              time model gives the rate that was reached (not sm_mhz, which a GEMM's time does not follow: what is
//              fitted is to give the power back with our times)
//   sustained  mean of watts over the limit, of rows within a tenth of it: a GEMM holds less of it than attention
//
// `burst`, what a run may take before the limit acts, does not show in steady states and stays as it is.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "timing/machine.h"

namespace modelmeter {

struct SteadyState {
  std::string what;
  double watts = 0, rate = 0;
};

// Rows of kind "power" whose device is wanted.
std::vector<SteadyState> read_steady_states(const std::string& path,
                                            const std::function<bool(const std::string& device)>& is_wanted);

struct FittedPower {
  double idle = 0, memory = 0, tensor = 0, attention = 0, sustained = 0;  // base units; 0: no row says
  int64_t rows = 0;
};

// Error where there is no row of idle: nothing else follows without it.
FittedPower fit_power(const std::vector<SteadyState>& rows, const Machine& machine);

}  // namespace modelmeter
