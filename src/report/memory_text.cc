#include "report/memory_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/format.h"
#include "memory/segment_map.h"
#include "report/memory_chart.h"
#include "report/table.h"

namespace modelmeter {
namespace {

constexpr size_t most_tensors = 20;
constexpr size_t most_segments = 12;
constexpr int segment_columns = 32;
constexpr int chart_labels = 14;        // columns beside the chart
constexpr int64_t enough_percent = 95;  // of the activations at the peak

std::string op_text(const MemoryOp& op) {
  if (op.index < 0) return "";
  return fmt::format("{} #{}", op.kernel, op.index);
}

std::string where(const MemoryOp& op) { return op.scope.empty() ? "" : op.scope; }

// All figures of a report are in one unit: that of the most.
Scale scale_of(const MemoryReport& r) {
  int64_t most = r.device.nvidia_smi();
  for (const StageMemory& s : r.stages) most = std::max({most, s.live_bytes(), s.with_workspace_bytes});
  return binary_scale(most);
}

std::string roles_text(const StageMemory& s, const Scale& scale) {
  std::string out;
  for (const MemoryRole& role : s.roles) {
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", role.name, scale.text(role.bytes));
  }
  return out;
}

std::string stages_table(const MemoryReport& r, const Scale& scale) {
  Table table({"Stage", "Weights", "Inputs", "Activations", "of which kept", "Live at its peak", "With workspace",
               "Reserved", "Op at the peak", "in"},
              {Align::left, Align::right, Align::right, Align::right, Align::left, Align::right, Align::right,
               Align::right, Align::left, Align::left});
  for (const StageMemory& s : r.stages) {
    const std::string op = s.residents.on_device ? op_text(s.peak) : "runs on the CPU";
    const int64_t with_workspace = std::max(s.with_workspace_bytes, s.live_bytes());
    table.add({s.id, scale.text(s.weight_bytes()), scale.text(s.input_bytes), scale.text(s.activation_bytes),
               roles_text(s, scale), scale.text(s.live_bytes()), scale.text(with_workspace),
               s.residents.on_device ? scale.text(s.reserved_bytes) : "-", op, where(s.peak)});
  }
  return table.markdown();
}

// Weights, inputs, then tensors until they are most of the activations.
std::string alive_table(const MemoryReport& r, const Scale& scale) {
  Table table({"Bytes", "", "What", "dtype", "Shape", "Made by", "in"},
              {Align::right, Align::right, Align::left, Align::left, Align::left, Align::left, Align::left});
  const int64_t activations = r.peak().activation_bytes;
  int64_t listed = 0, rest = 0;
  size_t tensors = 0, left = 0;
  bool grown = false;
  for (const AliveRow& row : r.alive) {
    const bool tensor = row.kind == AliveRow::Kind::tensor;
    if (tensor && (tensors == most_tensors || listed >= activations / 100 * enough_percent)) {
      rest += row.bytes;
      ++left;
      continue;
    }
    std::string what = row.kind == AliveRow::Kind::weights ? "weights: " + row.what : row.what;
    if (tensor) {
      ++tensors;
      listed += row.bytes;
      what = row.role.empty() ? "tensor" : row.role;
    }
    grown |= row.grown;
    const std::string maker = !tensor ? "" : row.made_by.index < 0 ? "not traced" : op_text(row.made_by);
    table.add({grouped(row.bytes), scale.text(row.bytes), what, row.dtype, row.shape + (row.grown ? " *" : ""), maker,
               where(row.made_by)});
  }
  if (left > 0) table.add({grouped(rest), scale.text(rest), fmt::format("{} smaller tensors", left), "", "", "", ""});
  std::string out = table.markdown();
  if (grown) out += "\n\\* grows with a repetition: the shape is that of the first, the bytes are those of the last.\n";
  return out;
}

// Where the workspace of a convolution makes a peak of its own.
std::string workspace_line(const MemoryReport& r) {
  const StageMemory* highest = &r.peak();
  for (const StageMemory& s : r.stages) {
    if (s.with_workspace_bytes > highest->with_workspace_bytes) highest = &s;
  }
  if (highest->with_workspace_bytes <= r.peak().live_bytes()) return "";
  return fmt::format("\nWith workspaces the peak is in {}, while {} runs in {}.\n", highest->id,
                     op_text(highest->workspace_peak), highest->workspace_peak.scope);
}

std::string device_table(const MemoryReport& r, const Scale& scale) {
  const DeviceMemory& d = r.device;
  Table table({"", "Bytes", "", "Source"}, {Align::left, Align::right, Align::right, Align::left});
  const auto row = [&](const std::string& name, int64_t bytes, const std::string& source) {
    table.add({name, grouped(bytes), scale.text(bytes), source});
  };
  row("modelled live peak", d.live, "");
  const auto parts = [&](const std::vector<DevicePart>& list) {
    for (const DevicePart& part : list) row("+ " + part.name, part.bytes, part.source);
  };
  parts(d.allocated);
  row("torch.cuda.max_memory_allocated, expected", d.max_memory_allocated(), "");
  parts(d.reserved);
  row("torch.cuda.max_memory_reserved, expected", d.max_memory_reserved(), "");
  parts(d.driver);
  row("on the device (nvidia-smi), expected", d.nvidia_smi(), "");
  return table.markdown() + workspace_line(r);
}

// Of weights, on the host: while they are loaded and while the run has them wait there; what moves over the bus.
std::string host_section(const MemoryReport& r, const Scale& scale) {
  if (!r.host.known) return "";
  std::string out =
      fmt::format("\n## Weights on the host\n\nAt most {} while the models are loaded{}, {} while they run",
                  scale.text(r.host.loading), r.host.loading == 0 ? "" : " (" + r.host.loading_what + ")",
                  scale.text(r.host.running));
  if (r.host.pinned > 0) out += fmt::format("; {} of it pinned", scale.text(r.host.pinned));
  out += ".\n";
  Table table({"To the device", "To the host", "Weights copied for"}, {Align::right, Align::right, Align::left});
  bool any = false;
  for (const StageMemory& s : r.stages) {
    if (s.transfers.to_device == Count(0) && s.transfers.to_host == Count(0)) continue;
    any = true;
    table.add({scale.text(s.transfers.to_device), scale.text(s.transfers.to_host), s.id});
  }
  return any ? out + "\n" + table.markdown() : out;
}

// What lies between allocated and reserved, and the segments in which most of it is.
std::string segments_text(const AllocationRecord& record, const Scale& scale) {
  const SegmentSums sums = sums_of(record.log.segments);
  Table parts({"", "Bytes", "", "Segments"}, {Align::left, Align::right, Align::right, Align::right});
  const auto part = [&](const char* name, int64_t bytes, int64_t segments) {
    parts.add({name, grouped(bytes), scale.text(bytes), segments < 0 ? "" : grouped(segments)});
  };
  part("allocated", sums.allocated, -1);
  part("of it rounding, rests not split off", sums.rounding, -1);
  if (sums.waiting > 0) part("freed, and read by kernels that have not run", sums.waiting, -1);
  part("free beside what is alive", sums.free_beside, sums.held);
  part("free segments, which go back if need be", sums.free_segments, sums.whole);
  part("reserved", sums.reserved, sums.segments);
  Table table({"Segment", "Free", "", "Largest alive in it", "", "in"},
              {Align::right, Align::right, Align::left, Align::right, Align::left, Align::left});
  const std::vector<size_t> order = by_free_bytes(record.log.segments);
  int64_t rest = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const AllocatorSegment& segment = record.log.segments[order[i]];
    if (i >= most_segments) {
      rest += free_bytes(segment);
      continue;
    }
    const AllocatorBlock* block = largest_block(segment);
    const bool named = block != nullptr && block->maker.of >= 0;
    const Allocated made = named ? record.makers[static_cast<size_t>(block->maker.of)] : Allocated();
    table.add({scale.text(segment.size), scale.text(free_bytes(segment)), drawn(segment, segment_columns),
               block == nullptr ? "nothing" : scale.text(block->size), made.what, made.scope});
  }
  std::string out = parts.markdown();
  if (order.empty()) return out;
  out += "\n" + table.markdown();
  out += "\n";
  if (order.size() > most_segments) {
    out += fmt::format("{} more with {} free. ", order.size() - most_segments, scale.text(rest));
  }
  return out + "#: allocated, +: in part, .: free.\n";
}

std::string runtime_line(const MemoryReport& r) {
  std::string out;
  for (const auto& [name, value] : r.runtime) {
    if (const auto* text = std::get_if<std::string>(&value)) out += fmt::format(", {} {}", name, *text);
    if (const auto* flag = std::get_if<bool>(&value)) out += fmt::format(", {} {}", name, *flag);
  }
  return out;
}

}  // namespace

