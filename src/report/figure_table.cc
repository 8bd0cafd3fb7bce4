#include "report/figure_table.h"

#include <utility>

#include "base/format.h"

namespace modelmeter {
namespace {

Table empty(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  std::vector<std::string> titles = before;
  std::vector<Align> align(before.size(), Align::left);
  for (const FigureRow& row : figure_rows) {
    if (row.column) titles.emplace_back(row.title);
  }
  titles.insert(titles.end(), after.begin(), after.end());
  align.resize(titles.size(), Align::right);
  return Table(std::move(titles), std::move(align));
}

}  // namespace

FigureTable::FigureTable(const std::vector<std::string>& before, Digits digits, const std::vector<std::string>& after)
    : digits_(digits), table_(empty(before, after)) {}

void FigureTable::add(std::vector<std::string> before, const Figures& figures, const std::vector<std::string>& after) {
  for (const FigureRow& row : figure_rows) {
    if (!row.column) continue;
    const std::optional<Count> value = row.get(figures);
    before.push_back(digits_ == Digits::all && value ? grouped(*value) : row.text(value));
  }
  before.insert(before.end(), after.begin(), after.end());
  table_.add(std::move(before));
}

}  // namespace modelmeter
