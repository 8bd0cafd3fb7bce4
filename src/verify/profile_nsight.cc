// Nsight's tables: a kernel a row, or with Nsight Compute's page of details a metric of a kernel a row.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "verify/csv.h"
#include "verify/forward_launches.h"
#include "verify/profile_readers.h"

namespace modelmeter {
namespace {

std::optional<double> microseconds_in(const std::string& unit) {
  for (const auto& [names, factor] :
       {std::pair{"|ns|nsec|nsecond|nanosecond|", 1e-3}, std::pair{"|us|usec|usecond|microsecond|", 1.0},
        std::pair{"|ms|msec|msecond|millisecond|", 1e3}, std::pair{"|s|sec|second|", 1e6}}) {
    if (std::string(names).find("|" + unit + "|") != std::string::npos) return factor;
  }
  return std::nullopt;
}

// A number with separators of thousands.
double grouped_number(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (c != ',') digits += c;
  }
  return std::strtod(digits.c_str(), nullptr);
}

bool has_part(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// What is part of the kernel after it, or of the one before it.
bool belongs_to_next(const std::string& name) {
  return has_part(name, "memset") || has_part(name, "nchwToNhwc") || has_part(name, "nchw2nhwc");
}
bool belongs_to_last(const std::string& name) {
  return has_part(name, "nhwcToNchw") || has_part(name, "nhwc2nchw") || has_part(name, "splitKreduce");
}

void append(MeasuredLaunch& launch, const KernelEvent& row) {
  launch.us += row.us;
  launch.kernels += fmt::format("{}{}={:.3f}", launch.kernels.empty() ? "" : ";", row.name, row.us);
}

// "Duration (ns)", "Duration(nsec)": its unit.
std::string unit_in(const std::string& column) {
  const size_t open = column.find('('), close = column.find(')');
  return open == std::string::npos || close == std::string::npos ? "" : column.substr(open + 1, close - open - 1);
}

const std::string* column_starting(const CsvTable& table, const char* start) {
  const auto& columns = table.columns();
  const auto found =
      std::find_if(columns.begin(), columns.end(), [&](const std::string& c) { return c.rfind(start, 0) == 0; });
  return found == columns.end() ? nullptr : &*found;
}

std::string without_quotes(std::string name) {
  std::replace(name.begin(), name.end(), ';', ',');
  constexpr size_t longest = 150;
  return name.substr(0, longest);
}

Profile read_systems(const std::string& path, const CsvTable& table) {
  const std::string* duration = column_starting(table, "Duration");
  const std::optional<double> factor = microseconds_in(unit_in(*duration));
  if (!factor) throw Error(fmt::format("{}: no unit of time in the column '{}'", path, *duration));
  std::vector<KernelEvent> rows;
  Profile out;
  for (size_t i = 0; i < table.rows(); ++i) {
    std::string name = without_quotes(table.text(i, "Name"));
    if (name.rfind("[CUDA memset", 0) == 0) name = "gpu_memset:memset";
    if (name.rfind("[CUDA memcpy", 0) == 0) name.insert(0, "gpu_memcpy:");
    rows.push_back({std::move(name), grouped_number(table.text(i, *duration)) * *factor});
    if (out.device_name.empty()) out.device_name = table.text(i, "Device");
  }
  out.source = "Nsight Systems";
  out.launches = launches_of_kernels(rows);
  return out;
}

// ncu --page raw: the units are a row of their own under the header.
std::vector<KernelEvent> raw_rows(const std::string& path, const CsvTable& table) {
  constexpr const char* duration = "gpu__time_duration.sum";
  std::vector<KernelEvent> out;
  double factor = 1e-3;
  for (size_t i = 0; i < table.rows(); ++i) {
    if (table.text(i, "Kernel Name").empty()) {
      const std::optional<double> unit = microseconds_in(table.text(i, duration));
      if (!unit) throw Error(fmt::format("{}: '{}' is no unit of time", path, table.text(i, duration)));
      factor = *unit;
      continue;
    }
    out.push_back({without_quotes(table.text(i, "Kernel Name")), grouped_number(table.text(i, duration)) * factor});
  }
  return out;
}

// ncu --page details: a metric a row.
std::vector<KernelEvent> detail_rows(const std::string& path, const CsvTable& table) {
  std::vector<KernelEvent> out;
  std::string last;
  for (size_t i = 0; i < table.rows(); ++i) {
    const std::string& metric = table.text(i, "Metric Name");
    if (metric != "Duration" && metric != "gpu__time_duration.sum") continue;
    if (!out.empty() && table.text(i, "ID") == last) continue;
    last = table.text(i, "ID");
    const std::optional<double> unit = microseconds_in(table.text(i, "Metric Unit"));
    if (!unit) throw Error(fmt::format("{}: '{}' is no unit of time", path, table.text(i, "Metric Unit")));
    out.push_back(
        {without_quotes(table.text(i, "Kernel Name")), grouped_number(table.text(i, "Metric Value")) * *unit});
  }
  return out;
}

// Without what tools print before the table.
std::string table_in(const std::string& text) {
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    const std::string line = text.substr(start, end - start);
    if (has_part(line, "Kernel Name") || (has_part(line, "Duration") && has_part(line, "Name")) ||
        has_part(line, "Instances")) {
      return text.substr(start);
    }
    start = end + 1;
  }
  return "";
}

}  // namespace

std::vector<MeasuredLaunch> launches_of_kernels(const std::vector<KernelEvent>& rows) {
  std::vector<MeasuredLaunch> out;
  MeasuredLaunch next;
  for (const KernelEvent& row : rows) {
    if (belongs_to_last(row.name) && !out.empty()) {
      append(out.back(), row);
      continue;
    }
    append(next, row);
    if (belongs_to_next(row.name)) continue;
    next.op = has_part(next.kernels, "nchw") ? "(conv)" : family_of(row.name);
    out.push_back(std::move(next));
    next = {};
  }
  return out;
}

Profile read_nsight_csv(const std::string& path, const std::string& text) {
  const std::string content = table_in(text);
  if (content.empty()) {
    throw Error(fmt::format("{}: not a profile", path), {},
                {"known are traces of torch.profiler (JSON, gzipped or not), nsys stats --report cuda_gpu_trace "
                 "--format csv, ncu --csv, and files of launches"});
  }
  const CsvTable table(path, content);
  if (table.has("Instances")) {
    throw Error(fmt::format("{}: a summary of kernels, without the order in which they ran", path), {},
                {"nsys stats --report cuda_gpu_trace --format csv has it"});
  }
  Profile out;
  if (column_starting(table, "Duration") != nullptr && table.has("Name")) {
    out = read_systems(path, table);
  } else if (table.has("gpu__time_duration.sum")) {
    out.launches = launches_of_kernels(raw_rows(path, table));
  } else if (table.has("Metric Name")) {
    out.launches = launches_of_kernels(detail_rows(path, table));
  }
  if (out.source.empty()) out.source = "Nsight Compute";
  out.path = path;
  out.has_ops = false;
  if (out.launches.empty()) {
    throw Error(fmt::format("{}: a table of {} without a duration of any kernel", path, out.source), {},
                {"ncu --metrics gpu__time_duration.sum --csv has it"});
  }
  return out;
}

}  // namespace modelmeter
