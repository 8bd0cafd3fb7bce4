#include "report/timing_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/format.h"
#include "report/ranking.h"
#include "report/table.h"

namespace modelmeter {
namespace {

constexpr size_t most_layers = 10;

std::string maybe(const std::optional<double>& value, const char* format) {
  return value ? fmt::format(fmt::runtime(format), *value) : "-";
}

std::vector<std::string> row(const std::string& name, const TimeFigures& t) {
  return {name,
          seconds_text(t.wall_s),
          fmt::format("{} to {}", seconds_text(t.low_s), seconds_text(t.high_s)),
          seconds_text(t.device_s),
          seconds_text(t.host_s),
          t.bound,
          fmt::format("{:.0f}", t.flops_per_s / 1e12),
          t.mfu ? percent_text(*t.mfu) : "-",
          percent_text(t.clock_share),
          maybe(t.joules, "{:.4g}"),
          maybe(t.usd, "{:.4f}")};
}

// Of offloading, where anything moves.
std::string copies_table(const Timing& t) {
  if (!t.total.copied_bytes) return "";
  Table table({"Weights over the bus", "Bytes", "Time", "of Wall"},
              {Align::left, Align::right, Align::right, Align::right});
  const auto add = [&](const std::string& name, const TimeFigures& figures) {
    if (!figures.copied_bytes) return;
    const Scale scale = decimal_scale(*figures.copied_bytes, "B");
    table.add({name, scale.text(*figures.copied_bytes), seconds_text(*figures.copies_s),
               percent_text(figures.wall_s > 0 ? *figures.copies_s / figures.wall_s : 0)});
  };
  for (const TimingStage& s : t.stages) add(s.stage, s.total);
  add("whole run", t.total);
  return "\n" + table.markdown() +
         "\nCopies beside kernels are hidden where those take longer; loading the models is not among them.\n";
}

std::string runs_table(const Timing& t) {
  Table table({"", "Wall", "nine in ten", "Device", "Host", "Bound", "TFLOP/s", "MFU", "Clock", "J", "USD"},
              {Align::left, Align::right, Align::right, Align::right, Align::right, Align::left, Align::right,
               Align::right, Align::right, Align::right, Align::right});
  for (const TimingStage& s : t.stages) {
    if (!s.on_device) continue;
    if (s.total.launches > s.forward.launches) table.add(row(s.stage + ", one forward", s.forward));
    table.add(row(s.stage, s.total));
  }
  table.add(row("whole run", t.total));
  return table.markdown();
}

// Leaves, those that take longest first.
std::string layers_table(const Report& r) {
  std::map<std::string, std::string> leaves;  // by id, what they are called
  const std::vector<std::string> names = labels(r);
  for (size_t i = 0; i < r.modules.size(); ++i) {
    if (r.modules[i].children.empty()) leaves.emplace(r.modules[i].module_id, names[i]);
  }
  std::vector<const ModuleMetricsSnapshot*> order;
  for (const ModuleMetricsSnapshot& s : r.module_metrics) {
    if (s.time && leaves.count(s.module_id) != 0) order.push_back(&s);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto* a, const auto* b) { return a->time->total_time_ms > b->time->total_time_ms; });
  if (order.size() > most_layers) order.resize(most_layers);
  Table table({"Layer", "Time", "Share", "Bound", "Speed of light"},
              {Align::left, Align::right, Align::right, Align::left, Align::right});
  for (const ModuleMetricsSnapshot* s : order) {
    table.add({leaves.at(s->module_id), seconds_text(s->time->total_time_ms / 1e3),
               percent_text(s->time->share_of_model_time), s->time->bound, seconds_text(s->time->light_ms / 1e3)});
  }
  return table.markdown();
}

}  // namespace

std::string seconds_text(double seconds) {
  constexpr double least_ms = 1e-3;
  if (seconds >= 1) return fmt::format("{:.4g} s", seconds);
  if (seconds >= least_ms) return fmt::format("{:.4g} ms", seconds * 1e3);
  return fmt::format("{:.4g} us", seconds * 1e6);
}

std::string timing_section(const Report& r) {
  const Timing& t = *r.timing;
  std::string out = fmt::format("## Time on {}\n\n", t.device);
  out += runs_table(t);
  out += copies_table(t);
  out += fmt::format(
      "\nHost: {}; stack: {}. A time on the device is that of its kernels, one after another. `Bound` is what most of it "
      "waits for;\nspeed of light is the larger of FLOPs at the peak and compulsory bytes at the bandwidth of the sheet. "
      "MFU is of bf16 at the\nsheet's clock.\n\n### Layers by time\n\n",
      t.host, t.stack);
  out += layers_table(r);
  for (const TimingStage& s : t.stages) {
    if (!s.on_device) out += fmt::format("\nNot timed: {}, which runs on the CPU.\n", s.stage);
  }
  return out + "\n";
}

}  // namespace modelmeter
