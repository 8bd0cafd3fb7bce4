// The jobs of one sweep as a table: asked of its store, row by row, in SQL's own words.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "database/database.h"

namespace modelmeter {

struct TableQuery {
  std::vector<std::string> columns;                              // none: the job, its axes, and what has values
  std::vector<std::pair<std::string, std::string>> expressions;  // more columns: name, and SQL over the others
  std::string where;                                             // SQL
  std::vector<std::string> sort;                                 // columns; "-flops": the highest first
  std::vector<std::string> pareto;                               // columns to keep low, "-mfu": high
  int64_t limit = -1;                                            // rows; -1: all
};

using TableRow = std::vector<StoredValue>;

// Names of columns may be brief: the last part of an axis ("height" for workload.height), "latency", "memory", "flops".
// Full ones end in their unit: latency_s, peak_live_bytes, joules, usd. A wrong one is an error with a did-you-mean,
// in SQL too.
class SweepTable {
 public:
  // sweep: its number in the store; 0: the last one. Error where there is none.
  SweepTable(const std::string& store, int64_t sweep);

  int64_t sweep() const { return sweep_; }
  const std::vector<std::string>& columns() const { return columns_; }  // all of them
  size_t axes() const { return axes_; }                                 // they stand behind the job
  // Those that a query gives.
  std::vector<std::string> columns_of(const TableQuery& query) const;
  // Rows one by one; with `pareto` those that no other is below in every one of its columns.
  void select(const TableQuery& query, const std::function<void(const TableRow&)>& visit) const;
  // Error with a did-you-mean.
  const std::string& column(const std::string& name) const;

  struct Listed {
    int64_t sweep = 0, jobs = 0, stored = 0, failed = 0;
    std::string config_name, overrides, began;
  };
  static std::vector<Listed> list(const std::string& store);

 private:
  std::string source(const TableQuery& query) const;
  std::vector<std::string> column_notes(const std::string& name) const;
  [[noreturn]] void rethrow(const Error& error) const;
  Statement prepare(const std::string& sql) const;
  std::vector<std::string> filled_columns() const;

  Database database_;
  int64_t sweep_;
  std::vector<std::string> columns_;
  size_t axes_ = 0;
};

// All of it, in the order of the jobs; commas and quotes as RFC 4180 has them.
void write_csv(const SweepTable& table, const std::string& path, const TableQuery& query = {});

// "": null.
std::string text_of(const StoredValue& value);

}  // namespace modelmeter
