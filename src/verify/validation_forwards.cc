// forwards.csv: wall times, joules and peaks of memory of whole forwards.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "memory/run_replay.h"
#include "verify/forward_launches.h"
#include "verify/validation_files.h"

namespace modelmeter {
namespace {

// s between two counts of the energy that NVML has of an H100 and an H200: of single short runs it says up to 1,190 W
// of cards that draw 700 (ViT over 50 ms, a compiled block over 205 ms: 63 J more than the limit allows, 90 ms of it).
constexpr double meter_step = 0.1;
constexpr double device_of_launches_spread = 0.1;  // nine in ten of models that are predicted from their launches

// The workload as its columns say it; none where they do not.
std::vector<std::string> sizes_of_row(const CsvTable& table, size_t row) {
  std::vector<std::string> out;
  for (const auto& [column, key] :
       {std::pair{"height", "height"}, std::pair{"width", "width"}, std::pair{"frames", "num_frames"}}) {
    if (table.number(row, column) <= 0) return {};
    out.push_back(fmt::format("workload.{}={:.0f}", key, table.number(row, column)));
  }
  if (table.number(row, "text_len") > 0) {
    out.push_back(fmt::format("workload.text_len={:.0f}", table.number(row, "text_len")));
  }
  return out;
}

void compare_memory(const CsvTable& table, size_t i, const TimedForward& ours, const KnownForward& known,
                    const Machine& machine, ValidationRow& row) {
  const double start = table.number(i, "allocated_at_start"), allocated = table.number(i, "peak_allocated"),
               reserved = table.number(i, "peak_reserved");
  if (start <= 0 || allocated <= start || !known.module.empty()) return;
  const Stage* stage = nullptr;
  for (const auto& s : ours.model->stages()) {
    if (s->id() == known.stage) stage = s.get();
  }
  if (stage == nullptr) return;
  const RunReplay replay = replay_forward(*stage, stack_of(machine.device().architecture));
  const double before = start - static_cast<double>(replay.allocated_before);
  row.allocated_at_start = start;
  row.measured_peak_allocated = allocated;
  row.predicted_peak_allocated = before + static_cast<double>(replay.peak_allocated);
  if (reserved <= start) return;
  row.measured_peak_reserved = reserved;
  row.predicted_peak_reserved = before + static_cast<double>(replay.peak_reserved);
}

// The meter counts joules in steps of its own: over a short time it does not know them.
void compare_joules(const CsvTable& table, size_t i, double predicted, ValidationRow& row) {
  if (predicted <= 0 || table.number(i, "joules_per_forward") <= 0) return;
  row.predicted_joules = predicted;
  row.measured_joules = table.number(i, "joules_per_forward");
  if (table.number(i, "meter_seconds") > 0) row.joules_resolution = meter_step / table.number(i, "meter_seconds");
}

void compare_run(const CsvTable& table, size_t i, const TimedForward& ours, ValidationRow& row) {
  const StageTime& stage = ours.time.stages[ours.stage];
  row.group += stage.host_bound() ? ", host-bound" : ", device-bound";
  // The measured forward had its weights on the device.
  const auto there = [&](double seconds) { return (seconds - stage.moves) / one_ms; };
  row.predicted_wall_ms = there(stage.wall);
  row.inside = *row.measured_wall_ms >= there(stage.low) && *row.measured_wall_ms <= there(stage.high);
  compare_joules(table, i, stage.joules, row);
}

std::string why_not_known(const std::string& name) {
  if (name.rfind("dsocr-prefill", 0) == 0) {
    return "how many experts its random routers took is not in the file, nor is a file of its launches beside it";
  }
  for (const char* other : {"zoo-", "train-"}) {
    if (name.rfind(other, 0) == 0) return "no configuration is of it, nor is a file of its launches beside it";
  }
  return "no configuration is known by that name";
}

// The forwards that ran before have taken what a short run may take of power before the limit acts: those of Wan are
// long enough for all of it.
Machine warmed_up(const Machine& machine) {
  Device device = machine.device();
  if (device.power) device.power->burst.value = 0;
  return Machine(std::move(device), machine.stack(), machine.host());
}

// Of a row that no configuration is known for: "launches-DEVICE-NAME.csv.gz" beside the file; "" where there is none.
std::string launches_beside(const std::string& path, const CsvTable& table, size_t i) {
  const std::string start = fmt::format("launches-{}-{}.csv", table.text(i, "device"), table.text(i, "name"));
  if (start.find('/') != std::string::npos) return "";
  for (const char* end : {".gz", ""}) {
    const std::filesystem::path beside = std::filesystem::path(path).parent_path() / (start + end);
    if (std::filesystem::is_regular_file(beside)) return beside.string();
  }
  return "";
}

void compare_launches_run(const CsvTable& table, size_t i, const std::string& launches, const Machine& machine,
                          ValidationRow& row) {
  const int64_t repeats = std::max<int64_t>(1, std::llround(table.number(i, "repeat")));
  const ForwardOfLaunches ours = forward_of_launches(launches, machine, repeats);
  row.group = std::string("launches alone, ") + (ours.host > ours.device ? "host-bound" : "device-bound");
  row.predicted_wall_ms = ours.wall / one_ms;
  if (ours.not_predicted > 0) row.not_predicted_ms = ours.not_predicted / one_ms;
  const double device_spread = device_of_launches_spread * ours.device, host_spread = machine.host().spread * ours.host;
  const double beside = ours.wall - std::max(ours.device, std::min(ours.host, ours.wall));
  const double low = std::max(ours.device - device_spread, ours.host - host_spread) + beside,
               high = std::max(ours.device + device_spread, ours.host + host_spread) + beside;
  row.inside = *row.measured_wall_ms >= low / one_ms && *row.measured_wall_ms <= high / one_ms;
  compare_joules(table, i, ours.joules, row);
}

}  // namespace

Validation validate_forwards(const std::string& path, const ValidationContext& context) {
  const CsvTable table(path);
  table.expect_columns({"device", "name", "wall_ms"}, "forwards.csv");
  return validate_rows(table, path, {"device", "name"}, [&](size_t i) -> RowOutcome {
    const std::string& name = table.text(i, "name");
    std::optional<KnownForward> known = known_forward(name, sizes_of_row(table, i));
    const std::string launches = known ? "" : launches_beside(path, table, i);
    if (!known && launches.empty()) return {{}, why_not_known(name)};
    const std::optional<Machine> cool = machine_named(table.text(i, "device"), context);
    if (!cool) return {{}, unknown_device(table.text(i, "device"))};
    if (table.number(i, "wall_ms") <= 0) return {{}, "no wall time"};
    const Machine machine = known ? warmed_up(*cool) : *cool;
    ValidationRow row;
    row.device = machine.device().id;
    row.name = name;
    row.measured_wall_ms = table.number(i, "wall_ms");
    if (!known) {
      compare_launches_run(table, i, launches, machine, row);
      return {std::move(row), ""};
    }
    known->repeats = std::max<int64_t>(1, std::llround(table.number(i, "repeat")));
    const TimedForward ours = timed_forward(*known, machine, context, false);
    row.group = known->group;
    compare_run(table, i, ours, row);
    compare_memory(table, i, ours, *known, machine, row);
    return {std::move(row), ""};
  });
}

}  // namespace modelmeter
