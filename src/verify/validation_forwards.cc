// forwards.csv: wall times, joules and peaks of memory of whole forwards.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "memory/run_replay.h"
#include "verify/forward_launches.h"
#include "verify/validation_files.h"

namespace modelmeter {
namespace {

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

void compare_run(const CsvTable& table, size_t i, const TimedForward& ours, ValidationRow& row) {
  const StageTime& stage = ours.time.stages[ours.stage];
  row.group += stage.host_bound() ? ", host-bound" : ", device-bound";
  // The measured forward had its weights on the device.
  const auto there = [&](double seconds) { return (seconds - stage.moves) / one_ms; };
  row.predicted_wall_ms = there(stage.wall);
  row.inside = *row.measured_wall_ms >= there(stage.low) && *row.measured_wall_ms <= there(stage.high);
  if (table.number(i, "joules_per_forward") <= 0) return;
  row.predicted_joules = stage.joules;
  row.measured_joules = table.number(i, "joules_per_forward");
}

std::string why_not_known(const std::string& name) {
  if (name.rfind("dsocr-prefill", 0) == 0) {
    return "how many experts its random routers took is not in the file: its file of launches is compared by itself";
  }
  for (const char* other : {"zoo-", "train-"}) {
    if (name.rfind(other, 0) == 0) return "no configuration is of it: its file of launches is compared by itself";
  }
  return "no configuration is known by that name";
}

}  // namespace

Validation validate_forwards(const std::string& path, const ValidationContext& context) {
  const CsvTable table(path);
  table.expect_columns({"device", "name", "wall_ms"}, "forwards.csv");
  return validate_rows(table, path, {"device", "name"}, [&](size_t i) -> RowOutcome {
    const std::string& name = table.text(i, "name");
    std::optional<KnownForward> known = known_forward(name, sizes_of_row(table, i));
    if (!known) return {{}, why_not_known(name)};
    known->repeats = std::max<int64_t>(1, std::llround(table.number(i, "repeat")));
    const std::optional<Machine> machine = machine_named(table.text(i, "device"), context);
    if (!machine) return {{}, unknown_device(table.text(i, "device"))};
    if (table.number(i, "wall_ms") <= 0) return {{}, "no wall time"};
    const TimedForward ours = timed_forward(*known, *machine, context, false);
    ValidationRow row;
    row.device = machine->device().id;
    row.name = name;
    row.group = known->group;
    row.measured_wall_ms = table.number(i, "wall_ms");
    compare_run(table, i, ours, row);
    compare_memory(table, i, ours, *known, *machine, row);
    return {std::move(row), ""};
  });
}

}  // namespace modelmeter
