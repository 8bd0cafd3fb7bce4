// modelmeter sweep show and modelmeter sweep merge: what is in stores of multiruns.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/format.h"
#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/sweep_jobs.h"
#include "cli/terminal.h"
#include "cost/figures.h"
#include "report/table.h"
#include "sweep/store.h"
#include "sweep/table.h"

namespace modelmeter::cli {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    if (comma > begin) out.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return out;
}

TableQuery query_of(const Arguments& arguments) {
  TableQuery out;
  out.columns = split(arguments.value("--columns"));
  for (const std::string& text : arguments.values("--with")) {
    const size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == text.size()) {
      throw Error(ErrorCode::usage,
                  fmt::format("--with {}: a name and what it is, as in tflops=flops_full/1e12", text));
    }
    out.expressions.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  out.where = arguments.value("--where");
  out.sort = split(arguments.value("--sort"));
  out.pareto = split(arguments.value("--pareto"));
  return out;
}

// What a table shows where no columns are asked for, of those that have values.
bool is_headline(const std::string& name) {
  static const std::set<std::string> names = {
      "flops_full", "bytes_moved", "weight_bytes", "activation_peak_bytes", "kv_cache_bytes", "peak_live_bytes",
      "latency_s",  "joules",      "usd"};
  return names.count(name) > 0;
}

std::vector<std::string> headline_columns(const SweepTable& table, const TableQuery& query) {
  std::vector<std::string> out;
  const std::vector<std::string> all = table.columns_of(query);
  for (size_t i = 0; i < all.size(); ++i) {
    const bool figure = std::find(figure_columns().begin(), figure_columns().end(), all[i]) != figure_columns().end();
    if (!figure || is_headline(all[i])) out.push_back(all[i]);
  }
  return out;
}

Count count_of_value(const StoredValue& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return *integer;
  if (const auto* number = std::get_if<double>(&value)) return Count::of(static_cast<Int128>(*number));
  return 0;
}

// With its unit where the column is a figure.
std::string cell_text(const std::string& column, const StoredValue& value) {
  if (!std::holds_alternative<std::nullptr_t>(value)) {
    for (const FigureRow& row : figure_rows) {
      if (column == row.name) return row.text(count_of_value(value));
    }
    if (column == "resident_bytes") return binary_scale(count_of_value(value)).text(count_of_value(value));
  }
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{:.6g}", *number);
  const std::string text = text_of(value);
  return text.substr(0, text.find('\n'));
}

void show_table(const SweepTable& table, TableQuery query, int64_t limit) {
  if (query.columns.empty()) query.columns = headline_columns(table, query);
  const std::vector<std::string> columns = table.columns_of(query);
  query.limit = limit + 1;
  std::vector<TableRow> rows;
  table.select(query, [&](const TableRow& row) { rows.push_back(row); });
  const bool more = static_cast<int64_t>(rows.size()) > limit;
  if (more) rows.pop_back();
  std::vector<Align> align;
  for (size_t i = 0; i < columns.size(); ++i) {
    const bool text = !rows.empty() && std::holds_alternative<std::string>(rows.front()[i]);
    align.push_back(text ? Align::left : Align::right);
  }
  Table out(columns, align);
  for (const TableRow& row : rows) {
    std::vector<std::string> cells;
    for (size_t i = 0; i < row.size(); ++i) cells.push_back(cell_text(columns[i], row[i]));
    out.add(std::move(cells));
  }
  print_fitted(out.markdown());
  if (more) print("\nmore rows: --limit N\n");
}

void write_value(DocumentWriter& out, const StoredValue& value) {
  std::visit([&](const auto& item) { out.value(item); }, value);
}

