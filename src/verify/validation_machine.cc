// What measurements say of the machine itself: steady states of one kind of work, calls of the host, the allocator.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "verify/allocator_log.h"
#include "verify/launch_time.h"
#include "verify/validation_files.h"

namespace modelmeter {
namespace {

constexpr double streamed_bytes = 1 << 30;  // of copies and additions whose size the file does not say

NamedWork product_of(double n, const char* precision, double element) {
  NamedWork out;
  out.kernel.shape = KernelShape::gemm;
  out.kernel.precision = precision;
  out.kernel.m = out.kernel.n = out.kernel.k = n;
  out.kernel.read = 2 * n * n * element;
  out.kernel.written = n * n * std::max(element, 2.0);
  out.amount = 2 * n * n * n;
  return out;
}

NamedWork attention_of(const char* name, double heads, double tokens, double width) {
  NamedWork out;
  out.kernel.shape = KernelShape::attention;
  out.kernel.attention = name;
  out.kernel.precision = "bf16";
  out.kernel.batch = heads;
  out.kernel.m = out.kernel.n = tokens;
  out.kernel.k = width;
  out.kernel.read = 3 * heads * tokens * width * 2;
  out.kernel.written = heads * tokens * width * 2;
  out.amount = 4 * heads * tokens * tokens * width;
  return out;
}

NamedWork streamed(MemoryClass memory, double inputs, double bytes) {
  constexpr double element = 4;
  NamedWork out;
  out.kernel.shape = KernelShape::memory;
  out.kernel.memory = memory;
  out.kernel.written = bytes;
  out.kernel.read = out.kernel.cold = inputs * bytes;
  out.kernel.elements = bytes / element;
  out.amount = out.kernel.bytes();
  return out;
}

}  // namespace

std::optional<NamedWork> work_named(const std::string& what) {
  for (const auto& [type, precision, element] :
       {std::tuple{"bf16", "bf16", 2.0}, std::tuple{"fp16", "fp16", 2.0}, std::tuple{"tf32", "tf32", 4.0},
        std::tuple{"f32", "", 4.0}, std::tuple{"fp8", "fp8", 1.0}}) {
    const std::string start = fmt::format("gemm {} ", type);
    if (what.rfind(start, 0) != 0) continue;
    char* end = nullptr;
    const double n = std::strtod(what.c_str() + start.size(), &end);
    if (n > 0 && std::string_view(end) == "^3") return product_of(n, precision, element);
  }
  for (const char* name : {"flash", "cudnn", "efficient"}) {
    if (what.rfind(std::string(name) + " ", 0) != 0) continue;
    std::array<double, 3> sizes{};
    const char* at = what.c_str() + std::string(name).size() + 1;
    for (double& size : sizes) {
      char* end = nullptr;
      size = std::strtod(at, &end);
      if (!(size > 0) || *end != (&size == &sizes.back() ? '\0' : 'x')) return std::nullopt;
      at = end + 1;
    }
    return attention_of(name, sizes[0], sizes[1], sizes[2]);
  }
  if (what == "copy") return streamed(MemoryClass::copy, 1, streamed_bytes);
  if (what == "add f32") return streamed(MemoryClass::vectorized, 2, streamed_bytes);
  return std::nullopt;
}

namespace {

RowOutcome idle_row(const CsvTable& table, size_t i, const Machine& machine, ValidationRow row) {
  if (!machine.device().power) return {{}, "the device's file has no power model"};
  row.predicted_joules = machine.device().power->idle.value * table.number(i, "seconds");
  row.measured_joules = table.number(i, "joules");
  return {std::move(row), ""};
}

// As much of the work as was done in those seconds.
RowOutcome steady_row(const CsvTable& table, size_t i, const Machine& machine, ValidationRow row) {
  const double seconds = table.number(i, "seconds"), rate = table.number(i, "rate");
  if (row.name == "idle") return idle_row(table, i, machine, std::move(row));
  const std::optional<NamedWork> work = work_named(row.name);
  if (!work) return {{}, fmt::format("no rule for the work '{}'", row.name)};
  if (seconds <= 0 || rate <= 0) return {{}, "no rate"};
  const RunPower power =
      solve_clock({{time_of(work->kernel, machine), rate * seconds / work->amount}}, machine.device());
  row.predicted_wall_ms = power.seconds / one_ms;
  row.measured_wall_ms = seconds / one_ms;
  if (power.joules > 0 && table.number(i, "joules") > 0) {
    row.predicted_joules = power.joules;
    row.measured_joules = table.number(i, "joules");
  }
  return {std::move(row), ""};
}

// A ceiling: a large copy, of which the bytes count reads and writes, or a product of n^3.
RowOutcome ceiling_row(const CsvTable& table, size_t i, const Machine& machine, ValidationRow row) {
  const double seconds = table.number(i, "s"), bytes = table.number(i, "bytes"), n = table.number(i, "n");
  const bool copies = row.name == "copy" && bytes > 0;
  if (seconds <= 0 || (!copies && (row.name != "gemm" || n <= 0))) {
    return {{}, fmt::format("no rule for the ceiling '{}'", row.name)};
  }
  const NamedWork work = copies ? streamed(MemoryClass::copy, 1, bytes / 2) : product_of(n, "bf16", 2);
  row.predicted_device_ms = looped_seconds({work.kernel}, machine) / one_ms;
  row.measured_device_ms = seconds / one_ms;
  return {std::move(row), ""};
}

// s of a call, of those that the host's file has.
std::optional<double> host_call(const std::string& op, const Host& host) {
  struct Call {
    const char* op;
    double Host::* seconds;
  };
  static constexpr std::array<Call, 7> calls = {{{"add", &Host::elementwise},
                                                 {"to", &Host::elementwise},
                                                 {"linear", &Host::matmul},
                                                 {"nn.Linear", &Host::matmul},
                                                 {"layer_norm", &Host::norm},
                                                 {"nn.LayerNorm", &Host::norm},
                                                 {"sdpa", &Host::attention}}};
  for (const Call& call : calls) {
    if (op == call.op) return host.*call.seconds;
  }
  return std::nullopt;
}

RowOutcome host_row(const CsvTable& table, size_t i, const Machine& machine, ValidationRow row) {
  if (row.name == "add in a CUDA graph") {  // the host has nothing to do: what the device takes
    MeasuredLaunch add;
    add.op = "add";
    add.shapes = {{64}, {64}};
    add.dtypes = {"f32", "f32"};
    const auto kernels = kernels_of(add, machine);
    if (!kernels || table.number(i, "total_us") <= 0) return {{}, "no time"};
    row.group = "device, calls in a graph";
    row.predicted_device_ms = looped_seconds(*kernels, machine) / one_ms;
    row.measured_device_ms = table.number(i, "total_us") * one_us / one_ms;
    return {std::move(row), ""};
  }
  const std::optional<double> seconds = host_call(row.name, machine.host());
  if (!seconds) return {{}, "the host's file has no such call (configs/host): it is part of what lies between others"};
  if (table.number(i, "host_us") <= 0) return {{}, "no time"};
  row.predicted_wall_ms = *seconds / one_ms;
  row.measured_wall_ms = table.number(i, "host_us") * one_us / one_ms;
  row.inside = std::abs(*row.wall_error()) <= machine.host().spread;
  return {std::move(row), ""};
}

}  // namespace

Validation validate_power(const std::string& path, const ValidationContext& context) {
  const CsvTable table(path);
  table.expect_columns({"device", "kind", "what"}, "power.csv");
  return validate_rows(table, path, {"device", "what"}, [&](size_t i) -> RowOutcome {
    const std::optional<Machine> machine = machine_named(table.text(i, "device"), context);
    if (!machine) return {{}, unknown_device(table.text(i, "device"))};
    ValidationRow row;
    row.device = machine->device().id;
    row.name = table.text(i, "what");
    const std::string& kind = table.text(i, "kind");
    if (kind == "env") return {{}, "it says what the machine is"};
    row.group = kind == "ceiling" ? "ceiling" : "steady state";
    if (kind == "ceiling") return ceiling_row(table, i, *machine, std::move(row));
    if (kind == "power") return steady_row(table, i, *machine, std::move(row));
    return {{}, fmt::format("no rule for rows of kind '{}'", kind)};
  });
}

Validation validate_host(const std::string& path, const ValidationContext& context) {
  const CsvTable table(path);
  table.expect_columns({"device", "op", "host_us"}, "host.csv");
  return validate_rows(table, path, {"device", "op"}, [&](size_t i) -> RowOutcome {
    const std::optional<Machine> machine = machine_named(table.text(i, "device"), context);
    if (!machine) return {{}, unknown_device(table.text(i, "device"))};
    ValidationRow row;
    row.device = machine->device().id;
    row.name = table.text(i, "op");
    row.group = "host, calls";
    return host_row(table, i, *machine, std::move(row));
  });
}

Validation validate_allocator_log(const std::string& path, const ValidationContext&) {
  Validation out;
  for (const AllocatorMark& mark : replay_allocator_log(path)) {
    ValidationRow row;
    row.file = path;
    row.name = mark.where;
    row.group = "allocator";
    row.measured_peak_allocated = static_cast<double>(mark.peak_allocated);
    row.predicted_peak_allocated = static_cast<double>(mark.replayed_peak_allocated);
    row.measured_peak_reserved = static_cast<double>(mark.peak_reserved);
    row.predicted_peak_reserved = static_cast<double>(mark.replayed_peak_reserved);
    out.rows.push_back(std::move(row));
  }
  return out;
}

}  // namespace modelmeter
