// Predicted times against measured ones, of the files that there are of each (docs/validation.md):
//
//   launches-*.csv[.gz]  a profiled forward, launch by launch: from our trace of the configuration, where one is given
//   or
//                        known from the name, else from each row's own op, shapes and dtypes
//   forwards.csv         wall time, joules and peak memory of forwards, those that a configuration is known for
//   micro.csv, gemm.csv, attention.csv   single kernels
//   wan.csv              published runs on one device, those whose workload and device are stated
//
// Errors are relative and signed: predicted over measured, less 1.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/repository.h"
#include "model/data_files.h"
#include "timing/machine.h"

namespace modelmeter {

// The launches of one op in a forward, ours against those measured.
struct OpTimes {
  std::string op;  // as profiles call it
  int64_t launches = 0;
  double predicted_ms = 0, measured_ms = 0;
  double absolute_ms = 0;  // sum of the launches' absolute errors
};

struct ValidationRow {
  std::string file, device, name;
  std::string group;  // what summaries go by: "DiT", "gemm bf16"
  std::optional<double> predicted_device_ms, measured_device_ms;
  std::optional<double> predicted_wall_ms, measured_wall_ms;
  std::optional<double> predicted_joules, measured_joules;
  std::optional<double> predicted_peak_allocated, measured_peak_allocated;  // B, above what was there before
  std::optional<double> launch_error;  // mean of the launches' absolute errors, weighted by their times
  std::optional<int64_t> launches, launches_in_place;
  std::optional<double> not_predicted_ms;  // of launches that no rule is for
  std::vector<OpTimes> by_op;              // those that take most first
  std::optional<bool> inside;              // the measured wall (else device) time is in the interval

  std::optional<double> device_error() const;
  std::optional<double> wall_error() const;
  std::optional<double> joules_error() const;
  std::optional<double> peak_allocated_error() const;
};

// Where configurations and devices are, and what the user says of the files.
struct ValidationContext {
  const config::Repository& repository;
  DataFiles files;
  std::string device;                  // "" where the file says which
  std::string config_name;             // "" where the file's name says which, or none
  std::vector<std::string> overrides;  // with config_name
};

// By the file's name. Error for a file of another kind.
std::vector<ValidationRow> validate_file(const std::string& path, const ValidationContext& context);

// One line a file of launches or a forward, and a table of single kernels by group with mean, median, 90th percentile
// and worst error.
std::string validation_text(const std::vector<ValidationRow>& rows);
std::string validation_json(const std::vector<ValidationRow>& rows);

}  // namespace modelmeter
