// One function for each kind of file that validation.h lists.
#pragma once

#include "timing/device_kernel.h"
#include "verify/validation.h"

namespace modelmeter {

// The machine of a device's short name ("h100", "h200_sxm", "H100 SXM"), or nothing where no file is of it.
std::optional<Machine> machine_named(const std::string& name, const ValidationContext& context);

// A row of a table of single kernels, and what the device runs for it.
struct MeasuredKernels {
  std::string device;  // as the file calls it
  std::string group, name;
  std::vector<DeviceKernel> kernels;
  double seconds = 0;
};

// s of one of them in a loop as tables run it, long enough that the power limit acts.
double looped_seconds(const std::vector<DeviceKernel>& kernels, const Machine& machine);

// The rows of micro.csv, gemm.csv or attention.csv, of devices that there are files of; none for any other file.
std::vector<MeasuredKernels> measured_kernels(const std::string& path, const ValidationContext& context);

std::vector<ValidationRow> validate_launches(const std::string& path, const ValidationContext& context);
std::vector<ValidationRow> validate_forwards(const std::string& path, const ValidationContext& context);
std::vector<ValidationRow> validate_kernels(const std::string& path, const ValidationContext& context);  // micro.csv
std::vector<ValidationRow> validate_gemm_table(const std::string& path, const ValidationContext& context);
std::vector<ValidationRow> validate_attention_table(const std::string& path, const ValidationContext& context);
std::vector<ValidationRow> validate_published(const std::string& path, const ValidationContext& context);  // wan.csv

}  // namespace modelmeter
