#include "report/timing.h"

#include <algorithm>
#include <map>

namespace modelmeter {
namespace {

constexpr double seconds_an_hour = 3600;

// Leaves have the scopes that they stand for; what is above is the sum.
PartTime time_of(const ModuleTreeNode& node, const RunTime& run, std::map<std::string, PartTime>& out) {
  PartTime sum;
  if (node.leaf()) {
    for (const ScopeShare& s : node.scopes) {
      sum.add(run.scopes[static_cast<size_t>(s.scope)], static_cast<double>(s.share));
    }
  }
  for (const auto& child : node.children) sum.add(time_of(*child, run, out));
  return out[node.id] = sum;
}

}  // namespace

TimeFigures time_figures(const StageTime& stage, const Machine& machine) {
  TimeFigures out;
  out.device_s = stage.part.device;
  out.wall_s = stage.wall;
  out.low_s = stage.low;
  out.high_s = stage.high;
  if (machine.device().power) out.joules = stage.joules;
  if (machine.device().price.known()) out.usd = stage.wall / seconds_an_hour * machine.device().price.value;
  out.launches = stage.launches;
  out.clock_share = stage.clock;
  out.host_s = stage.host;
  if (stage.copies > 0) {
    out.copies_s = stage.copies;
    out.copied_bytes = stage.copied;
  }
  if (stage.part.device > 0) out.flops_per_s = stage.flops / stage.part.device;
  const TensorRate* rate = machine.device().find_rate("bf16");
  if (rate != nullptr && stage.wall > 0) out.mfu = stage.flops / stage.wall / rate->rate.value;
  out.bound = stage.host_bound() ? "host" : name_of(stage.part.bound());
  return out;
}

Timing timing_of(const RunTime& forward, const RunTime& run, const Machine& machine) {
  Timing out;
  out.device = machine.device().id;
  out.host = machine.host().id;
  out.stack = machine.stack().id;
  if (machine.cluster() != nullptr) out.cluster = machine.cluster()->id;
  out.forward = time_figures(forward.total(), machine);
  out.total = time_figures(run.total(), machine);
  for (size_t i = 0; i < run.stages.size(); ++i) {
    TimingStage stage;
    stage.stage = run.stages[i].stage;
    stage.on_device = run.stages[i].on_device;
    stage.forward = time_figures(forward.stages.at(i), machine);
    stage.total = time_figures(run.stages[i], machine);
    out.stages.push_back(std::move(stage));
  }
  return out;
}

void set_module_times(const ModuleTreeNode& tree, const RunTime& run, Report& report) {
  std::map<std::string, PartTime> times;
  const double whole = time_of(tree, run, times).device;
  for (ModuleMetricsSnapshot& snapshot : report.module_metrics) {
    const PartTime& part = times[snapshot.module_id];
    ModuleTime time;
    time.total_time_ms = part.device * 1e3;
    time.share_of_model_time = whole > 0 ? part.device / whole : 0;
    time.light_ms = part.light * 1e3;
    time.joules = part.joules;
    time.bound = name_of(part.bound());
    snapshot.time = time;
  }
}

}  // namespace modelmeter
