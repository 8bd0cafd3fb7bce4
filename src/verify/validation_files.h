// One function for each kind of file that validation.h lists.
#pragma once

#include <functional>

#include "timing/device_kernel.h"
#include "verify/csv.h"
#include "verify/validation.h"

namespace modelmeter {

inline constexpr double one_ms = 1e-3, one_us = 1e-6;  // s

// The machine of a device's short name ("h100", "h200_sxm", "H100 SXM"), or nothing where no file is of it.
std::optional<Machine> machine_named(const std::string& name, const ValidationContext& context);

// The same machine, connected to others like it as the cluster is that there is a file of; nothing where there is none.
std::optional<Machine> connected(const Machine& machine, const ValidationContext& context);

// A row of a table of single kernels, and what the device runs for it.
struct MeasuredKernels {
  std::string device;  // as the file calls it
  std::string group, name;
  std::vector<DeviceKernel> kernels;
  double seconds = 0;
};

// s of one of them in a loop as tables run it, long enough that the power limit acts.
double looped_seconds(const std::vector<DeviceKernel>& kernels, const Machine& machine);

// s that nine kernels in ten are within of `seconds`, which is predicted for them.
double spread_of_kernels(const std::vector<DeviceKernel>& kernels, double seconds, const Machine& machine);

// Transposed and padded copies, concatenations, sums, gathers and resampling of micro.csv: rows of 1,024 elements, 64
// experts, 96 channels. None for any other op.
bool is_layout(const std::string& op);
std::vector<DeviceKernel> layout_kernels(const CsvTable& table, size_t row, const Machine& machine);

// The rows of micro.csv, gemm.csv or attention.csv, of devices that there are files of; none for any other file.
std::vector<MeasuredKernels> measured_kernels(const std::string& path, const ValidationContext& context);

// Work that power.csv names, and how much of it one kernel is, in what its rates count.
struct NamedWork {
  DeviceKernel kernel;
  double amount = 0;  // FLOP, or B
};
// "gemm bf16 8192^3", "flash 40x32760x128", "copy", "add f32"; nothing for anything else.
std::optional<NamedWork> work_named(const std::string& what);

// A forward of a model that no configuration is of, from a file of its launches: device and host queue of `repeats` of
// them one after another, each launch from its own shapes. What no rule is for takes what it took, and is named.
struct ForwardOfLaunches {
  double device = 0, host = 0, wall = 0;  // s, of one
  double joules = 0;                      // of one; 0 where the device has no power model
  double not_predicted = 0;               // s of `device`
};
ForwardOfLaunches forward_of_launches(const std::string& path, const Machine& machine, int64_t repeats);

// Why a row of a device is not compared.
std::string unknown_device(const std::string& name);

Validation validate_launches(const std::string& path, const ValidationContext& context);
Validation validate_forwards(const std::string& path, const ValidationContext& context);
Validation validate_kernels(const std::string& path, const ValidationContext& context);  // micro.csv
Validation validate_gemm_table(const std::string& path, const ValidationContext& context);
Validation validate_attention_table(const std::string& path, const ValidationContext& context);
Validation validate_power(const std::string& path, const ValidationContext& context);
Validation validate_host(const std::string& path, const ValidationContext& context);
Validation validate_allocator_log(const std::string& path, const ValidationContext& context);
Validation validate_published(const std::string& path, const ValidationContext& context);        // wan.csv
Validation validate_published_pages(const std::string& path, const ValidationContext& context);  // deepseek_ocr.csv
Validation validate_collectives(const std::string& path, const ValidationContext& context);      // nccl.csv

// The rows of a table one after another. A row that cannot be read, whose device or precision there is not, or that
// `validate` gives a reason for, is not compared.
struct RowOutcome {
  std::optional<ValidationRow> row;
  std::string why;  // where there is no row
};
struct RowColumns {
  std::string device, name;
};
Validation validate_rows(const CsvTable& table, const std::string& path, const RowColumns& columns,
                         const std::function<RowOutcome(size_t)>& validate);

}  // namespace modelmeter
