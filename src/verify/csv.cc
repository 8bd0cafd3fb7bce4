#include "verify/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "base/gzip.h"

namespace modelmeter {
namespace {

using CsvRow = std::vector<std::string>;

// RFC 4180: quotes double within quotes, lines may break there.
std::vector<CsvRow> parse_csv(const std::string& text) {
  std::vector<CsvRow> rows(1, CsvRow(1));
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    std::string& cell = rows.back().back();
    if (quoted) {
      if (c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
        cell += text[++i];
      } else if (c == '"') {
        quoted = false;
      } else {
        cell += c;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      rows.back().emplace_back();
    } else if (c == '\n') {
      const bool blank = rows.back().size() == 1 && cell.empty();
      if (!blank) rows.emplace_back(1);
    } else if (c != '\r') {
      cell += c;
    }
  }
  if (rows.back().size() == 1 && rows.back()[0].empty()) rows.pop_back();
  return rows;
}

}  // namespace

CsvTable::CsvTable(const std::string& path) : CsvTable(path, read_gzipped(path)) {}

CsvTable::CsvTable(std::string path, const std::string& text) : path_(std::move(path)), rows_(parse_csv(text)) {}

bool CsvTable::has(const std::string& column) const {
  return !rows_.empty() && std::find(rows_[0].begin(), rows_[0].end(), column) != rows_[0].end();
}

const std::string& CsvTable::text(size_t row, const std::string& column) const {
  static const std::string none;
  if (!has(column)) return none;
  const auto at = static_cast<size_t>(std::find(rows_[0].begin(), rows_[0].end(), column) - rows_[0].begin());
  const CsvRow& cells = rows_.at(row + 1);
  if (at >= cells.size()) {
    throw Error(fmt::format("{}: row {}: {} cells, the header has {}", path_, row + 1, cells.size(), rows_[0].size()));
  }
  return cells[at];
}

double CsvTable::number(size_t row, const std::string& column) const {
  const std::string& cell = text(row, column);
  if (cell.empty()) return 0;
  char* end = nullptr;
  const double value = std::strtod(cell.c_str(), &end);
  if (*end != '\0' || !std::isfinite(value))
    throw Error(fmt::format("{}: row {}: {} is no number: '{}'", path_, row + 1, column, cell));
  return value;
}

void CsvTable::expect_columns(const std::vector<std::string>& columns, const std::string& what) const {
  for (const std::string& column : columns) {
    if (has(column)) continue;
    std::string all;
    for (const std::string& name : columns) all += (all.empty() ? "" : ", ") + name;
    throw Error(fmt::format("{}: no column '{}'", path_, column), {},
                {fmt::format("{} has the columns {}", what, all)});
  }
}

}  // namespace modelmeter
