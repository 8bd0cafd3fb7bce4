// A profiled forward, launch by launch.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "verify/forward_launches.h"
#include "verify/launch_time.h"
#include "verify/validation_files.h"

namespace modelmeter {
namespace {

constexpr double least_given = 0.6, least_known = 0.95;

// Sums by op.
class OpSums {
 public:
  void add(const std::string& op, double predicted_us, double measured_us) {
    OpTimes& sum = sums_[op];
    sum.op = op;
    ++sum.launches;
    sum.predicted_ms += predicted_us * one_ms;
    sum.measured_ms += measured_us * one_ms;
    sum.absolute_ms += std::abs(predicted_us - measured_us) * one_ms;
  }
  double absolute_ms() const {
    double out = 0;
    for (const auto& [op, sum] : sums_) out += sum.absolute_ms;
    return out;
  }
  std::vector<OpTimes> by_time() const {
    std::vector<OpTimes> out;
    for (const auto& [op, sum] : sums_) out.push_back(sum);
    std::stable_sort(out.begin(), out.end(),
                     [](const OpTimes& a, const OpTimes& b) { return a.measured_ms > b.measured_ms; });
    return out;
  }

 private:
  std::map<std::string, OpTimes> sums_;
};

// Lines the launches up with ours and fills the row.
void compare_launches(const std::vector<MeasuredLaunch>& measured, const TimedForward& ours, const LinedUp& lined_up,
                      ValidationRow& row) {
  double total = 0, alone = 0;
  OpSums sums, others;
  for (size_t j = 0; j < measured.size(); ++j) {
    const size_t op = lined_up.ops[j];
    total += measured[j].us;
    if (op == LinedUp::none) {
      alone += measured[j].us;
      others.add(measured[j].op, 0, measured[j].us);
    }
    sums.add(measured[j].op, op == LinedUp::none ? 0 : ours.time.ops[op] / one_us, measured[j].us);
  }
  row.launches = static_cast<int64_t>(measured.size());
  row.launches_in_place = lined_up.in_place;
  row.launch_error = total > 0 ? sums.absolute_ms() / (total * one_ms) : 0;
  row.by_op = sums.by_time();
  row.not_predicted = others.by_time();
  if (alone > 0) row.not_predicted_ms = alone * one_ms;
}

// Whether what was measured is a run of ours: as many launches of both are in common. Of a configuration that the user
// says it is of most, of one that its name says nearly all: another version of its libraries is by itself.
bool has_launches_of(const LinedUp& lined_up, size_t measured, size_t ours, double least) {
  const auto matched = static_cast<double>(lined_up.matched);
  return matched >= least * static_cast<double>(measured) &&
         matched >= least * static_cast<double>(ours) * static_cast<double>(lined_up.forwards);
}

// Error where the configuration cannot be built, or is of another model.
ValidationRow from_trace(const std::vector<MeasuredLaunch>& measured, const KnownForward& known, const Machine& machine,
                         const ValidationContext& context, double least) {
  ValidationRow row;
  row.group = known.group;
  const TimedForward ours = timed_forward(known, machine, context, false);
  const std::vector<size_t> order = launches_of(ours, known);
  const LinedUp lined_up = line_up(ours.run.trace(), order, measured);
  if (!has_launches_of(lined_up, measured.size(), order.size(), least)) {
    throw Error(fmt::format("the launches are not those of {}: {} of {} are, which has {}", known.config_name,
                            lined_up.matched, measured.size(), order.size()));
  }
  const StageTime time = is_of_all_stages(ours, known) ? ours.time.total() : ours.time.stages[ours.stage];
  row.predicted_device_ms = time.part.device / one_ms;
  double sum = 0;
  for (const MeasuredLaunch& launch : measured) sum += launch.us;
  row.measured_device_ms = sum * one_ms / static_cast<double>(lined_up.forwards);
  compare_launches(measured, ours, lined_up, row);
  return row;
}

// Each launch from its own shapes.
ValidationRow from_shapes(const std::vector<MeasuredLaunch>& measured, const Machine& machine) {
  ValidationRow row;
  row.group = "launches alone";
  std::vector<TimedKernel> kernels;
  std::vector<std::pair<size_t, size_t>> parts;  // of each launch; empty where no rule is for it
  std::vector<bool> known;
  for (const MeasuredLaunch& launch : measured) {
    const auto of_launch = kernels_of(launch, machine);
    const size_t first = kernels.size();
    if (of_launch) {
      for (const DeviceKernel& kernel : *of_launch) kernels.push_back({time_of(kernel, machine), 1});
    }
    known.push_back(of_launch.has_value());
    parts.emplace_back(first, kernels.size());
  }
  const RunPower power = solve_clock(kernels, machine.device());
  double predicted = 0, sum = 0, alone = 0;
  OpSums sums, others;
  int64_t in_place = 0;
  for (size_t i = 0; i < measured.size(); ++i) {
    if (!known[i]) {
      alone += measured[i].us;
      others.add(measured[i].op, 0, measured[i].us);
      continue;
    }
    double ours = 0;
    for (size_t k = parts[i].first; k < parts[i].second; ++k) {
      const KernelTime& t = kernels[k].time;
      ours += t.seconds(clock_of(t, power.clock, power.mean_watts, machine.device())) / one_us;
    }
    ++in_place;
    predicted += ours;
    sum += measured[i].us;
    sums.add(measured[i].op, ours, measured[i].us);
  }
  row.predicted_device_ms = predicted * one_ms;
  row.measured_device_ms = sum * one_ms;
  row.launch_error = sum > 0 ? sums.absolute_ms() / (sum * one_ms) : 0;
  row.by_op = sums.by_time();
  row.launches = static_cast<int64_t>(measured.size());
  row.launches_in_place = in_place;
  row.not_predicted = others.by_time();
  if (alone > 0) row.not_predicted_ms = alone * one_ms;
  return row;
}

// "launches-h100-t2v-14b-official-720p16.csv.gz": device and name.
std::pair<std::string, std::string> device_and_name(const std::string& path) {
  std::string name = std::filesystem::path(path).filename().string();
  name = name.substr(0, name.find(".csv"));
  constexpr std::string_view start = "launches-";
  if (name.rfind(start, 0) == 0) name.erase(0, start.size());
  const size_t dash = name.find('-');
  if (dash == std::string::npos) return {"", name};
  return {name.substr(0, dash), name.substr(dash + 1)};
}

// Launches as both queues see them: the host waits where a copy to it is one.
class Queues {
 public:
  void add(double host, double device, bool waits) {
    host_ += host;
    at_ += host;
    end_ = std::max(end_, at_) + device;
    if (waits) at_ = end_;
  }
  double host() const { return host_; }
  double wall() const { return std::max(at_, end_); }

