#include "sweep/staged_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <atomic>

namespace modelmeter {
namespace {

constexpr const char* time_columns[] = {"latency_s", "latency_low_s", "latency_high_s", "device_s", "joules", "usd",
                                        "mfu"};

void bind_count(Statement& statement, int at, std::optional<Count> count) {
  if (!count) return statement.bind_null(at);
  if (count->fits_64()) return statement.bind(at, count->to_int64("a figure"));
  statement.bind(at, static_cast<double>(*count));
}

// From a place on; as figure_columns().
void bind_figures(Statement& statement, int at, const std::optional<JobFigures>& figures) {
  const int end = at + static_cast<int>(figure_columns().size());
  if (figures) {
    for (const FigureRow& row : figure_rows) bind_count(statement, at++, row.get(figures->totals.figures));
    statement.bind(at++, figures->totals.resident_bytes);
    if (figures->time) {
      const JobTime& t = *figures->time;
      for (const double seconds : {t.latency_s, t.low_s, t.high_s, t.device_s}) statement.bind(at++, seconds);
      for (const std::optional<double>& value : {t.joules, t.usd, t.mfu}) {
        value ? statement.bind(at, *value) : statement.bind_null(at);
        ++at;
      }
    }
  }
  while (at < end) statement.bind_null(at++);
}

std::string staged_name() {
  static std::atomic<int64_t> made = 0;
  return fmt::format("staged_rows_{}", made++);
}

Database staged_database(size_t axes) {
  Database out(staged_name(), Database::Mode::memory);
  out.execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
  std::vector<std::string> names;
  for (size_t i = 0; i < axes; ++i) names.push_back(fmt::format("axis {}", i));
  out.execute(results_table("main") + jobs_table("jobs", names));
  return out;
}

std::string places(size_t count) {
  std::string out = "?";
  for (size_t i = 1; i < count; ++i) out += ",?";
  return out;
}

}  // namespace

const std::vector<std::string>& figure_columns() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const FigureRow& row : figure_rows) out.emplace_back(row.name);
    out.emplace_back("resident_bytes");
    out.insert(out.end(), std::begin(time_columns), std::end(time_columns));
    return out;
  }();
  return names;
}

std::string results_table(const std::string& schema) {
  return fmt::format(
      "CREATE TABLE {}.results(id INTEGER PRIMARY KEY, key BLOB NOT NULL, sweep INTEGER, changes TEXT, error TEXT,"
      " {});\n",
      schema, fmt::join(figure_columns(), ", "));
}

std::string jobs_table(const std::string& name, const std::vector<std::string>& axes) {
  std::string columns;
  for (const std::string& axis : axes) columns += ", " + sql_name(axis);
  return fmt::format("CREATE TABLE {}(number INTEGER PRIMARY KEY, result INTEGER NOT NULL{});\n", name, columns);
}

StagedRows::StagedRows(int64_t sweep, int64_t first_result, size_t axes)
    : sweep_(sweep),
      first_result_(first_result),
      database_(staged_database(axes)),
      insert_result_(
          database_.prepare(fmt::format("INSERT INTO results VALUES({})", places(5 + figure_columns().size())))),
      insert_job_(database_.prepare(fmt::format("INSERT INTO jobs VALUES({})", places(2 + axes)))) {}

int64_t StagedRows::insert_result(const JobRow& row) {
  const int64_t id = first_result_ + row.number;
  insert_result_.bind(1, id);
  const std::string key = row.again ? "" : bytes_of(row.key);
  insert_result_.bind_blob(2, key);
  insert_result_.bind(3, sweep_);
  insert_result_.bind(4, std::string_view(row.changes));
  row.error.empty() ? insert_result_.bind_null(5) : insert_result_.bind(5, std::string_view(row.error));
  bind_figures(insert_result_, 6, row.figures);
  insert_result_.run();
  return id;
}

void StagedRows::write(const std::vector<JobRow>& rows) {
  again_ = false;
  Transaction transaction(database_);
  database_.execute("DELETE FROM results; DELETE FROM jobs");
  for (const JobRow& row : rows) {
    again_ = again_ || row.again;
    insert_job_.bind(1, row.number);
    insert_job_.bind(2, row.result ? *row.result : insert_result(row));
    int at = 2;
    for (const StoredValue& value : row.axes) insert_job_.bind(++at, value);
    insert_job_.run();
  }
  transaction.commit();
}

}  // namespace modelmeter
