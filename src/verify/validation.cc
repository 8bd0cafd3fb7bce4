#include "verify/validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/gzip.h"
#include "verify/csv.h"
#include "verify/validation_files.h"

namespace modelmeter {

std::optional<double> relative_error(const std::optional<double>& predicted, const std::optional<double>& measured) {
  if (!predicted || !measured || *measured == 0) return std::nullopt;
  return *predicted / *measured - 1;
}

namespace {

struct FileKind {
  const char* name;
  std::vector<std::string> columns;  // that only files of this kind have together
  Validation (*validate)(const std::string&, const ValidationContext&);
};

const std::array<FileKind, 11>& file_kinds() {
  static const std::array<FileKind, 11> kinds = {{
      {"launches-DEVICE-NAME.csv.gz", {"op", "shapes", "dtypes", "us", "kernels"}, validate_launches},
      {"forwards.csv", {"device", "name", "wall_ms"}, validate_forwards},
      {"micro.csv", {"device", "kind", "us", "dtype"}, validate_kernels},
      {"gemm.csv", {"sys", "gemm_dtype", "m", "n", "k"}, validate_gemm_table},
      {"attention.csv", {"sys", "kernel_source", "isl", "head_dim"}, validate_attention_table},
      {"power.csv", {"device", "kind", "what", "watts"}, validate_power},
      {"host.csv", {"device", "op", "host_us"}, validate_host},
      {"memlog-NAME.json.gz", {}, validate_allocator_log},
      {"wan.csv", {"model", "gpu_name", "time_s", "time_kind"}, validate_published},
      {"deepseek_ocr.csv", {"workload", "device", "metric", "value", "unit"}, validate_published_pages},
      {"nccl.csv", {"sys", "op_name", "num_gpus", "bytes", "us"}, validate_collectives},
  }};
  return kinds;
}

// "launches-DEVICE-NAME.csv.gz" is what begins with "launches".
bool is_named(const std::string& name, const FileKind& kind) {
  const std::string pattern = kind.name;
  const size_t dash = pattern.find('-');
  return dash == std::string::npos ? name == pattern : name.rfind(pattern.substr(0, dash), 0) == 0;
}

bool has_columns(const CsvTable& table, const FileKind& kind) {
  return !kind.columns.empty() && std::all_of(kind.columns.begin(), kind.columns.end(),
                                              [&](const std::string& column) { return table.has(column); });
}

}  // namespace

std::optional<double> ValidationRow::device_error() const {
  return relative_error(predicted_device_ms, measured_device_ms);
}
std::optional<double> ValidationRow::wall_error() const { return relative_error(predicted_wall_ms, measured_wall_ms); }
std::optional<double> ValidationRow::joules_error() const {
  constexpr double least_known = 0.25;
  if (joules_resolution.value_or(0) > least_known) return std::nullopt;
  return relative_error(predicted_joules, measured_joules);
}
std::optional<double> ValidationRow::peak_allocated_error() const {
  return relative_error(predicted_peak_allocated, measured_peak_allocated);
}
std::optional<double> ValidationRow::peak_reserved_error() const {
  return relative_error(predicted_peak_reserved, measured_peak_reserved);
}
std::optional<double> ValidationRow::peak_above_start_error() const {
  if (!predicted_peak_allocated || !measured_peak_allocated || !allocated_at_start) return std::nullopt;
  return relative_error(*predicted_peak_allocated - *allocated_at_start,
                        *measured_peak_allocated - *allocated_at_start);
}

void Validation::add(Validation more) {
  std::move(more.rows.begin(), more.rows.end(), std::back_inserter(rows));
  std::move(more.not_compared.begin(), more.not_compared.end(), std::back_inserter(not_compared));
}

Validation validate_file(const std::string& path, const ValidationContext& context) {
  const std::string name = std::filesystem::path(path).filename().string();
  std::vector<std::string> known;
  for (const FileKind& kind : file_kinds()) {
    if (is_named(name, kind)) return kind.validate(path, context);
    known.emplace_back(kind.name);
  }
  const std::string text = read_gzipped(path);
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) throw Error(fmt::format("{}: an empty file", path));
  std::vector<std::string> notes = name_notes(name, known, "known");
  if (text[first] == '{' || text[first] == '[' || text.rfind("SQLite format 3", 0) == 0) {
    notes.emplace_back("profile import reads profiles");
  } else {
    const CsvTable header(path, text.substr(first, text.find('\n', first) - first + 1));
    for (const FileKind& kind : file_kinds()) {
      if (has_columns(header, kind)) return kind.validate(path, context);
    }
  }
  throw Error(fmt::format("{}: no kind of measurement that is known", path), {}, notes);
}

}  // namespace modelmeter
