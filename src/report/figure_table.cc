#include "report/figure_table.h"

#include <algorithm>
#include <string_view>

#include "base/format.h"

namespace modelmeter {

Scale scale_of(const FigureRow& row, const std::vector<Figures>& all) {
  Count largest = 0;
  for (const Figures& f : all) largest = std::max(largest, row.get(f).value_or(0));
  return scale_of(row.unit, largest);
}

std::string title_of(const FigureRow& row, const Scale& scale) {
  std::string title = row.title;
  if (scale.unit.empty()) return title;
  for (const char* counted : {"FLOPs ", "Bytes "}) {
    const std::string_view word(counted);
    if (title.compare(0, word.size(), word) == 0) return scale.unit + title.substr(word.size() - 1);
  }
  return title + ", " + scale.unit;
}

std::string FigureTable::markdown() const {
  std::vector<const FigureRow*> shown;
  std::vector<Scale> scales;
  std::vector<std::string> titles = before_;
  std::vector<Align> align(before_.size(), Align::left);
  for (const FigureRow& row : figure_rows) {
    const bool stands =
        std::any_of(figures_.begin(), figures_.end(), [&](const Figures& f) { return row.get(f).value_or(0) != 0; });
    if (!row.column || !stands) continue;
    shown.push_back(&row);
    scales.push_back(digits_ == Digits::few ? scale_of(row, figures_) : scale_of(row.unit, 0));
    titles.push_back(title_of(row, scales.back()));
  }
  titles.insert(titles.end(), after_.begin(), after_.end());
  align.resize(titles.size(), Align::right);
  Table table(std::move(titles), std::move(align));
  for (size_t i = 0; i < rows_.size(); ++i) {
    std::vector<std::string> cells = rows_[i].before;
    for (size_t c = 0; c < shown.size(); ++c) {
      const std::optional<Count> value = shown[c]->get(figures_[i]);
      cells.push_back(value ? scales[c].number(*value) : "-");
    }
    cells.insert(cells.end(), rows_[i].after.begin(), rows_[i].after.end());
    table.add(std::move(cells));
  }
  return table.markdown();
}

}  // namespace modelmeter
