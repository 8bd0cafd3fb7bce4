// Tables as CSV (RFC 4180), gzipped or not.
#pragma once

#include <string>
#include <vector>

namespace modelmeter {

class CsvTable {
 public:
  // Error where the file cannot be read.
  explicit CsvTable(const std::string& path);
  // Of text from there.
  CsvTable(std::string path, const std::string& text);

  const std::vector<std::string>& columns() const { return rows_.front(); }

  size_t rows() const { return rows_.empty() ? 0 : rows_.size() - 1; }
  bool has(const std::string& column) const;
  // The cell of a row, counted from 0; "" where the file has no such column. Error for a row that is too short.
  const std::string& text(size_t row, const std::string& column) const;
  // The same as a number; 0 where it is empty. Error naming file, row and column for what is none.
  double number(size_t row, const std::string& column) const;
  // Error naming the first that is not there.
  void expect_columns(const std::vector<std::string>& columns, const std::string& what) const;

 private:
  std::string path_;
  std::vector<std::vector<std::string>> rows_;  // the header first
};

}  // namespace modelmeter
