#include "verify/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/json_writer.h"
#include "report/table.h"
#include "verify/launch_time.h"
#include "verify/power_calibration.h"
#include "verify/profile.h"
#include "verify/validation_files.h"

namespace modelmeter {
namespace {

constexpr double row_us = 1e-6;
constexpr double held_back = 1e-3;  // s, of what matrix units bound
constexpr int most_steps = 12;
constexpr double probe = 0.02;      // of a factor; tiles make times step
constexpr double huber = 0.1;       // residuals beyond count by their size, not its square
constexpr double least_weight = 3;  // rows' worth of dependence
constexpr double largest_step = 0.3, settled = 1e-3;

struct FittedConstant {
  const char* name;
  Quantity Device::* member;
};
constexpr std::array<FittedConstant, 4> constants = {{{"memory_fraction", &Device::memory_fraction},
                                                      {"boost_clock", &Device::boost_clock},
                                                      {"tensor_clock", &Device::tensor_clock},
                                                      {"l2_size", &Device::l2_size}}};
using Factors = std::array<double, constants.size()>;  // logarithms

struct TimedRow {
  std::vector<DeviceKernel> kernels;
  double seconds = 0;
  bool loop = false;  // of a table: the power limit acts on it
};

Machine machine_with(const Machine& base, const Factors& factors) {
  Device device = base.device();
  for (size_t k = 0; k < constants.size(); ++k) (device.*constants[k].member).value *= std::exp(factors[k]);
  // Rates of matrix units are the sheet's at tensor_clock: a factor of the clock alone leaves them.
  device.tensor_clock.value *= std::exp(factors[1]);
  return Machine(std::move(device), base.stack(), base.host());
}

double seconds_of(const TimedRow& row, const Machine& machine) {
  if (row.loop) return looped_seconds(row.kernels, machine);
  double sum = 0;
  for (const DeviceKernel& kernel : row.kernels) sum += time_of(kernel, machine).seconds(1);
  return sum;
}

std::vector<double> residuals(const std::vector<TimedRow>& rows, const Machine& machine) {
  std::vector<double> out;
  for (const TimedRow& row : rows) out.push_back(std::log(seconds_of(row, machine) / row.seconds));
  return out;
}

double weight_of(double residual) { return std::min(1.0, huber / std::max(std::abs(residual), 1e-9)); }

using Matrix = std::array<std::array<double, constants.size()>, constants.size()>;

// Gauss-Jordan, with pivots; rows and columns of what is not fitted are those of the identity.
Matrix inverse(Matrix a) {
  Matrix out{};
  for (size_t i = 0; i < a.size(); ++i) out[i][i] = 1;
  for (size_t column = 0; column < a.size(); ++column) {
    size_t pivot = column;
    for (size_t i = column + 1; i < a.size(); ++i) {
      if (std::abs(a[i][column]) > std::abs(a[pivot][column])) pivot = i;
    }
    std::swap(a[column], a[pivot]);
    std::swap(out[column], out[pivot]);
    const double scale = 1 / a[column][column];
    for (size_t j = 0; j < a.size(); ++j) a[column][j] *= scale, out[column][j] *= scale;
    for (size_t i = 0; i < a.size(); ++i) {
      if (i == column) continue;
      const double factor = a[i][column];
      for (size_t j = 0; j < a.size(); ++j) a[i][j] -= factor * a[column][j], out[i][j] -= factor * out[column][j];
    }
  }
  return out;
}

class Fit {
 public:
  Fit(const std::vector<TimedRow>& rows, const Machine& base) : rows_(rows), base_(base) {
    for (size_t k = 0; k < constants.size(); ++k) known_[k] = (base.device().*constants[k].member).known();
  }

  void run() {
    for (int step = 0; step < most_steps; ++step) {
      linearise();
      double largest = 0;
      const Matrix covariance = inverse(normal_);
      for (size_t k = 0; k < constants.size(); ++k) {
        double change = 0;
        for (size_t j = 0; j < constants.size(); ++j) change -= covariance[k][j] * gradient_[j];
        if (!fitted_[k]) continue;
        change = std::clamp(change, -largest_step, largest_step);
        factors_[k] += change;
        largest = std::max(largest, std::abs(change));
      }
      if (largest < settled) break;
    }
    linearise();
  }

  Machine machine() const { return machine_with(base_, factors_); }
  double factor(size_t k) const { return std::exp(factors_[k]); }
  double weight(size_t k) const { return weights_[k]; }
  bool fitted(size_t k) const { return fitted_[k]; }
  double standard_error(size_t k) const {
    double sum = 0;
    const std::vector<double> r = residuals(rows_, machine());
    for (const double value : r) sum += weight_of(value) * value * value;
    const double variance = sum / std::max(1.0, static_cast<double>(r.size() - constants.size()));
    return std::sqrt(variance * inverse(normal_)[k][k]);
  }

