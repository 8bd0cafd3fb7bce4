// The database that nsys export --type sqlite writes: kernels, copies and memsets by their start. Its tables are those
// that something was recorded for.
#include <fmt/format.h>

#ifdef MODELMETER_SQLITE
#include <sqlite3.h>

#include <memory>
#endif

#include "base/error.h"
#include "verify/profile_readers.h"

namespace modelmeter {

#ifdef MODELMETER_SQLITE
namespace {

using Database = std::unique_ptr<sqlite3, int (*)(sqlite3*)>;
using Statement = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;

Error database_error(const std::string& path, sqlite3* database) {
  return Error(fmt::format("{}: not a profile: a database that cannot be read", path), {}, {sqlite3_errmsg(database)});
}

Database open_database(const std::string& path) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READONLY, nullptr);
  Database out(opened, sqlite3_close);
  if (code != SQLITE_OK) throw database_error(path, opened);
  return out;
}

Statement prepare(const std::string& path, sqlite3* database, const std::string& text) {
  sqlite3_stmt* made = nullptr;
  if (sqlite3_prepare_v2(database, text.c_str(), -1, &made, nullptr) != SQLITE_OK) throw database_error(path, database);
  return Statement(made, sqlite3_finalize);
}

bool next_row(const std::string& path, sqlite3* database, sqlite3_stmt* statement) {
  const int code = sqlite3_step(statement);
  if (code != SQLITE_ROW && code != SQLITE_DONE) throw database_error(path, database);
  return code == SQLITE_ROW;
}

std::string text_at(sqlite3_stmt* statement, int column) {
  const unsigned char* text = sqlite3_column_text(statement, column);
  return text == nullptr ? "" : reinterpret_cast<const char*>(text);
}

bool has_table(const std::string& path, sqlite3* database, const char* name) {
  const Statement found =
      prepare(path, database, fmt::format("SELECT 1 FROM sqlite_master WHERE type='table' AND name='{}'", name));
  return next_row(path, database, found.get());
}

bool has_column(const std::string& path, sqlite3* database, const char* table, const char* column) {
  const Statement found =
      prepare(path, database, fmt::format("SELECT 1 FROM pragma_table_info('{}') WHERE name='{}'", table, column));
  return next_row(path, database, found.get());
}

// Launches of a graph are one row in a table of their own unless nsys was told to look into them.
std::vector<std::string> graph_hint(const std::string& path, sqlite3* database) {
  if (!has_table(path, database, "CUPTI_ACTIVITY_KIND_GRAPH_TRACE")) return {};
  return {"CUDA graphs were traced as a whole: nsys profile --cuda-graph-trace=node records their kernels"};
}

// The name of the device with that number.
std::string device_name_in(const std::string& path, sqlite3* database, const std::string& number) {
  constexpr const char* devices = "TARGET_INFO_GPU";
  if (!has_table(path, database, devices)) return "";
  const bool chosen = !number.empty() && has_column(path, database, devices, "id");
  const Statement device =
      prepare(path, database, fmt::format("SELECT name FROM {}{}", devices, chosen ? " WHERE id = " + number : ""));
  return next_row(path, database, device.get()) ? text_at(device.get(), 0) : "";
}

}  // namespace

Profile read_nsight_database(const std::string& path) {
  const Database database = open_database(path);
  constexpr const char* kernels = "CUPTI_ACTIVITY_KIND_KERNEL";
  sqlite3* const db = database.get();
  if (!has_table(path, db, kernels)) {
    throw Error(fmt::format("{}: a database without kernels of a device (no table {})", path, kernels), {},
                graph_hint(path, db));
  }
  const auto device_in = [&](const char* table) { return has_column(path, db, table, "deviceId") ? "deviceId" : "''"; };
  std::string query = fmt::format(
      "SELECT k.start AS start, k.end - k.start, s.value, {} FROM {} k JOIN StringIds s ON s.id = k.demangledName",
      device_in(kernels), kernels);
  for (const auto& [table, name] : {std::pair{"CUPTI_ACTIVITY_KIND_MEMCPY", "gpu_memcpy:memcpy"},
                                    std::pair{"CUPTI_ACTIVITY_KIND_MEMSET", "gpu_memset:memset"}}) {
    if (!has_table(path, db, table)) continue;
    query += fmt::format(" UNION ALL SELECT start, end - start, '{}', {} FROM {}", name, device_in(table), table);
  }
  Profile out;
  out.path = path;
  out.source = "Nsight Systems";
  out.has_ops = false;
  out.notes = graph_hint(path, db);
  std::vector<KernelEvent> events;
  const Statement rows = prepare(path, db, query + " ORDER BY start");
  while (next_row(path, db, rows.get())) {
    constexpr double nanosecond_in_us = 1e-3;
    events.push_back({text_at(rows.get(), 2),
                      static_cast<double>(sqlite3_column_int64(rows.get(), 1)) * nanosecond_in_us,
                      static_cast<double>(sqlite3_column_int64(rows.get(), 0)), text_at(rows.get(), 3)});
  }
  events = of_one_device(std::move(events), out);
  out.launches = launches_of_kernels(events);
  if (out.launches.empty()) {
    throw Error(fmt::format("{}: a database without kernels of a device", path), {}, graph_hint(path, db));
  }
  out.device_name = device_name_in(path, db, events.front().device);
  return out;
}
#else
Profile read_nsight_database(const std::string& path) {
  throw Error(fmt::format("{}: a database of Nsight Systems, which this build has no SQLite for", path), {},
              {"nsys stats --report cuda_gpu_trace --format csv makes a table of it"});
}
#endif

}  // namespace modelmeter
