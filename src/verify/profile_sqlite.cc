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

}  // namespace

Profile read_nsight_database(const std::string& path) {
  const Database database = open_database(path);
  constexpr const char* kernels = "CUPTI_ACTIVITY_KIND_KERNEL";
  if (!has_table(path, database.get(), kernels)) {
    throw Error(fmt::format("{}: a database without kernels of a device (no table {})", path, kernels));
  }
  std::string query = fmt::format(
      "SELECT k.start AS start, k.end - k.start, s.value FROM {} k JOIN StringIds s ON s.id = k.demangledName",
      kernels);
  for (const auto& [table, name] : {std::pair{"CUPTI_ACTIVITY_KIND_MEMCPY", "gpu_memcpy:memcpy"},
                                    std::pair{"CUPTI_ACTIVITY_KIND_MEMSET", "gpu_memset:memset"}}) {
    if (!has_table(path, database.get(), table)) continue;
    query += fmt::format(" UNION ALL SELECT start, end - start, '{}' FROM {}", name, table);
  }
  Profile out;
  out.path = path;
  out.source = "Nsight Systems";
  out.has_ops = false;
  std::vector<KernelEvent> events;
  const Statement rows = prepare(path, database.get(), query + " ORDER BY start");
  while (next_row(path, database.get(), rows.get())) {
    constexpr double nanosecond_in_us = 1e-3;
    events.push_back(
        {text_at(rows.get(), 2), static_cast<double>(sqlite3_column_int64(rows.get(), 1)) * nanosecond_in_us});
  }
  out.launches = launches_of_kernels(events);
  if (out.launches.empty()) throw Error(fmt::format("{}: a database without kernels of a device", path));
  if (has_table(path, database.get(), "TARGET_INFO_GPU")) {
    const Statement device = prepare(path, database.get(), "SELECT name FROM TARGET_INFO_GPU");
    if (next_row(path, database.get(), device.get())) out.device_name = text_at(device.get(), 0);
  }
  return out;
}
#else
Profile read_nsight_database(const std::string& path) {
  throw Error(fmt::format("{}: a database of Nsight Systems, which this build has no SQLite for", path), {},
              {"nsys stats --report cuda_gpu_trace --format csv makes a table of it"});
}
#endif

}  // namespace modelmeter
