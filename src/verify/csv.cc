#include "verify/csv.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "base/error.h"

namespace modelmeter {
namespace {

constexpr size_t largest = size_t{1} << 31;

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

// gzread reads what is not compressed as it is.
std::string read_gzipped(const std::string& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (file == nullptr) throw Error(fmt::format("{}: cannot be read", path));
  std::string out;
  std::array<char, 65536> buffer;
  for (;;) {
    const int n = gzread(file.get(), buffer.data(), static_cast<unsigned>(buffer.size()));
    int code = Z_OK;
    gzerror(file.get(), &code);
    if (n < 0 || code == Z_BUF_ERROR) throw Error(fmt::format("{}: a broken gzip file", path));  // or one cut off
    if (n == 0) break;
    out.append(buffer.data(), static_cast<size_t>(n));
    if (out.size() > largest) throw Error(fmt::format("{}: more than 2 GiB", path));
  }
  if (out.rfind("\xFF\xFE", 0) == 0 || out.rfind("\xFE\xFF", 0) == 0) {
    throw Error(fmt::format("{}: text in UTF-16", path), {},
                {"Windows PowerShell's > writes that; let the tool write its file itself, or save it as UTF-8"});
  }
  if (out.rfind("\xEF\xBB\xBF", 0) == 0) out.erase(0, 3);  // a byte order mark
  return out;
}

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
