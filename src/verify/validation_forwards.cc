// Whole forwards and runs: their traces timed, against profiles, wall clocks and energy meters.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "hardware/catalog.h"
#include "memory/memory_report.h"
#include "verify/csv.h"
#include "verify/forward_launches.h"
#include "verify/launch_time.h"
#include "verify/validation_files.h"

namespace modelmeter {
namespace {

constexpr double ms = 1e-3, microsecond = 1e-6;

// B that a forward of the stage allocates at once, workspaces included, above what was there before it.
double peak_above_start(const TimedForward& ours, const std::string& stage, const Machine& machine) {
  const MemoryReport report =
      build_memory_report(*ours.model, ours.run, stage, stack_of(machine.device().architecture));
  const StageMemory& s = report.stages.front();
  return s.held.empty() ? 0 : static_cast<double>(s.with_workspace_bytes - s.held.front());
}

// Sums by op.
class OpSums {
 public:
  void add(const std::string& op, double predicted_us, double measured_us) {
    OpTimes& sum = sums_[op];
    sum.op = op;
    ++sum.launches;
    sum.predicted_ms += predicted_us * ms;
    sum.measured_ms += measured_us * ms;
    sum.absolute_ms += std::abs(predicted_us - measured_us) * ms;
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
void compare_launches(const std::vector<MeasuredLaunch>& measured, const TimedForward& ours, ValidationRow& row) {
  const Trace& trace = ours.run.trace();
  const std::vector<size_t> order =
      execution_order(trace, std::max(0, scope_of_stage(trace, ours.time.stages[ours.stage].stage)));
  const LinedUp lined_up = line_up(trace, order, measured);
  double total = 0, alone = 0;
  OpSums sums;
  for (size_t j = 0; j < measured.size(); ++j) {
    const size_t op = lined_up.ops[j];
    total += measured[j].us;
    if (op == LinedUp::none) alone += measured[j].us;
    sums.add(measured[j].op, op == LinedUp::none ? 0 : ours.time.ops[op] / microsecond, measured[j].us);
  }
  row.launches = static_cast<int64_t>(measured.size());
  row.launches_in_place = lined_up.in_place;
  row.launch_error = total > 0 ? sums.absolute_ms() / (total * ms) : 0;
  row.by_op = sums.by_time();
  if (alone > 0) row.not_predicted_ms = alone * ms;
}

ValidationRow from_trace(const std::vector<MeasuredLaunch>& measured, const KnownForward& known, const Machine& machine,
                         const ValidationContext& context) {
  ValidationRow row;
  row.group = known.group;
  const TimedForward ours = timed_forward(known, machine, context, false);
  row.predicted_device_ms = ours.time.stages[ours.stage].part.device / ms;
  double sum = 0;
  for (const MeasuredLaunch& launch : measured) sum += launch.us;
  row.measured_device_ms = sum * ms;
  compare_launches(measured, ours, row);
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
  OpSums sums;
  int64_t in_place = 0;
  for (size_t i = 0; i < measured.size(); ++i) {
    if (!known[i]) {
      alone += measured[i].us;
      continue;
    }
    double us = 0;
    for (size_t k = parts[i].first; k < parts[i].second; ++k) {
      const KernelTime& t = kernels[k].time;
      us += t.seconds(clock_of(t, power.clock, power.mean_watts, machine.device())) * 1e6;
    }
    ++in_place;
    predicted += us;
    sum += measured[i].us;
    sums.add(measured[i].op, us, measured[i].us);
  }
  row.predicted_device_ms = predicted * ms;
  row.measured_device_ms = sum * ms;
  row.launch_error = sum > 0 ? sums.absolute_ms() / (sum * ms) : 0;
  row.by_op = sums.by_time();
  row.launches = static_cast<int64_t>(measured.size());
  row.launches_in_place = in_place;
  if (alone > 0) row.not_predicted_ms = alone * ms;
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

}  // namespace

std::optional<Machine> machine_named(const std::string& name, const ValidationContext& context) {
  static const std::map<std::string, std::string> names = {
      {"h100", "h100_sxm"},     {"h200", "h200_sxm"},      {"H800/H100", "h100_sxm"}, {"H100", "h100_sxm"},
      {"H100 SXM", "h100_sxm"}, {"A800/A100", "a100_sxm"}, {"A100", "a100_sxm"},      {"A100-80GB", "a100_sxm"},
      {"A800", "a800_sxm"},     {"H200", "h200_sxm"},      {"RTX 4090", "rtx_4090"},  {"B200", "b200_sxm"},
  };
  const auto found = names.find(name);
  const std::string option = !context.device.empty() ? context.device : found == names.end() ? name : found->second;
  if (context.device.empty() && !context.repository.has_config("device/" + option)) return std::nullopt;
  return Machine(load_device(context.repository, option), load_kernel_stack(context.repository, "torch_2_11"),
                 load_host(context.repository, "virtual_16_cores"));
}

std::vector<ValidationRow> validate_launches(const std::string& path, const ValidationContext& context) {
  const auto [device, name] = device_and_name(path);
  const std::optional<Machine> machine = machine_named(device, context);
  if (!machine) {
    throw Error(fmt::format("{}: its name does not say which device it is of", path), {}, {"--device NAME says so"});
  }
  std::vector<MeasuredLaunch> measured = read_launch_file(path);
  infer_outputs(measured);
  std::optional<KnownForward> known = known_forward(name);
  if (!context.config_name.empty()) known = KnownForward{context.config_name, "", "forward", context.overrides};
  ValidationRow row = known ? from_trace(measured, *known, *machine, context) : from_shapes(measured, *machine);
  row.file = path;
  row.device = machine->device().id;
  row.name = name;
  return {row};
}

std::vector<ValidationRow> validate_forwards(const std::string& path, const ValidationContext& context) {
  const CsvTable table(path);
  table.expect_columns({"device", "name", "wall_ms", "joules_per_forward"}, "forwards.csv");
  std::vector<ValidationRow> out;
  for (size_t i = 0; i < table.rows(); ++i) {
    const std::optional<KnownForward> known = known_forward(table.text(i, "name"));
    const std::optional<Machine> machine = machine_named(table.text(i, "device"), context);
    if (!known || !machine) continue;
    const TimedForward ours = timed_forward(*known, *machine, context, false);
    const StageTime& stage = ours.time.stages[ours.stage];
    ValidationRow row;
    row.file = path;
    row.device = machine->device().id;
    row.name = table.text(i, "name");
    row.group = known->group + (stage.host_bound() ? ", host-bound" : ", device-bound");
    row.predicted_wall_ms = stage.wall / ms;
    row.measured_wall_ms = table.number(i, "wall_ms");
    if (table.number(i, "joules_per_forward") > 0) {
      row.predicted_joules = stage.joules;
      row.measured_joules = table.number(i, "joules_per_forward");
    }
    row.inside = *row.measured_wall_ms >= stage.low / ms && *row.measured_wall_ms <= stage.high / ms;
    const double start = table.number(i, "allocated_at_start"), peak = table.number(i, "peak_allocated");
    if (start > 0 && peak > start) {
      row.predicted_peak_allocated = peak_above_start(ours, known->stage, *machine);
      row.measured_peak_allocated = peak - start;
    }
    out.push_back(std::move(row));
  }
  return out;
}

std::vector<ValidationRow> validate_published(const std::string& path, const ValidationContext& context) {
  const CsvTable table(path);
  table.expect_columns({"model", "task", "height", "width", "frames", "steps", "cfg_forwards", "attention", "gpus",
                        "gpu_name", "time_s", "time_kind"},
                       "wan.csv");
  static const std::map<std::string, std::string> models = {
      {"Wan2.1-T2V-14B", "wan2_1_t2v_14b_pipeline"},
      {"Wan2.1-T2V-1.3B", "wan2_1_t2v_1_3b_pipeline"},
  };
  std::vector<ValidationRow> out;
  for (size_t i = 0; i < table.rows(); ++i) {
    const auto model = models.find(table.text(i, "model"));
    const std::string& attention = table.text(i, "attention");
    const bool other_kernel = attention.find("sage") != std::string::npos ||
                              attention.find("attn3") != std::string::npos ||
                              attention.find("FA3") != std::string::npos;
    const bool cached = table.text(i, "notes").find("thresh 0") != std::string::npos;  // TeaCache skips steps
    const bool stated = model != models.end() && table.text(i, "time_kind") == "total" &&
                        table.number(i, "gpus") == 1 && table.text(i, "parallelism") == "none" &&
                        table.number(i, "frames") > 0 && table.number(i, "steps") > 0 &&
                        table.number(i, "cfg_forwards") == 2 && !other_kernel && !cached;
    if (!stated) continue;
    const std::optional<Machine> machine = machine_named(table.text(i, "gpu_name"), context);
    if (!machine) continue;
    KnownForward known{model->second, "", "published", {}};
    for (const auto& [column, key] : {std::pair{"height", "height"}, std::pair{"width", "width"},
                                      std::pair{"frames", "num_frames"}, std::pair{"steps", "num_inference_steps"}}) {
      known.overrides.push_back(fmt::format("workload.{}={:.0f}", key, table.number(i, column)));
    }
    const TimedForward run = timed_forward(known, *machine, context, true);
    const StageTime total = run.time.total();
    ValidationRow row;
    row.file = path;
    row.device = machine->device().id;
    row.name = fmt::format("{} {}p{} {}", table.text(i, "model"), table.text(i, "height"), table.text(i, "frames"),
                           table.text(i, "gpu_name"));
    row.group = "published runs";
    row.predicted_wall_ms = total.wall / ms;
    row.measured_wall_ms = table.number(i, "time_s") / ms;
    row.inside = *row.measured_wall_ms >= total.low / ms && *row.measured_wall_ms <= total.high / ms;
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace modelmeter