 private:
  // Sensitivities of all rows to each factor, and the normal equations of what the data identifies.
  void linearise() {
    const std::vector<double> at = residuals(rows_, machine());
    std::array<std::vector<double>, constants.size()> slopes;
    for (size_t k = 0; k < constants.size(); ++k) {
      slopes[k].assign(rows_.size(), 0);
      if (!known_[k]) continue;
      Factors moved = factors_;
      moved[k] += probe;
      const std::vector<double> there = residuals(rows_, machine_with(base_, moved));
      for (size_t i = 0; i < rows_.size(); ++i) slopes[k][i] = (there[i] - at[i]) / probe;
    }
    normal_ = {};
    gradient_ = {};
    for (size_t k = 0; k < constants.size(); ++k) {
      weights_[k] = 0;
      for (size_t i = 0; i < rows_.size(); ++i) weights_[k] += slopes[k][i] * slopes[k][i];
      fitted_[k] = weights_[k] >= least_weight;
    }
    for (size_t k = 0; k < constants.size(); ++k) {
      if (!fitted_[k]) normal_[k][k] = 1;
      for (size_t i = 0; fitted_[k] && i < rows_.size(); ++i) {
        const double weight = weight_of(at[i]);
        gradient_[k] += weight * slopes[k][i] * at[i];
        for (size_t j = 0; j < constants.size(); ++j) {
          if (fitted_[j]) normal_[k][j] += weight * slopes[k][i] * slopes[j][i];
        }
      }
    }
  }

