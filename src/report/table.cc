#include "report/table.h"

#include <algorithm>

namespace modelmeter {

std::string Table::markdown() const {
  std::vector<size_t> widths(align_.size(), 3);
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  const auto line = [&](const std::vector<std::string>& row) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - row[i].size(), ' ');
      out += "| " + (align_[i] == Align::right ? space + row[i] : row[i] + space) + " ";
    }
    out += "|\n";
  };
  line(rows_.front());
  for (size_t i = 0; i < widths.size(); ++i) {
    out += align_[i] == Align::right ? "| " + std::string(widths[i] - 1, '-') + ": "
                                     : "| " + std::string(widths[i], '-') + " ";
  }
  out += "|\n";
  for (size_t r = 1; r < rows_.size(); ++r) line(rows_[r]);
  return out;
}

}  // namespace modelmeter