void show_json(const SweepTable& table, TableQuery query, int64_t limit) {
  const std::vector<std::string> columns = table.columns_of(query);
  if (query.columns.empty()) query.columns = columns;
  query.limit = limit;
  print(json_text([&](DocumentWriter& out) {
          out.map([&] {
            out.field("sweep", table.sweep());
            out.key("rows");
            out.begin_list();
            table.select(query, [&](const TableRow& row) {
              out.map([&] {
                for (size_t i = 0; i < columns.size(); ++i) {
                  out.key(columns[i]);
                  write_value(out, row[i]);
                }
              });
            });
            out.end_list();
          });
        }) +
        "\n");
}

void list_sweeps(const std::string& store) {
  Table out({"Sweep", "Configuration", "Jobs", "Stored", "Failed", "Began (UTC)", "Overrides"},
            {Align::right, Align::left, Align::right, Align::right, Align::right, Align::left, Align::left});
  for (const SweepTable::Listed& one : SweepTable::list(store)) {
    out.add({std::to_string(one.sweep), one.config_name, grouped(one.jobs), grouped(one.stored), grouped(one.failed),
             one.began, one.overrides});
  }
  print_fitted(out.markdown());
}

int show(const Arguments& arguments) {
  if (arguments.rest().size() != 2)
    throw Error(ErrorCode::usage, "sweep show takes one store: modelmeter sweep show STORE");
  const std::string& store = arguments.rest()[1];
  if (arguments.has("--list")) return list_sweeps(store), 0;
  const SweepTable table(store, static_cast<int64_t>(arguments.has("--sweep") ? count_of(arguments, "--sweep", 1) : 0));
  const TableQuery query = query_of(arguments);
  if (arguments.has("--csv")) {
    refuse_parquet(arguments.value("--csv"));
    write_csv(table, arguments.value("--csv"), query);
    note(arguments, fmt::format("table: {}", arguments.value("--csv")));
    return 0;
  }
  const auto limit = static_cast<int64_t>(count_of(arguments, "--limit", 20));
  arguments.has("--json") ? show_json(table, query, limit) : show_table(table, query, limit);
  return 0;
}

int merge(const Arguments& arguments) {
  const std::vector<std::string>& files = arguments.rest();
  if (files.size() < 3) {
    throw Error(ErrorCode::usage,
                "sweep merge takes a store and those that go into it: modelmeter sweep merge STORE SHARD ...");
  }
  for (size_t i = 2; i < files.size(); ++i) static_cast<void>(read_store(files[i]));
  SweepStore all(files[1]);
  for (size_t i = 2; i < files.size(); ++i) all.merge(files[i]);
  list_sweeps(files[1]);
  return 0;
}

}  // namespace

int sweep(const CommandLine& line) {
  const std::vector<Flag> flags = with_common(
      {{"--sort", "", "KEYS", "by which columns, the lowest first; -KEY: the highest first"},
       {"--where", "", "SQL", "which jobs: \"height > 480 and memory < 80e9\""},
       {"--pareto", "", "KEYS", "jobs that no other beats in all of them: latency,memory; -KEY: the higher"},
       {"--columns", "", "NAMES", "which columns, with commas between them"},
       {"--with", "", "NAME=SQL", "one more column: tflops=flops_full/1e12 (may be given again)"},
       {"--limit", "-n", "N", "how many rows (20)"},
       {"--sweep", "", "N", "which sweep of the store (the last one)"},
       {"--list", "", "", "the sweeps of the store instead"},
       {"--csv", "", "FILE", "write all rows to a file instead"}});
  const Arguments arguments(line, flags);
  if (arguments.has("--help") || arguments.rest().empty()) {
    print(command_help("sweep", flags));
    return arguments.has("--help") ? 0 : 2;
  }
  const std::string& what = arguments.rest()[0];
  if (what == "show") return show(arguments);
  if (what == "merge") return merge(arguments);
  throw Error(ErrorCode::usage, fmt::format("sweep {}: there are sweep show and sweep merge", what), {},
              name_notes(what, {"show", "merge"}, "commands"));
}

}  // namespace modelmeter::cli