std::string memory_text(const MemoryReport& r, int width) {
  const Scale scale = scale_of(r);
  ChartSize chart;
  if (width > 0) chart.width = std::clamp(width - chart_labels, 10, chart.width);
  const StageMemory& peak = r.peak();
  std::string out = fmt::format("# Memory: {}, {}{}\n\n", r.model, r.workload, runtime_line(r));
  if (r.peaks_while_loading()) {
    out += fmt::format(
        "The peak is {} while {}: weights come in float32 and are cast on the device.\nIn the run it is {} in {}",
        scale.text(r.loading.live_bytes), r.loading.what, scale.text(peak.live_bytes()), peak.id);
  } else {
    out += fmt::format("The peak is {} in {}", scale.text(peak.live_bytes()), peak.id);
  }
  if (peak.peak.index >= 0) {
    out +=
        fmt::format(", right after {}{}", op_text(peak.peak), peak.peak.scope.empty() ? "" : " in " + peak.peak.scope);
  }
  out += ".\n\n## Stages\n\n" + stages_table(r, scale);
  out += "\n## Over the ops\n\n" + memory_chart(r, chart);
  out += "\n## Alive at the peak\n\n" + alive_table(r, scale);
  out += "\n## On a real device\n\n" + device_table(r, scale);
  out += host_section(r, scale);
  if (r.record) out += "\n## Where most is reserved\n\n" + segments_text(*r.record, scale);
  return out;
}

}  // namespace modelmeter
