#include "verify/power_calibration.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "base/error.h"
#include "timing/kernel_time.h"
#include "verify/csv.h"

namespace modelmeter {
namespace {

constexpr double near_limit = 0.9;  // of it: rows that it acts on
constexpr double lowest_clock = 0.2;
constexpr int bisections = 40;
constexpr double bytes_of_16_bits = 2;

std::optional<DeviceKernel> gemm_named(const std::string& what) {
  int side = 0;
  if (std::sscanf(what.c_str(), "gemm bf16 %d^3", &side) != 1 || side <= 0) return std::nullopt;
  DeviceKernel out;
  out.shape = KernelShape::gemm;
  out.precision = "bf16";
  out.m = out.n = out.k = side;
  out.read = 2 * bytes_of_16_bits * out.m * out.k;
  out.written = bytes_of_16_bits * out.m * out.n;
  return out;
}

std::optional<DeviceKernel> flash_named(const std::string& what) {
  int heads = 0, length = 0, size = 0;
  if (std::sscanf(what.c_str(), "flash %dx%dx%d", &heads, &length, &size) != 3) return std::nullopt;
  if (std::min({heads, length, size}) <= 0) return std::nullopt;
  DeviceKernel out;
  out.shape = KernelShape::attention;
  out.attention = "flash";
  out.precision = "bf16";
  out.batch = heads;
  out.m = out.n = length;
  out.k = size;
  out.written = bytes_of_16_bits * out.batch * out.m * out.k;
  out.read = 3 * out.written;
  return out;
}

double flops_of(const DeviceKernel& kernel) {
  return (kernel.shape == KernelShape::attention ? 4 : 2) * kernel.batch * kernel.m * kernel.n * kernel.k;
}

// The share of the highest clock at which the kernel takes so many seconds.
double clock_for(const KernelTime& time, double seconds) {
  double low = lowest_clock, high = 1;
  if (time.seconds(high) >= seconds) return high;
  for (int i = 0; i < bisections; ++i) {
    const double middle = (low + high) / 2;
    (time.seconds(middle) > seconds ? low : high) = middle;
  }
  return high;
}

// J/FLOP at the highest clock.
double joules_of(const DeviceKernel& kernel, const SteadyState& row, const FittedPower& known, const Machine& machine) {
  const double seconds = flops_of(kernel) / row.rate;
  const double clock = clock_for(time_of(kernel, machine), seconds);
  return (row.watts - known.idle - known.memory * machine.from_memory(kernel.bytes(), 0) / seconds) /
         (row.rate * clock * clock);
}

double mean_value(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

// The slope of watts above idle over B/s.
double joules_of_a_byte(const std::vector<SteadyState>& rows, double idle) {
  double product = 0, square = 0;
  for (const SteadyState& row : rows) {
    if (row.what != "copy" && row.what != "add f32") continue;
    product += (row.watts - idle) * row.rate;
    square += row.rate * row.rate;
  }
  return square > 0 ? product / square : 0;
}

double sustained_share(const std::vector<SteadyState>& rows, const Machine& machine) {
  const double limit = machine.device().power_limit.value;
  std::vector<double> shares;
  for (const SteadyState& row : rows) {
    if (limit > 0 && row.watts > near_limit * limit) shares.push_back(std::min(1.0, row.watts / limit));
  }
  return mean_value(shares);
}

}  // namespace

std::vector<SteadyState> read_steady_states(const std::string& path, const std::vector<std::string>& names) {
  const CsvTable table(path);
  table.expect_columns({"device", "kind", "what", "watts", "rate"}, "power.csv");
  std::vector<SteadyState> out;
  for (size_t i = 0; i < table.rows(); ++i) {
    const bool named = names.empty() || std::find(names.begin(), names.end(), table.text(i, "device")) != names.end();
    if (!named || table.text(i, "kind") != "power") continue;
    out.push_back({table.text(i, "what"), table.number(i, "watts"), table.number(i, "rate")});
  }
  return out;
}

FittedPower fit_power(const std::vector<SteadyState>& rows, const Machine& machine) {
  FittedPower out;
  for (const SteadyState& row : rows) {
    if (row.what == "idle") out.idle = row.watts;
  }
  if (out.idle == 0) throw Error("the steady states have no row of what = idle: power is not identified without it");
  out.memory = joules_of_a_byte(rows, out.idle);
  std::vector<double> tensor, attention;
  for (const SteadyState& row : rows) {
    if (row.rate <= 0) continue;
    if (const auto kernel = gemm_named(row.what)) tensor.push_back(joules_of(*kernel, row, out, machine));
    if (const auto kernel = flash_named(row.what)) attention.push_back(joules_of(*kernel, row, out, machine));
  }
  out.tensor = mean_value(tensor);
  out.attention = mean_value(attention);
  out.sustained = sustained_share(rows, machine);
  out.rows = static_cast<int64_t>(rows.size());
  return out;
}

}  // namespace modelmeter
