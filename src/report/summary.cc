#include "report/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/format.h"
#include "report/communication.h"
#include "report/figure_table.h"
#include "report/table.h"
#include "report/timing_text.h"
#include "report/top.h"

namespace modelmeter {
namespace {

std::string fields_line(const Fields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    const std::string shown = text_of(value);
    if (!shown.empty()) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, shown);
  }
  return out;
}

// Figures of one kind stand in one unit, that of the largest of the whole run.
std::map<Unit, Scale> scales_of_totals(const Report& r) {
  std::map<Unit, Count> largest;
  for (const FigureRow& row : figure_rows) {
    largest[row.unit] = std::max(largest[row.unit], row.get(r.totals).value_or(0));
  }
  std::map<Unit, Scale> out;
  for (const auto& [unit, count] : largest) out[unit] = scale_of(unit, count);
  return out;
}

// Whether the run is forwards of one model, so that there is such a thing as one forward.
bool is_one_model(const Report& r) {
  const auto is_stage = [&](const AnalyticModuleNode& m) { return m.parent_id == r.modules.front().module_id; };
  return r.stages.size() == 1 && std::count_if(r.modules.begin(), r.modules.end(), is_stage) == 1;
}

std::string totals_table(const Report& r) {
  const std::map<Unit, Scale> scales = scales_of_totals(r);
  Table table({"", "whole run", is_one_model(r) ? "one forward" : "each model once", "exact, whole run"},
              {Align::left, Align::right, Align::right, Align::right});
  for (const FigureRow& row : figure_rows) {
    const std::optional<Count> whole = row.get(r.totals);
    const Scale& scale = scales.at(row.unit);
    table.add(
        {row.title, row.text(whole, scale), row.text(row.get(r.per_forward), scale), whole ? grouped(*whole) : "-"});
  }
  table.add({"Arithmetic intensity", fmt::format("{:.1f} FLOP/B", r.totals.arithmetic_intensity()),
             fmt::format("{:.1f} FLOP/B", r.per_forward.arithmetic_intensity()), ""});
  return table.markdown();
}

std::string stages_table(const Report& r) {
  FigureTable table({"Stage"}, FigureTable::Digits::few);
  for (const StageFigures& s : r.stages) {
    table.add({s.nested_in ? fmt::format("{} (in {})", s.stage, *s.nested_in) : s.stage}, s.figures);
  }
  return table.markdown();
}

}  // namespace

std::string summary_markdown(const Report& r) {
  const Scale flops = scales_of_totals(r).at(Unit::flop);
  std::string out = fmt::format("# {}\n\n", r.report_id);
  out +=
      fmt::format("- report: {}\n- model: {}\n- workload: {}\n- runtime: {}\n- total FLOPs: {} (torch), {} (full)\n\n",
                  r.report_id, fields_line(r.model), fields_line(r.workload), fields_line(r.runtime),
                  flops.text(r.totals.flops_torch), flops.text(r.totals.flops_full));
  out += "## Totals\n\n" + totals_table(r) + "\n";
  if (r.stages.size() > 1) out += "## Stages\n\n" + stages_table(r) + "\n";
  if (r.timing) out += timing_section(r);
  if (!r.communication.empty()) out += communication_section(r);
  out += top_tables(r, {10, 5}, default_rank_keys());
  if (!r.notes.empty()) {
    out += "\n## Notes\n\n";
    for (const std::string& note : r.notes) out += "- " + note + "\n";
  }
  out +=
      "\nFLOPs (torch): matrix products, convolutions and attention, as torch.utils.flop_counter counts. FLOPs (full): "
      "all arithmetic. Layers that repeat are counted with all their repetitions.\n";
  return out;
}

}  // namespace modelmeter
