// Nsight's tables: a kernel a row, or with Nsight Compute's page of details a metric of a kernel a row.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
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

// A number with separators of thousands, as the locale of the tool has them: "1,234.5", "1.234,5", "1 234,5". A lone
// comma before three digits separates thousands, before other digits a fraction.
std::optional<double> grouped_number(const std::string& text) {
  const size_t comma = text.rfind(','), point = text.rfind('.');
  constexpr size_t group = 3;
  const bool both = comma != std::string::npos && point != std::string::npos;
  const bool only_comma = comma != std::string::npos && !both;
  const bool fraction_after_comma =
      both ? comma > point : only_comma && text.find(',') == comma && text.size() - comma - 1 != group;
  const char fraction = fraction_after_comma ? ',' : '.';
  const bool many_points = !both && point != std::string::npos && text.find('.') != point;
  std::string digits;
  for (const char c : text) {
    if (c == fraction && !many_points) {
      digits += '.';
    } else if (c != ',' && c != '.' && c != ' ' && c != '\'') {
      digits += c;
    }
  }
  char* end = nullptr;
  const double value = std::strtod(digits.c_str(), &end);
  if (digits.empty() || *end != '\0' || !std::isfinite(value) || value < 0) return std::nullopt;
  return value;
}

double time_at(const std::string& path, const CsvTable& table, size_t row, const std::string& column) {
  const std::string& text = table.text(row, column);
  const std::optional<double> value = grouped_number(text);
  if (!value) throw Error(fmt::format("{}: row {}: {} is no time: '{}'", path, row + 1, column, text));
  return *value;
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

// The first of these that a column begins with.
const std::string* column_of(const CsvTable& table, std::initializer_list<const char*> starts) {
  for (const char* start : starts) {
    if (const std::string* found = column_starting(table, start); found != nullptr) return found;
  }
  return nullptr;
}

// cuda_gpu_trace ("Duration (ns)", "Name"), and cuda_kern_exec_trace ("Kernel Dur (ns)", "Kernel Name").
Profile read_systems(const std::string& path, const CsvTable& table) {
  const std::string* duration = column_of(table, {"Duration", "Kernel Dur"});
  const std::string* start = column_of(table, {"Start", "Kernel Start"});
  const std::string name_column = table.has("Name") ? "Name" : "Kernel Name";
  const std::string device = table.has("Device") ? "Device" : "DevId";
  const std::optional<double> factor = microseconds_in(unit_in(*duration));
  if (!factor) throw Error(fmt::format("{}: no unit of time in the column '{}'", path, *duration));
  std::vector<KernelEvent> rows;
  for (size_t i = 0; i < table.rows(); ++i) {
    std::string name = without_quotes(table.text(i, name_column));
    if (name.rfind("[CUDA memset", 0) == 0) name = "gpu_memset:memset";
    if (name.rfind("[CUDA memcpy", 0) == 0) name.insert(0, "gpu_memcpy:");
    rows.push_back({std::move(name), time_at(path, table, i, *duration) * *factor,
                    start == nullptr ? 0 : time_at(path, table, i, *start), table.text(i, device)});
  }
  Profile out;
  out.source = "Nsight Systems";
  rows = of_one_device(std::move(rows), out);
  if (!rows.empty()) out.device_name = rows.front().device;
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
    out.push_back({without_quotes(table.text(i, "Kernel Name")), time_at(path, table, i, duration) * factor, 0,
                   table.text(i, "Device")});
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
    out.push_back({without_quotes(table.text(i, "Kernel Name")), time_at(path, table, i, "Metric Value") * *unit, 0,
                   table.text(i, "Device")});
  }
  return out;
}

bool is_header(const std::string& line) {
  return has_part(line, "Kernel Name") || (has_part(line, "Duration") && has_part(line, "Name")) ||
         has_part(line, "Instances");
}

// Without what tools print before, between and after the rows: "==PROF== …" of ncu, "Processing […]" of nsys. A table
// ends where a line is empty (nsys with several reports).
std::string table_in(const std::string& text) {
  std::string out;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    const std::string line = text.substr(start, end - start);
    start = end + 1;
    if (line.rfind("==", 0) == 0 || (out.empty() && !is_header(line))) continue;
    if (line.find_first_not_of(" \r") == std::string::npos) break;
    out += line + "\n";
  }
  return out;
}

}  // namespace

std::vector<KernelEvent> of_one_device(std::vector<KernelEvent> events, Profile& profile) {
  std::map<std::string, size_t> counts;
  for (const KernelEvent& event : events) ++counts[event.device];
  if (counts.size() > 1) {
    const auto most = std::max_element(counts.begin(), counts.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    const std::string device = most->first;
    profile.notes.push_back(fmt::format("of {} devices, '{}': it has {} of the {} kernels", counts.size(), device,
                                        most->second, events.size()));
    events.erase(
        std::remove_if(events.begin(), events.end(), [&](const KernelEvent& event) { return event.device != device; }),
        events.end());
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const KernelEvent& a, const KernelEvent& b) { return a.start < b.start; });
  return events;
}

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
  if (content.empty() && has_part(text, "does not contain")) {
    throw Error(fmt::format("{}: Nsight Systems found no kernels of a device in its report", path), {},
                {"nsys profile --trace=cuda records them"});
  }
  if (content.empty()) {
    throw Error(fmt::format("{}: not a profile", path), {},
                {"known are traces of torch.profiler (JSON, gzipped or not), nsys stats --report cuda_gpu_trace "
                 "--format csv, ncu --csv, and files of launches"});
  }
  if (!has_part(content.substr(0, content.find('\n')), ",")) {
    throw Error(fmt::format("{}: its columns are not separated by commas", path), {}, {"nsys stats --format csv does"});
  }
  const CsvTable table(path, content);
  if (table.has("Instances")) {
    throw Error(fmt::format("{}: a summary of kernels, without the order in which they ran", path), {},
                {"nsys stats --report cuda_gpu_trace --format csv has it"});
  }
  Profile out;
  std::vector<KernelEvent> kernels;
  const bool durations = column_of(table, {"Duration", "Kernel Dur"}) != nullptr;
  if (durations && (table.has("Name") || table.has("Kernel Name")) && !table.has("Metric Name")) {
    out = read_systems(path, table);
  } else {
    if (table.has("gpu__time_duration.sum")) kernels = raw_rows(path, table);
    if (kernels.empty() && table.has("Metric Name")) kernels = detail_rows(path, table);
    out.source = "Nsight Compute";
    out.launches = launches_of_kernels(of_one_device(std::move(kernels), out));
  }
  out.path = path;
  out.has_ops = false;
  if (out.launches.empty()) {
    throw Error(fmt::format("{}: a table of {} without a duration of any kernel", path, out.source), {},
                {"ncu --metrics gpu__time_duration.sum --csv has it"});
  }
  return out;
}

}  // namespace modelmeter
