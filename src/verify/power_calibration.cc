#include "verify/power_calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "timing/kernel_time.h"
#include "verify/csv.h"
#include "verify/validation_files.h"

namespace modelmeter {
namespace {

constexpr double near_limit = 0.9, above_limit = 1.1;  // of it: rows that it acts on; rows that cannot be
constexpr double lowest_clock = 0.2;
constexpr int bisections = 40;

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
double joules_of(const NamedWork& work, const SteadyState& row, const FittedPower& known, const Machine& machine) {
  const double seconds = work.amount / row.rate;
  const double clock = clock_for(time_of(work.kernel, machine), seconds);
  return (row.watts - known.idle - known.memory * machine.from_memory(work.kernel.bytes(), 0) / seconds) /
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
    if (limit > 0 && row.watts > above_limit * limit) {
      throw Error(fmt::format("{} takes {:.0f} W, and the device's limit is {:.0f} W: the file is of another device",
                              row.what, row.watts, limit));
    }
    if (limit > 0 && row.watts > near_limit * limit) shares.push_back(std::min(1.0, row.watts / limit));
  }
  return mean_value(shares);
}

}  // namespace

std::vector<SteadyState> read_steady_states(const std::string& path,
                                            const std::function<bool(const std::string&)>& is_wanted) {
  const CsvTable table(path);
  table.expect_columns({"device", "kind", "what", "watts", "rate"}, "power.csv");
  std::vector<SteadyState> out;
  for (size_t i = 0; i < table.rows(); ++i) {
    if (!is_wanted(table.text(i, "device")) || table.text(i, "kind") != "power") continue;
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
    const std::optional<NamedWork> work = work_named(row.what);
    if (!work || std::string_view(work->kernel.precision) != "bf16") continue;
    if (work->kernel.shape == KernelShape::gemm) tensor.push_back(joules_of(*work, row, out, machine));
    if (work->kernel.shape == KernelShape::attention && std::string_view(work->kernel.attention) == "flash")
      attention.push_back(joules_of(*work, row, out, machine));
  }
  out.tensor = mean_value(tensor);
  out.attention = mean_value(attention);
  out.sustained = sustained_share(rows, machine);
  out.rows = static_cast<int64_t>(rows.size());
  return out;
}

}  // namespace modelmeter
