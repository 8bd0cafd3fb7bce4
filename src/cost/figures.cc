#include "cost/figures.h"

#include <algorithm>

namespace modelmeter {

double Figures::arithmetic_intensity() const {
  return bytes_moved == 0 ? 0.0 : static_cast<double>(flops_full) / static_cast<double>(bytes_moved);
}

void FigureRow::set(Figures& f, std::optional<Count> value) const {
  if (known != nullptr) {
    f.*known = value.value_or(0);
  } else {
    f.*maybe = value;
  }
}

Scale scale_of(Unit unit, Count largest) {
  switch (unit) {
    case Unit::flop: return decimal_scale(largest, "FLOP");
    case Unit::byte: return decimal_scale(largest, "B");
    case Unit::memory: return binary_scale(largest);
    case Unit::count: break;
  }
  return {};
}

std::string FigureRow::text(std::optional<Count> value) const {
  return value ? scale_of(unit, *value).text(*value) : "-";
}

std::string FigureRow::text(std::optional<Count> value, const Scale& scale) const {
  return value ? scale.text(*value) : "-";
}

Figures figures_of(const Cost& cost) {
  Figures out;
  for (const FigureRow& row : figure_rows) {
    if (row.of != nullptr) row.set(out, row.of(cost));
  }
  return out;
}

void add(Figures& whole, const Figures& part) {
  for (const FigureRow& row : figure_rows) {
    const std::optional<Count> a = row.get(whole), b = row.get(part);
    if (!b) continue;
    row.set(whole, !a ? *b : row.additive ? a->plus(*b, row.name) : std::max(*a, *b));
  }
}

bool operator==(const Figures& a, const Figures& b) {
  return std::all_of(std::begin(figure_rows), std::end(figure_rows),
                     [&](const FigureRow& row) { return row.get(a) == row.get(b); });
}

}  // namespace modelmeter
