#include "report/memory_text.h"

#include <fmt/format.h>

#include "base/format.h"
#include "report/memory_chart.h"
#include "report/table.h"

namespace modelmeter {
namespace {

constexpr size_t most_tensors = 20;
constexpr int64_t enough_percent = 95;  // of the activations at the peak

std::string op_text(const MemoryOp& op) {
  if (op.index < 0) return "";
  return fmt::format("{} #{}", op.kernel, op.index);
}

std::string where(const MemoryOp& op) { return op.scope.empty() ? "" : op.scope; }

std::string roles_text(const StageMemory& s) {
  std::string out;
  for (const MemoryRole& role : s.roles) {
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", role.name, gibibytes_text(role.bytes));
  }
  return out;
}

std::string stages_table(const MemoryReport& r) {
  Table table(
      {"Stage", "Weights", "Inputs", "Activations", "of which kept", "Live at its peak", "Op at the peak", "in"},
      {Align::left, Align::right, Align::right, Align::right, Align::left, Align::right, Align::left, Align::left});
  for (const StageMemory& s : r.stages) {
    const std::string op = s.residents.on_device ? op_text(s.peak) : "runs on the CPU";
    table.add({s.id, gibibytes_text(s.weight_bytes()), gibibytes_text(s.input_bytes),
               gibibytes_text(s.activation_bytes), roles_text(s), gibibytes_text(s.live_bytes()), op, where(s.peak)});
  }
  return table.markdown();
}

// Weights, inputs, then tensors until they are most of the activations.
std::string alive_table(const MemoryReport& r) {
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
    table.add({grouped(row.bytes), gibibytes_text(row.bytes), what, row.dtype, row.shape + (row.grown ? " *" : ""),
               maker, where(row.made_by)});
  }
  if (left > 0)
    table.add({grouped(rest), gibibytes_text(rest), fmt::format("{} smaller tensors", left), "", "", "", ""});
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

std::string device_table(const MemoryReport& r) {
  const DeviceMemory& d = r.device;
  Table table({"", "Bytes", "", "Source"}, {Align::left, Align::right, Align::right, Align::left});
  const auto row = [&](const std::string& name, int64_t bytes, const std::string& source) {
    table.add({name, grouped(bytes), gibibytes_text(bytes), source});
  };
  row("modelled live peak", d.live, "");
  for (const DevicePart& part : d.allocator) row("+ " + part.name, part.bytes, part.source);
  row("torch.cuda.max_memory_allocated, expected", d.max_memory_allocated(), "");
  for (const DevicePart& part : d.driver) row("+ " + part.name, part.bytes, part.source);
  row("on the device (nvidia-smi), expected", d.nvidia_smi(), "without freed memory that the allocator keeps");
  return table.markdown() + workspace_line(r);
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

std::string memory_text(const MemoryReport& r) {
  const StageMemory& peak = r.peak();
  std::string out = fmt::format("# Memory: {}, {}{}\n\n", r.model, r.workload, runtime_line(r));
  out += fmt::format("The peak is {} in {}", gibibytes_text(peak.live_bytes()), peak.id);
  if (peak.peak.index >= 0) {
    out +=
        fmt::format(", right after {}{}", op_text(peak.peak), peak.peak.scope.empty() ? "" : " in " + peak.peak.scope);
  }
  out += ".\n\n## Stages\n\n" + stages_table(r);
  out += "\n## Over the ops\n\n" + memory_chart(r);
  out += "\n## Alive at the peak\n\n" + alive_table(r);
  out += "\n## On a real device\n\n" + device_table(r);
  return out;
}

}  // namespace modelmeter