  const std::vector<TimedRow>& rows_;
  const Machine& base_;
  std::array<bool, constants.size()> known_{}, fitted_{};
  std::array<double, constants.size()> weights_{}, gradient_{};
  Factors factors_{};
  Matrix normal_{};
};

// Of the same op, shapes, dtypes and kernel: one row, the median.
void add_launches(std::vector<MeasuredLaunch> launches, const Machine& machine, std::vector<TimedRow>& rows) {
  infer_outputs(launches);
  std::map<std::string, std::pair<size_t, std::vector<double>>> alike;
  for (size_t i = 0; i < launches.size(); ++i) {
    const MeasuredLaunch& l = launches[i];
    std::string key = l.op + " " + l.kernels.substr(0, l.kernels.find('='));
    for (const auto& shape : l.shapes) key += fmt::format("[{}]", fmt::join(shape, ","));
    for (const std::string& dtype : l.dtypes) key += " " + dtype;
    auto& entry = alike[key];
    entry.first = i;
    entry.second.push_back(l.us * row_us);
  }
  for (auto& [key, entry] : alike) {
    const auto kernels = kernels_of(launches[entry.first], machine);
    if (!kernels || kernels->empty()) continue;
    std::sort(entry.second.begin(), entry.second.end());
    rows.push_back({*kernels, entry.second[entry.second.size() / 2], false});
  }
}

// Whether a row of a table is of the device: what it is called is unknown or known for it.
bool is_of(const std::string& device, const ValidationContext& context, const std::string& id) {
  if (context.device.find(".yaml") != std::string::npos) return true;
  ValidationContext unnamed = context;
  unnamed.device.clear();
  const std::optional<Machine> named = machine_named(device, unnamed);
  return !named || named->device().id == id;
}

// What is no table by its name.
Profile profile_or_table(const std::string& file) {
  try {
    return read_profile(file);
  } catch (const Error& error) {
    throw error.with_note("tables are known by their names: power.csv, micro.csv, gemm.csv, attention.csv");
  }
}

void add_power(const FittedPower& fitted, const Device& device, Calibration& out) {
  const PowerModel before = device.power.value_or(PowerModel());
  const auto add = [&](const char* name, const Quantity& was, double is) {
    out.power.push_back({name, was.value, is, 0, static_cast<double>(fitted.rows), is > 0});
  };
  add("idle", before.idle, fitted.idle);
  add("memory", before.memory, fitted.memory);
  add("tensor", before.tensor, fitted.tensor);
  add("attention", before.attention, fitted.attention);
  add("sustained", before.sustained, fitted.sustained);
  out.has_burst = device.power.has_value();
}

bool is_held_back(const TimedRow& row, const Machine& machine) {
  if (row.loop || row.seconds < held_back) return false;
  return std::any_of(row.kernels.begin(), row.kernels.end(), [&](const DeviceKernel& kernel) {
    const KernelTime t = time_of(kernel, machine);
    return t.tensor && t.compute > t.memory;
  });
}

double mean_of(const std::vector<double>& residuals) {
  double sum = 0;
  for (const double r : residuals) sum += std::abs(std::expm1(r));
  return sum / static_cast<double>(residuals.size());
}

double median_of(std::vector<double> residuals) {
  for (double& r : residuals) r = std::abs(std::expm1(r));
  std::sort(residuals.begin(), residuals.end());
  return residuals[residuals.size() / 2];
}

struct Shown {
  double unit;
  const char* name;
};
Shown shown_unit(const std::string& constant) {
  constexpr double pico = 1e-12;
  if (constant == "idle") return {1, "W"};
  if (constant == "memory") return {pico, "pJ/B"};
  if (constant == "tensor" || constant == "attention") return {pico, "pJ/FLOP"};
  if (constant == "sustained") return {1, ""};
  if (constant == "l2_size") return {1048576, "MiB"};
  return constant == "memory_fraction" ? Shown{1, ""} : Shown{1e6, "MHz"};
}

std::string shown(double value, const Shown& unit) {
  return fmt::format("{:.4g}{}{}", value / unit.unit, *unit.name == '\0' ? "" : " ", unit.name);
}

}  // namespace

Calibration calibrate(const std::vector<std::string>& files, const ValidationContext& context) {
  const std::optional<Machine> named = machine_named(context.device, context);
  if (!named) throw Error(fmt::format("there is no device '{}'", context.device));
  Device device = named->device();
  if (!device.tensor_clock.known()) device.tensor_clock = device.boost_clock;
  if (!device.memory_fraction.known())
    device.memory_fraction.value = named->bandwidth() / device.memory_bandwidth.value;
  const Machine machine(std::move(device), named->stack(), named->host());
  Calibration out;
  out.device = context.device;
  out.name = machine.device().name;
  std::vector<TimedRow> all;
  std::vector<SteadyState> steady;
  for (const std::string& file : files) {
    const std::string name = std::filesystem::path(file).filename().string();
    out.files += (out.files.empty() ? "" : ", ") + name;
    if (name == "power.csv") {
      const auto states =
          read_steady_states(file, [&](const std::string& of) { return is_of(of, context, machine.device().id); });
      steady.insert(steady.end(), states.begin(), states.end());
      continue;
    }
    const bool table = name == "micro.csv" || name == "gemm.csv" || name == "attention.csv";
    if (!table) {
      const Profile profile = profile_or_table(file);
      if (!profile.has_ops) {
        throw Error(fmt::format("{}: a profile of {} has no shapes", file, profile.source), {},
                    {"traces of torch.profiler have them (record_shapes=True)"});
      }
      add_launches(profile.launches, machine, all);
      continue;
    }
    for (const MeasuredKernels& row : measured_kernels(file, context)) {
      if (row.beside > 0) continue;
      if (is_of(row.device, context, machine.device().id)) all.push_back({row.kernels, row.seconds, true});
    }
  }
  // Steady states alone give power and leave the rest as it is.
  if (all.empty() && !steady.empty()) return add_power(fit_power(steady, *named), named->device(), out), out;
  std::vector<TimedRow> rows;
  for (TimedRow& row : all) {
    if (row.seconds > 0 && !is_held_back(row, machine)) rows.push_back(std::move(row));
  }
  out.rows = static_cast<int64_t>(rows.size());
  out.left_out = static_cast<int64_t>(all.size() - rows.size());
  if (rows.size() <= constants.size()) {
    throw Error(
        fmt::format("{} kernels that can be predicted: too few to fit {} constants", rows.size(), constants.size()));
  }
  Fit fit(rows, machine);
  fit.run();
  for (size_t k = 0; k < constants.size(); ++k) {
    const double before = (machine.device().*constants[k].member).value;
    const double clock = constants[k].member == &Device::tensor_clock ? fit.factor(1) : 1;
    out.constants.push_back({constants[k].name, before, before * fit.factor(k) * clock,
                             fit.fitted(k) ? fit.standard_error(k) : 0, fit.weight(k), fit.fitted(k)});
  }
  const std::vector<double> before = residuals(rows, machine), after = residuals(rows, fit.machine());
  out.error_before = mean_of(before);
  out.error_after = mean_of(after);
  out.median_before = median_of(before);
  out.median_after = median_of(after);
  if (!steady.empty()) add_power(fit_power(steady, fit.machine()), named->device(), out);
  return out;
}

namespace {

std::string power_text(const Calibration& c) {
  if (c.power.empty()) return "Power is not fitted: times do not tell watts, steady states (power.csv) do.\n";
  std::string out = fmt::format("\n### Power, from {:.0f} steady states\n\n", c.power.front().weight);
  Table table({"Constant", "Before", "Fitted"}, {Align::left, Align::right, Align::right});
  for (const CalibratedConstant& k : c.power) {
    const Shown unit = shown_unit(k.name);
    table.add(
        {k.name, k.before > 0 ? shown(k.before, unit) : "-", k.identified ? shown(k.after, unit) : "not identified"});
  }
  return out + table.markdown() +
         "\nNot identified: burst. Steady states do not show what comes before the limit acts.\n";
}

std::string constant_yaml(const CalibratedConstant& k) {
  const Shown unit = shown_unit(k.name);
  return fmt::format("{}: {{value: {:.5g}{}{}, source: calibration}}", k.name, k.after / unit.unit,
                     *unit.name == '\0' ? "" : ", unit: ", unit.name);
}

std::string power_yaml(const Calibration& c) {
  if (c.power.empty()) return "";
  const bool whole = std::all_of(c.power.begin(), c.power.end(), [](const auto& k) { return k.identified; });
  if (!whole && !c.has_burst) return "# power: not all of it is identified\n";
  std::string out = "power:\n";
  for (const CalibratedConstant& k : c.power) {
    out += k.identified ? "  " + constant_yaml(k) + "\n" : fmt::format("  # {}: not identified\n", k.name);
  }
  // A power model has all of its constants: so little that the limit acts at once.
  return out + (c.has_burst ? "" : "  burst: {value: 1.0e-3, unit: J, source: calibration}  # not identified\n");
}

void constants_json(DocumentWriter& out, const char* name, const std::vector<CalibratedConstant>& list) {
  out.list(name, list, [&](const CalibratedConstant& k) {
    out.map([&] {
      out.field("name", k.name);
      out.field("before", k.before);
      out.field("after", k.identified ? std::optional(k.after) : std::nullopt);
      out.field("standard_error",
                k.identified && k.standard_error > 0 ? std::optional(k.standard_error) : std::nullopt);
      out.field("rows_worth", k.weight);
      out.field("identified", k.identified);
    });
  });
}

}  // namespace

std::string calibration_text(const Calibration& c) {
  if (c.constants.empty()) return fmt::format("## {}\n", c.name) + power_text(c);
  std::string out = fmt::format("## {} from {} kernels\n\n", c.name, c.rows);
  Table table({"Constant", "Before", "Fitted", "Standard error", "Rows' worth"},
              {Align::left, Align::right, Align::right, Align::right, Align::right});
  std::string unknown;
  for (const CalibratedConstant& k : c.constants) {
    const Shown unit = shown_unit(k.name);
    if (!k.identified) unknown += (unknown.empty() ? "" : ", ") + k.name;
    table.add({k.name, k.before > 0 ? shown(k.before, unit) : "-",
               k.identified ? shown(k.after, unit) : "not identified",
               k.identified ? fmt::format("{:.2g} %", k.standard_error * 100) : "-", fmt::format("{:.1f}", k.weight)});
  }
  out += table.markdown();
  out += fmt::format("\nMean error {:.1f} % before, {:.1f} % after; median {:.1f} % and {:.1f} %.\n",
                     c.error_before * 100, c.error_after * 100, c.median_before * 100, c.median_after * 100);
  if (!unknown.empty()) out += fmt::format("Not identified by these files: {}.\n", unknown);
  if (c.left_out > 0) {
    out += fmt::format("Left out: {} of more than a millisecond on matrix units, which the power limit holds back.\n",
                       c.left_out);
  }
  return out + power_text(c);
}

std::string calibration_json(const Calibration& c) {
  return json_text([&](DocumentWriter& out) {
    out.map([&] {
      out.field("device", c.device);
      out.field("files", c.files);
      out.field("rows", c.rows);
      out.field("left_out", c.left_out);
      out.field("mean_error_before", c.error_before);
      out.field("mean_error_after", c.error_after);
      out.field("median_error_before", c.median_before);
      out.field("median_error_after", c.median_after);
      constants_json(out, "constants", c.constants);
      constants_json(out, "power", c.power);
    });
  });
}

std::string calibration_yaml(const Calibration& c, const std::string& date) {
  std::string out = "# Written by modelmeter calibrate";
  if (c.rows > 0) {
    out += fmt::format(": {} kernels, mean error {:.1f} % (before: {:.1f} %), median {:.1f} %", c.rows,
                       c.error_after * 100, c.error_before * 100, c.median_after * 100);
  }
  const std::string what = c.rows > 0 ? fmt::format("{} kernels of ", c.rows) : "";
  out += fmt::format(
      ".\ndefaults: [{}, _self_]\n"
      "sources:\n"
      "  calibration: {{title: \"modelmeter calibrate, {}{}\", date: {}, kind: fitted}}\n",
      c.device, what, c.files, date);
  for (const CalibratedConstant& k : c.constants) {
    out += k.identified ? fmt::format("{}  # +- {:.2g} %\n", constant_yaml(k), k.standard_error * 100)
                        : fmt::format("# {}: not identified\n", k.name);
  }
  return out + power_yaml(c);
}

}  // namespace modelmeter
