#include "report/memory_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/format.h"

namespace modelmeter {
namespace {

// What one column shows: the highest op of those that it stands for.
struct ChartColumn {
  int64_t live = 0, held = 0;
  bool peak = false;
};

// A stage is as wide as the square root of its number of ops: a long one leaves room for the short.
std::vector<int> columns_of_stages(const MemoryReport& r, int width) {
  double sum = 0;
  for (const StageMemory& s : r.stages) sum += std::sqrt(static_cast<double>(s.live.size()));
  std::vector<int> out;
  for (const StageMemory& s : r.stages) {
    const double share = sum > 0 ? std::sqrt(static_cast<double>(s.live.size())) / sum : 0;
    out.push_back(std::max(1, static_cast<int>(share * width)));
  }
  return out;
}

std::vector<ChartColumn> columns_of(const StageMemory& s, int count, bool has_peak) {
  std::vector<ChartColumn> out(static_cast<size_t>(count));
  const size_t ops = s.live.size();
  for (size_t i = 0; i < ops; ++i) {
    ChartColumn& column = out[i * out.size() / ops];
    if (s.live[i] > column.live) column = {s.live[i], s.held[i], column.peak};
    if (has_peak && s.first_op + static_cast<int32_t>(i) == s.peak.index) column.peak = true;
  }
  // More columns than ops: what was reached stays.
  for (size_t c = 1; c < out.size(); ++c) {
    if (out[c].live == 0) out[c] = {out[c - 1].live, out[c - 1].held, false};
  }
  return out;
}

// From what the rows go up to what.
struct Axis {
  int64_t base, top;
  int rows;
  int64_t at(int row) const { return base + (top - base) / rows * row + (top - base) % rows * row / rows; }
  // Whether the row is filled up to `bytes`.
  bool reaches(int64_t bytes, int row) const {
    return static_cast<double>(bytes - base) * rows >
           (static_cast<double>(row) - 0.5) * static_cast<double>(top - base);
  }
};

// It begins at what is held throughout, where that is a large part.
Axis axis_of(const std::vector<ChartColumn>& columns, int64_t top, int rows) {
  int64_t base = top;
  for (const ChartColumn& c : columns) base = std::min(base, c.held);
  if (base < top / 4 || base == top) base = 0;
  return {base, top, rows};
}

}  // namespace

std::string memory_chart(const MemoryReport& r, ChartSize size) {
  const int64_t top = std::max<int64_t>(r.peak().live_bytes(), 1);
  const std::vector<int> counts = columns_of_stages(r, size.width);
  std::vector<ChartColumn> columns;
  std::string axis, legend;
  for (size_t i = 0; i < r.stages.size(); ++i) {
    const StageMemory& s = r.stages[i];
    const std::vector<ChartColumn> own = columns_of(s, counts[i], i == r.peak_stage);
    columns.insert(columns.end(), own.begin(), own.end());
    const char letter = static_cast<char>('a' + i % 26);
    axis += letter + std::string(static_cast<size_t>(counts[i] - 1), '-');
    legend += fmt::format(
        "  {}  {}: {}, {}{}\n", letter, s.id,
        s.live.empty() ? "no ops"
                       : fmt::format("ops {} to {}", s.first_op, s.first_op + static_cast<int32_t>(s.live.size()) - 1),
        s.forwards == 1 ? "once" : fmt::format("{} times", s.forwards),
        s.residents.on_device ? "" : ", not on the device");
  }
  const Axis values = axis_of(columns, top, size.height);
  const Scale scale = binary_scale(top);
  std::string out;
  for (int row = size.height; row >= 1; --row) {
    std::string line;
    for (const ChartColumn& c : columns)
      line += values.reaches(c.held, row) ? ':' : values.reaches(c.live, row) ? '#' : ' ';
    line.erase(line.find_last_not_of(' ') + 1);
    out += fmt::format("{:>11} |{}\n", scale.text(values.at(row)), line);
  }
  std::string mark;
  for (const ChartColumn& c : columns) mark += c.peak ? '^' : ' ';
  mark.erase(mark.find_last_not_of(' ') + 1);
  out += fmt::format("{:>11} +{}\n", values.base == 0 ? "0" : scale.text(values.base), axis);
  if (!mark.empty()) out += fmt::format("{:>11}  {} peak\n", "", mark);
  out +=
      fmt::format("\n  # activations   : weights and inputs   {} ops recorded of {} run: what repeats is drawn once\n",
                  grouped(r.ops_recorded), grouped(r.ops_run));
  if (values.base > 0)
    out += fmt::format("  the axis begins at the {} that are there throughout\n", scale.text(values.base));
  return out + legend;
}

}  // namespace modelmeter
