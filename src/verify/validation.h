// Predicted times against measured ones, of the files that there are of each (docs/validation.md):
//
//   launches-*.csv[.gz]  a profiled forward, launch by launch: from our trace of the configuration that is given or
//   that
//                        the name says, else from each row's own op, shapes and dtypes
//   forwards.csv         wall time, joules and peak memory of forwards, those that a configuration is known for
//   micro.csv, gemm.csv, attention.csv   single kernels
//   power.csv, host.csv  steady states of one kind of work; calls of the host
//   memlog-*.json[.gz]   a log of PyTorch's allocator, replayed
//   wan.csv, deepseek_ocr.csv   published runs on one device, those whose workload and device are stated
//   nccl.csv             single collectives on one node
//
// Errors are relative and signed: predicted over measured, less 1. A row that nothing is predicted for is named, with
// why.
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

// Predicted over measured, less 1; nothing where one is not known or nothing was measured.
std::optional<double> relative_error(const std::optional<double>& predicted, const std::optional<double>& measured);

struct ValidationRow {
  std::string file, device, name;
  std::string group;  // what summaries go by: "DiT", "gemm bf16"
  std::optional<double> predicted_device_ms, measured_device_ms;
  std::optional<double> predicted_wall_ms, measured_wall_ms;
  std::optional<double> predicted_joules, measured_joules;
  std::optional<double> joules_resolution;  // what the meter can tell over the time it measured, as a share
  // B. What was there before a forward is the measurement's: it is in both.
  std::optional<double> predicted_peak_allocated, measured_peak_allocated;
  std::optional<double> predicted_peak_reserved, measured_peak_reserved;
  std::optional<double> allocated_at_start;
  std::optional<double> launch_error;  // mean of the launches' absolute errors, weighted by their times
  std::optional<int64_t> launches, launches_in_place;
  std::optional<double> not_predicted_ms;  // of launches that no rule is for, or that are not in the trace
  std::vector<OpTimes> by_op;              // those that take most first
  std::vector<OpTimes> not_predicted;      // the ops of those
  std::optional<bool> inside;              // the measured wall (else device) time is in the interval

  std::optional<double> device_error() const;
  std::optional<double> wall_error() const;
  std::optional<double> joules_error() const;  // nothing where the meter cannot tell a quarter
  std::optional<double> peak_allocated_error() const;
  std::optional<double> peak_reserved_error() const;
  std::optional<double> peak_above_start_error() const;  // of what the forward allocates itself
};

// A row of a file that nothing is predicted for.
struct NotCompared {
  std::string file;
  size_t row = 0;  // from 1; 0: the whole file
  std::string device, name, why;
};

struct Validation {
  std::vector<ValidationRow> rows;
  std::vector<NotCompared> not_compared;

  void add(Validation more);
};

// Where configurations and devices are, and what the user says of the files.
struct ValidationContext {
  const config::Repository& repository;
  DataFiles files;
  std::string device;                  // "" where the file says which
  std::string config_name;             // "" where the file's name says which, or none
  std::vector<std::string> overrides;  // with config_name
};

// By the file's name, else by its columns. Error for a file of another kind, and for one that is cut or broken.
Validation validate_file(const std::string& path, const ValidationContext& context);

// One line a file of launches or a forward, a table of single kernels by group with mean, median, 90th percentile and
// worst error, and what was not compared, by reason.
std::string validation_text(const Validation& validation);
std::string validation_json(const Validation& validation);

}  // namespace modelmeter
