#include "sweep/table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/format.h"
#include "base/temporary.h"
#include "sweep/store.h"

namespace modelmeter {
namespace {

const std::map<std::string, std::string>& brief_names() {
  static const std::map<std::string, std::string> names = {{"latency", "latency_s"}, {"memory", "peak_live_bytes"},
                                                           {"flops", "flops_full"},  {"bytes", "bytes_moved"},
                                                           {"cost", "usd"},          {"energy", "joules"}};
  return names;
}

std::string last_part(const std::string& key) {
  const size_t dot = key.rfind('.');
  return dot == std::string::npos ? key : key.substr(dot + 1);
}

bool is_falling(const std::string& key) { return !key.empty() && key[0] == '-'; }
std::string without_sign(const std::string& key) { return is_falling(key) ? key.substr(1) : key; }

int64_t found_sweep(const Database& database, int64_t asked) {
  const int64_t last = database.number("SELECT max(id) FROM sweeps");
  const int64_t out = asked == 0 ? last : asked;
  if (last == 0) throw Error(fmt::format("{}: there is no sweep in this store", database.path()));
  if (database.number(fmt::format("SELECT count(*) FROM sweeps WHERE id={}", out)) == 0) {
    throw Error(fmt::format("{}: there is no sweep {} in this store; the last one is {}", database.path(), out, last));
  }
  return out;
}

double number_in(const StoredValue& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return static_cast<double>(*integer);
  if (const auto* number = std::get_if<double>(&value)) return *number;
  return 0;
}

// Rows that no other one is below in every goal; found row by row.
class Front {
 public:
  struct Point {
    std::vector<double> goals;
    TableRow row;
  };

  void add(Point point) {
    for (const Point& other : points_) {
      if (beats(other.goals, point.goals)) return;
    }
    points_.erase(std::remove_if(points_.begin(), points_.end(),
                                 [&](const Point& other) { return beats(point.goals, other.goals); }),
                  points_.end());
    points_.push_back(std::move(point));
  }
  std::vector<Point>& points() { return points_; }

 private:
  static bool beats(const std::vector<double>& a, const std::vector<double>& b) {
    bool below = false;
    for (size_t i = 0; i < a.size(); ++i) {
      if (a[i] > b[i]) return false;
      below = below || a[i] < b[i];
    }
    return below;
  }

  std::vector<Point> points_;
};

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    out += c;
    if (c == '"') out += c;
  }
  return out + '"';
}

}  // namespace

SweepTable::SweepTable(const std::string& store, int64_t sweep)
    : database_(read_store(store)), sweep_(found_sweep(database_, sweep)) {
  Statement all = database_.prepare(fmt::format("SELECT * FROM sweep_{} LIMIT 0", sweep_));
  for (int i = 0; i < all.columns(); ++i) columns_.push_back(all.name(i));
  axes_ = static_cast<size_t>(database_.number(fmt::format("SELECT axes FROM sweeps WHERE id={}", sweep_)));
}

const std::string& SweepTable::column(const std::string& name) const {
  const auto find = [&](const std::string& wanted) { return std::find(columns_.begin(), columns_.end(), wanted); };
  if (const auto at = find(name); at != columns_.end()) return *at;
  if (const auto brief = brief_names().find(name); brief != brief_names().end()) return *find(brief->second);
  for (size_t i = 1; i <= axes_; ++i) {
    if (last_part(columns_[i]) == name) return columns_[i];
  }
  throw Error(fmt::format("'{}' is no column of this sweep", name), {}, column_notes(name));
}

// Near the full names and the brief ones.
std::vector<std::string> SweepTable::column_notes(const std::string& name) const {
  std::vector<std::string> known = columns_;
  for (const auto& [brief, full] : brief_names()) known.push_back(brief);
  for (size_t i = 1; i <= axes_; ++i) known.push_back(last_part(columns_[i]));
  std::string near = did_you_mean(name, known);
  if (near.empty()) return name_notes(name, columns_, "columns");
  return {std::move(near)};
}

// What SQLite says of a name, as an error of that name.
void SweepTable::rethrow(const Error& error) const {
  constexpr std::string_view unknown = "no such column: ";
  const size_t at = error.message().find(unknown);
  if (at == std::string::npos) throw Error(error);
  std::string name = error.message().substr(at + unknown.size());  // later ones put it in quotes and go on
  name.erase(std::remove(name.begin(), name.end(), '"'), name.end());
  name = name.substr(0, name.find(" - "));
  throw Error(fmt::format("'{}' is no column of this sweep", name), {}, column_notes(name));
}

Statement SweepTable::prepare(const std::string& sql) const {
  try {
    return database_.prepare(sql);
  } catch (const Error& error) {
    rethrow(error);
  }
}

// The view with the brief names beside the full ones, and the expressions.
std::string SweepTable::source(const TableQuery& query) const {
  std::string more;
  const auto add = [&](const std::string& name, const std::string& of) {
    if (std::find(columns_.begin(), columns_.end(), name) == columns_.end()) {
      more += fmt::format(", {} AS {}", of, sql_name(name));
    }
  };
  for (const auto& [brief, full] : brief_names()) add(brief, sql_name(full));
  std::vector<std::string> lasts;
  for (size_t i = 1; i <= axes_; ++i) {
    const std::string last = last_part(columns_[i]);
    const bool taken = brief_names().count(last) > 0 || std::find(lasts.begin(), lasts.end(), last) != lasts.end();
    if (!taken) add(last, sql_name(columns_[i]));
    lasts.push_back(last);
  }
  std::string out = fmt::format("(SELECT *{} FROM sweep_{})", more, sweep_);
  for (const auto& [name, expression] : query.expressions) {
    out = fmt::format("(SELECT *, ({}) AS {} FROM {})", expression, sql_name(name), out);
  }
  return out;
}

