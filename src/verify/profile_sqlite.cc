// The database that nsys export --type sqlite writes: kernels, copies and memsets by their start. Its tables are those
// that something was recorded for.
#include <fmt/format.h>

#include "base/error.h"
#include "database/database.h"
#include "verify/profile_readers.h"

namespace modelmeter {
namespace {

bool has_row(const Database& database, const std::string& query) { return database.prepare(query).step(); }

bool has_table(const Database& database, const char* name) {
  return has_row(database, fmt::format("SELECT 1 FROM sqlite_master WHERE type='table' AND name='{}'", name));
}

bool has_column(const Database& database, const char* table, const char* column) {
  return has_row(database, fmt::format("SELECT 1 FROM pragma_table_info('{}') WHERE name='{}'", table, column));
}

// Launches of a graph are one row in a table of their own unless nsys was told to look into them.
std::vector<std::string> graph_hint(const Database& database) {
  if (!has_table(database, "CUPTI_ACTIVITY_KIND_GRAPH_TRACE")) return {};
  return {"CUDA graphs were traced as a whole: nsys profile --cuda-graph-trace=node records their kernels"};
}

// The name of the device with that number.
std::string device_name_in(const Database& database, const std::string& number) {
  constexpr const char* devices = "TARGET_INFO_GPU";
  if (!has_table(database, devices)) return "";
  const bool chosen = !number.empty() && has_column(database, devices, "id");
  Statement device =
      database.prepare(fmt::format("SELECT name FROM {}{}", devices, chosen ? " WHERE id = " + number : ""));
  return device.step() ? device.text(0) : "";
}

// Of kernels, copies and memsets: start and duration (ns), name, device.
std::string query_of_events(const Database& database, const char* kernels) {
  const auto device_in = [&](const char* table) { return has_column(database, table, "deviceId") ? "deviceId" : "''"; };
  std::string out = fmt::format(
      "SELECT k.start AS start, k.end - k.start, s.value, {} FROM {} k JOIN StringIds s ON s.id = k.demangledName",
      device_in(kernels), kernels);
  for (const auto& [table, name] : {std::pair{"CUPTI_ACTIVITY_KIND_MEMCPY", "gpu_memcpy:memcpy"},
                                    std::pair{"CUPTI_ACTIVITY_KIND_MEMSET", "gpu_memset:memset"}}) {
    if (!has_table(database, table)) continue;
    out += fmt::format(" UNION ALL SELECT start, end - start, '{}', {} FROM {}", name, device_in(table), table);
  }
  return out + " ORDER BY start";
}

std::vector<KernelEvent> events_in(const Database& database, const char* kernels) {
  constexpr double nanosecond_in_us = 1e-3;
  std::vector<KernelEvent> out;
  Statement rows = database.prepare(query_of_events(database, kernels));
  while (rows.step()) {
    out.push_back({rows.text(2), static_cast<double>(rows.integer(1)) * nanosecond_in_us,
                   static_cast<double>(rows.integer(0)), rows.text(3)});
  }
  return out;
}

// What SQLite says of the file goes into a note.
[[noreturn]] void unreadable(const std::string& path, const Error& error) {
  throw Error(fmt::format("{}: not a profile: a database that cannot be read", path), {}, {error.message()});
}

}  // namespace

Profile read_nsight_database(const std::string& path) {
  constexpr const char* kernels = "CUPTI_ACTIVITY_KIND_KERNEL";
  Profile out;
  out.path = path;
  out.source = "Nsight Systems";
  out.has_ops = false;
  bool has_kernels = false;
  std::vector<KernelEvent> events;
  try {
    const Database database(path, Database::Mode::read);
    out.notes = graph_hint(database);
    has_kernels = has_table(database, kernels);
    if (has_kernels) events = events_in(database, kernels);
    if (!events.empty()) {
      events = of_one_device(std::move(events), out);
      out.device_name = device_name_in(database, events.front().device);
    }
  } catch (const Error& error) {
    unreadable(path, error);
  }
  if (!has_kernels) {
    throw Error(fmt::format("{}: a database without kernels of a device (no table {})", path, kernels), {}, out.notes);
  }
  out.launches = launches_of_kernels(events);
  if (out.launches.empty()) {
    throw Error(fmt::format("{}: a database without kernels of a device", path), {}, out.notes);
  }
  return out;
}

}  // namespace modelmeter