 private:
  double host_ = 0, at_ = 0, end_ = 0;
};

}  // namespace

namespace {

// What one forward before has left of the joules that a short run may take above the power limit.
Device after_one(const std::vector<TimedKernel>& kernels, const Device& device, double forwards) {
  Device out = device;
  if (!device.power || !device.power_limit.known()) return out;
  const RunPower run = solve_clock(kernels, device);
  const double above = run.mean_watts - device.power->sustained.value * device.power_limit.value;
  Quantity& burst = out.power->burst;
  burst.value = std::max(0.0, burst.value - std::max(0.0, above) * run.seconds / forwards);
  return out;
}

}  // namespace

ForwardOfLaunches forward_of_launches(const std::string& path, const Machine& machine, int64_t repeats) {
  std::vector<MeasuredLaunch> launches = read_launch_file(path);
  infer_outputs(launches);
  const auto times = static_cast<double>(repeats);
  std::vector<TimedKernel> kernels;
  std::vector<std::pair<size_t, size_t>> parts;
  ForwardOfLaunches out;
  for (const MeasuredLaunch& launch : launches) {
    const size_t first = kernels.size();
    const auto of_launch = kernels_of(launch, machine);
    if (of_launch) {
      for (const DeviceKernel& kernel : *of_launch) kernels.push_back({time_of(kernel, machine), times});
    } else {
      kernels.push_back({KernelTime(), times});
      kernels.back().time.fixed = launch.us * one_us;
      out.not_predicted += launch.us * one_us;
    }
    parts.emplace_back(first, kernels.size());
  }
  const Device device = after_one(kernels, machine.device(), times);
  const RunPower power = solve_clock(kernels, device);
  Queues queues;
  for (int64_t run = 0; run < repeats; ++run) {
    for (size_t i = 0; i < launches.size(); ++i) {
      double on_device = 0;
      for (size_t k = parts[i].first; k < parts[i].second; ++k) {
        const KernelTime& t = kernels[k].time;
        on_device += t.seconds(clock_of(t, power.clock, power.mean_watts, device));
      }
      queues.add(host_seconds(op_kind_of(launches[i]), machine.host()), on_device,
                 launches[i].kernels.find("DtoH") != std::string::npos);
    }
  }
  out.device = power.seconds / times;
  out.host = queues.host() / times;
  out.wall = queues.wall() / times;
  if (const auto& model = device.power) {
    out.joules = (power.joules + model->idle.value * (queues.wall() - power.seconds)) / times;
  }
  return out;
}

Validation validate_launches(const std::string& path, const ValidationContext& context) {
  const auto [device, name] = device_and_name(path);
  const std::optional<Machine> machine = machine_named(device, context);
  if (!machine) {
    throw Error(fmt::format("{}: its name does not say which device it is of", path), {}, {"--device NAME says so"});
  }
  std::vector<MeasuredLaunch> measured = read_launch_file(path);
  if (measured.empty()) throw Error(fmt::format("{}: no launches", path));
  infer_outputs(measured);
  Validation out;
  std::optional<ValidationRow> row;
  if (!context.config_name.empty()) {
    row = from_trace(measured, {context.config_name, "", "forward", context.overrides}, *machine, context, least_given);
  } else if (const std::optional<KnownForward> known = known_forward(name); known && known->group == "decode") {
    out.not_compared.push_back({path, 0, device, name,
                                "a step behind others, where a configuration's first step joins the cache of a prompt; "
                                "each launch is predicted by itself"});
  } else if (known) {
    try {
      row = from_trace(measured, *known, *machine, context, least_known);
    } catch (const Error& error) {
      out.not_compared.push_back({path, 0, device, name, error.message() + "; each launch is predicted by itself"});
    }
  }
  if (!row) row = from_shapes(measured, *machine);
  row->file = path;
  row->device = machine->device().id;
  row->name = name;
  out.rows.push_back(std::move(*row));
  return out;
}

}  // namespace modelmeter