// Columns that have a value, of figures one that is not 0, in some job.
std::vector<std::string> SweepTable::filled_columns() const {
  std::string counts;
  for (const std::string& name : columns_)
    counts += fmt::format("{}max(ifnull({}, 0) IS NOT 0)", counts.empty() ? "" : ", ", sql_name(name));
  Statement row = database_.prepare(fmt::format("SELECT {} FROM sweep_{}", counts, sweep_));
  std::vector<std::string> out;
  if (!row.step()) return columns_;
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (i <= axes_ || row.integer(static_cast<int>(i)) != 0) out.push_back(columns_[i]);
  }
  return out;
}

std::vector<std::string> SweepTable::columns_of(const TableQuery& query) const {
  std::vector<std::string> out;
  for (const std::string& name : query.columns) {
    const auto own = [&](const auto& expression) { return expression.first == name; };
    if (std::any_of(query.expressions.begin(), query.expressions.end(), own)) continue;
    out.push_back(column(name));
  }
  if (query.columns.empty()) out = filled_columns();
  for (const auto& [name, expression] : query.expressions) out.push_back(name);
  return out;
}

void SweepTable::select(const TableQuery& query, const std::function<void(const TableRow&)>& visit) const {
  const auto known = [&](const std::string& key) {
    std::string name = without_sign(key);
    for (const auto& [own, expression] : query.expressions) {
      if (own == name) return name;
    }
    return column(name);
  };
  std::string columns;
  for (const std::string& name : columns_of(query)) columns += (columns.empty() ? "" : ", ") + sql_name(name);
  const auto shown = static_cast<int>(columns_of(query).size());
  std::string order;
  for (const std::string& key : query.sort) {
    order += fmt::format("{}{}{}", order.empty() ? "" : ", ", sql_name(known(key)), is_falling(key) ? " DESC" : "");
  }
  std::string where = query.where.empty() ? "1" : "(" + query.where + ")";
  for (const std::string& key : query.pareto) {
    columns += ", " + sql_name(known(key));
    where += fmt::format(" AND {} IS NOT NULL", sql_name(known(key)));
  }
  if (!query.pareto.empty() && order.empty()) order = sql_name(known(query.pareto.front()));
  Statement rows =
      prepare(fmt::format("SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT {}", columns, source(query), where,
                          order.empty() ? "job" : order + ", job", query.pareto.empty() ? query.limit : -1));
  Front front;
  while (rows.step()) {
    TableRow row;
    for (int i = 0; i < shown; ++i) row.push_back(rows.value(i));
    if (query.pareto.empty()) {
      visit(row);
      continue;
    }
    std::vector<double> goals;
    for (size_t i = 0; i < query.pareto.size(); ++i) {
      const StoredValue stored = rows.value(shown + static_cast<int>(i));
      if (std::holds_alternative<std::string>(stored)) {
        throw Error(fmt::format("'{}' holds texts, of which none is better", without_sign(query.pareto[i])));
      }
      const double value = number_in(stored);
      goals.push_back(is_falling(query.pareto[i]) ? -value : value);
    }
    front.add({std::move(goals), std::move(row)});
  }
  int64_t left = query.limit;
  for (const Front::Point& point : front.points()) {
    if (left-- == 0) break;
    visit(point.row);
  }
}

std::vector<SweepTable::Listed> SweepTable::list(const std::string& store) {
  const Database database = read_store(store);
  Statement rows = database.prepare("SELECT id, jobs, config_name, overrides, began FROM sweeps ORDER BY id");
  std::vector<Listed> out;
  while (rows.step()) {
    Listed one{rows.integer(0), rows.integer(1), 0, 0, rows.text(2), rows.text(3), rows.text(4)};
    one.stored = database.number(fmt::format("SELECT count(*) FROM jobs_{}", one.sweep));
    one.failed = database.number(fmt::format("SELECT count(*) FROM sweep_{} WHERE error IS NOT NULL", one.sweep));
    std::replace(one.overrides.begin(), one.overrides.end(), '\n', ' ');
    out.push_back(std::move(one));
  }
  return out;
}

std::string text_of(const StoredValue& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&value)) return python_repr(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return "";
}

void write_csv(const SweepTable& table, const std::string& path, const TableQuery& query) {
  constexpr size_t buffered = 1U << 20U;
  TableQuery all = query;
  if (all.columns.empty()) all.columns = table.columns();
  Temporary file(Temporary::Kind::file, path);
  std::string text;
  const auto add_row = [&](const auto& cells, const auto& cell) {
    bool first = true;
    for (const auto& value : cells) {
      if (!first) text += ',';
      first = false;
      text += csv_cell(cell(value));
    }
    text += '\n';
    if (text.size() < buffered) return;
    write_all(file.descriptor(), text, path);
    text.clear();
  };
  add_row(table.columns_of(all), [](const std::string& name) { return name; });
  table.select(all,
               [&](const TableRow& row) { add_row(row, [](const StoredValue& value) { return text_of(value); }); });
  write_all(file.descriptor(), text, path);
  file.rename_file();
}

}  // namespace modelmeter
