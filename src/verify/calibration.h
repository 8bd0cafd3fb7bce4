// A device's constants from measurements of kernels on it: profiles (verify/profile.h), files of launches, micro.csv,
// gemm.csv, attention.csv.
//
// Least squares of the logarithms of predicted over measured times, robust (Huber's weights), over factors of
//
//   memory_fraction   share of the sheet's bandwidth that streams reach
//   boost_clock       the clock that vector units run at
//   tensor_clock      the clock at which the sheet's rates of matrix units hold: a higher one is slower
//   l2_size
//
// and, where a power.csv is among the files, the power model (verify/power_calibration.h), after the rest.
//
// Launches of the same op, shapes and kernels are one row, their median. What no row depends on is not fitted and said
// to be unknown. Left out are rows of more than a millisecond that matrix units bound: the power limit holds them back.
// Not fitted: what belongs to kernels (configs/stack), the host; power without steady states (times do not tell watts).
#pragma once

#include <string>
#include <vector>

#include "verify/validation.h"

namespace modelmeter {

struct CalibratedConstant {
  std::string name;
  double before = 0, after = 0;  // in base units
  double standard_error = 0;     // relative
  double weight = 0;             // rows' worth of dependence: the sum of squared sensitivities
  bool identified = false;       // the data has at least three rows' worth
};

struct Calibration {
  std::string device;  // the option or file that was calibrated
  std::string name;    // as its file calls it
  std::vector<CalibratedConstant> constants;
  int64_t rows = 0, left_out = 0;
  double error_before = 0, error_after = 0;  // mean absolute, relative
  double median_before = 0, median_after = 0;
  // Of the power model, with steady states: in base units, 0 after where no row says. No errors: a row or two each.
  std::vector<CalibratedConstant> power;
  bool has_burst = false;  // whether the device's file has a power model to take `burst` from
  std::string files;       // their names, for the source
};

// Error where a file is none of these, or there are fewer rows than constants.
Calibration calibrate(const std::vector<std::string>& files, const ValidationContext& context);

std::string calibration_text(const Calibration& calibration);
std::string calibration_json(const Calibration& calibration);
// A file that takes the device's over with what was fitted: device=FILE reads it. `date` is YYYY-MM.
std::string calibration_yaml(const Calibration& calibration, const std::string& date);

}  // namespace modelmeter
