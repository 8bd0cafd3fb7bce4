#include "fit/fit_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/format.h"
#include "base/json.h"
#include "report/table.h"
#include "report/timing_text.h"

namespace modelmeter {
namespace {

constexpr size_t most_ways = 30;   // that a table shows
constexpr double accuracy = 0.01;  // of predicted peaks
constexpr size_t most_alive = 6;   // rows

std::string gib(int64_t bytes) { return fmt::format("{:.3f} GiB", static_cast<double>(bytes) / 1073741824); }

int64_t margin_of(const FitWay& way, const FitReport& r) {
  return r.question.memory - way.nvidia_smi(*r.question.stack);
}

bool is_close(const FitWay& way, const FitReport& r) {
  return std::abs(static_cast<double>(margin_of(way, r))) < accuracy * static_cast<double>(r.question.memory);
}

std::string time_of(const FitWay& way) {
  if (!way.seconds) return "-";
  return seconds_text(*way.seconds) + (way.on_host ? " + CPU" : "");
}

// What the device shows, within the accuracy of what is reserved.
std::pair<int64_t, int64_t> interval_of(const FitWay& way, const FitReport& r) {
  const auto off = static_cast<int64_t>(accuracy * static_cast<double>(way.reserved));
  const int64_t shown = way.nvidia_smi(*r.question.stack);
  return {shown - off, shown + off};
}

std::string verdict(const FitReport& r) {
  const FitWay& way = r.given;
  const int64_t margin = margin_of(way, r);
  std::string out = fmt::format(
      "{}: {} allocated, {} reserved, {} on the device (nvidia-smi) of {}: ", way.fits ? "Yes" : "No",
      gib(way.allocated), gib(way.reserved), gib(way.nvidia_smi(*r.question.stack)), gib(r.question.memory));
  out += margin >= 0 ? fmt::format("{} to spare", gib(margin)) : fmt::format("{} too much", gib(-margin));
  out += is_close(way, r) ? ", which is within the 1 % of the prediction.\n" : ".\n";
  if (way.fits && way.retries > 0) {
    out += fmt::format("Freed segments go back to the device {} times, each time it is waited for.\n", way.retries);
  }
  for (const OutOfMemory& o : way.failed) {
    out += fmt::format("It ends in {}, when {} asks for {}: {} are allocated, {} reserved.\n", o.stage,
                       o.kernel.empty() ? "a weight or an input" : fmt::format("{} in {}", o.kernel, o.scope),
                       gib(o.requested), gib(o.allocated), gib(o.reserved));
  }
  if (!r.memory_note.empty()) out += r.memory_note + "\n";
  return out;
}

std::string alive_text(const FitReport& r) {
  if (!r.alive) return "";
  const MemoryReport& m = *r.alive;
  std::string out = fmt::format("\n## Alive at the peak, {} in {}\n\n", gib(m.peak().live_bytes()), m.peak().id);
  Table table({"", "What", "Made by", "in"}, {Align::right, Align::left, Align::left, Align::left});
  int64_t rest = 0;
  for (size_t i = 0; i < m.alive.size(); ++i) {
    const AliveRow& row = m.alive[i];
    if (i >= most_alive) {
      rest += row.bytes;
      continue;
    }
    std::string what = row.kind == AliveRow::Kind::weights ? "weights: " + row.what : row.what;
    if (row.kind == AliveRow::Kind::tensor) {
      what = fmt::format("{} {} {}", row.role.empty() ? "tensor" : row.role, row.dtype, row.shape);
    }
    table.add({gib(row.bytes), what, row.made_by.kernel, row.made_by.scope});
  }
  if (rest > 0) table.add({gib(rest), fmt::format("{} more", m.alive.size() - most_alive), "", ""});
  return out + table.markdown();
}

std::string table_of(const std::vector<FitWay>& ways, const FitReport& r) {
  Table table({"Allocated", "Reserved", "nvidia-smi", "To spare", "Time", "Weights copied", "Overrides"},
              {Align::right, Align::right, Align::right, Align::right, Align::right, Align::right, Align::left});
  std::vector<std::string> notes;
  for (const FitWay& way : ways) {
    const std::vector<std::string> typed = way.typed();
    table.add({gib(way.allocated), gib(way.reserved), gib(way.nvidia_smi(*r.question.stack)),
               gib(margin_of(way, r)) + (is_close(way, r) ? " ?" : ""), time_of(way),
               decimal_scale(way.copied, "B").text(way.copied),
               typed.empty() ? "(as it is)" : fmt::format("{}", fmt::join(typed, " "))});
    for (size_t i = 0; i < typed.size(); ++i) {
      if (way.notes[i].empty()) continue;
      std::string note = fmt::format("{}: {}", typed[i], way.notes[i]);
      if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(std::move(note));
    }
  }
  std::string out = table.markdown() + "\n";
  for (const std::string& note : notes) out += fmt::format("- {}\n", note);
  return out;
}

std::string ways_table(const FitReport& r) {
  if (r.ways.empty()) return "No setting makes it fit; --max-frames and --max-size say how far it must shrink.\n";
  const size_t shown = std::min(r.ways.size(), most_ways);
  std::string out = table_of({r.ways.begin(), r.ways.begin() + static_cast<std::ptrdiff_t>(shown)}, r);
  if (shown < r.ways.size()) {
    out += fmt::format("\n{} more fit: --json has them all.\n", r.ways.size() - shown);
  }
  return out;
}

std::string largest(const char* what, const std::optional<FitWay>& way) {
  if (!way) return fmt::format("{}: none that the code takes fits as it is.\n", what);
  return fmt::format("{}: {} ({} reserved, {})\n", what, fmt::join(way->overrides, " "), gib(way->reserved),
                     time_of(*way));
}

Json json_of(const FitWay& way, const FitReport& r) {
  const auto [low, high] = interval_of(way, r);
  Json out = {{"overrides", way.overrides},
              {"alloc_conf", way.alloc_conf.empty() ? Json(nullptr) : Json(way.alloc_conf)},
              {"fits", way.fits},
              {"live_bytes", way.live},
              {"max_memory_allocated_bytes", way.allocated},
              {"max_memory_reserved_bytes", way.reserved},
              {"nvidia_smi_bytes", way.nvidia_smi(*r.question.stack)},
              {"nvidia_smi_interval_bytes", {low, high}},
              {"margin_bytes", margin_of(way, r)},
              {"close", is_close(way, r)},
              {"allocator_retries", way.retries},
              {"copied_weight_bytes", modelmeter::json_of(way.copied)},
              {"total_time_s", way.seconds ? Json(*way.seconds) : Json(nullptr)},
              {"runs_partly_on_host", way.on_host},
              {"out_of_memory", nullptr}};
  for (const OutOfMemory& o : way.failed) {
    out["out_of_memory"] = {{"stage", o.stage},
                            {"kernel", o.kernel.empty() ? Json(nullptr) : Json(o.kernel)},
                            {"scope", o.scope.empty() ? Json(nullptr) : Json(o.scope)},
                            {"requested_bytes", o.requested},
                            {"allocated_bytes", o.allocated},
                            {"reserved_bytes", o.reserved}};
  }
  return out;
}

}  // namespace

std::string fit_text(const FitReport& r) {
  const std::string where =
      r.device.empty() ? gib(r.question.memory) : fmt::format("{} ({})", r.device, gib(r.question.memory));
  std::string out =
      fmt::format("# Does it fit: {}, {}, on {}\n\n{}{}", r.model, r.workload, where, verdict(r), alive_text(r));
  const char* order = r.question.machine != nullptr ? "fastest first" : "those that copy least first";
  out += fmt::format("\n## Ways that fit, {}\n\n{}", order, ways_table(r));
  if (!r.smaller.empty()) {
    out += "\n## Smaller ones that fit, the fastest way of each\n\n" + table_of(r.smaller, r);
  }
  if (r.asked_frames || r.asked_size) out += "\n## The largest that fits, otherwise as it is\n\n";
  if (r.asked_frames) out += largest("frames", r.max_frames);
  if (r.asked_size) out += largest("size", r.max_size);
  return out;
}

std::string fit_json(const FitReport& r) {
  Json ways = Json::array();
  for (const FitWay& way : r.ways) ways.push_back(json_of(way, r));
  Json smaller = Json::array(), alive = Json::array();
  for (const FitWay& way : r.smaller) smaller.push_back(json_of(way, r));
  if (r.alive) {
    for (const AliveRow& row : r.alive->alive) {
      alive.push_back({{"what", row.what.empty() ? row.shape : row.what},
                       {"bytes", row.bytes},
                       {"made_by", row.made_by.index < 0 ? Json(nullptr) : Json(row.made_by.kernel)},
                       {"scope", row.made_by.index < 0 ? Json(nullptr) : Json(row.made_by.scope)}});
    }
  }
  Json out = {{"model", r.model},
              {"workload", r.workload},
              {"device", r.device.empty() ? Json(nullptr) : Json(r.device)},
              {"memory_bytes", r.question.memory},
              {"cuda_context_bytes", r.question.stack->cuda_context.value},
              {"stack", r.question.stack->name},
              {"fits", r.given.fits},
              {"given", json_of(r.given, r)},
              {"alive_at_peak", alive},
              {"ways", ways},
              {"smaller", smaller},
              {"evaluated", r.evaluated}};
  if (r.asked_frames) out["max_frames"] = r.max_frames ? json_of(*r.max_frames, r) : Json(nullptr);
  if (r.asked_size) out["max_size"] = r.max_size ? json_of(*r.max_size, r) : Json(nullptr);
  return dump_json(out, 2);
}

}  // namespace modelmeter
