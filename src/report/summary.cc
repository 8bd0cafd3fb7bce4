#include "report/summary.h"

#include <fmt/format.h>

#include "base/format.h"
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

std::string totals_table(const Report& r) {
  Table table({"", "whole run", "one forward", "exact, whole run"},
              {Align::left, Align::right, Align::right, Align::right});
  for (const FigureRow& row : figure_rows) {
    const std::optional<Count> whole = row.get(r.totals);
    table.add({row.title, row.text(whole), row.text(row.get(r.per_forward)), whole ? grouped(*whole) : "-"});
  }
  table.add({"Arithmetic intensity", fmt::format("{:.1f} FLOP/B", r.totals.arithmetic_intensity()),
             fmt::format("{:.1f} FLOP/B", r.per_forward.arithmetic_intensity()), ""});
  return table.markdown();
}

std::string stages_table(const Report& r) {
  FigureTable table({"Stage"}, FigureTable::Digits::six);
  for (const StageFigures& s : r.stages) {
    table.add({s.nested_in ? fmt::format("{} (in {})", s.stage, *s.nested_in) : s.stage}, s.figures);
  }
  return table.markdown();
}

}  // namespace

std::string summary_markdown(const Report& r) {
  std::string out = fmt::format("# {}\n\n", r.report_id);
  out +=
      fmt::format("- report: {}\n- model: {}\n- workload: {}\n- runtime: {}\n- total FLOPs: {} (torch), {} (full)\n\n",
                  r.report_id, fields_line(r.model), fields_line(r.workload), fields_line(r.runtime),
                  flops_text(r.totals.flops_torch), flops_text(r.totals.flops_full));
  out += "## Totals\n\n" + totals_table(r) + "\n";
  if (r.stages.size() > 1) out += "## Stages\n\n" + stages_table(r) + "\n";
  if (r.timing) out += timing_section(r);
  out += top_tables(r, 10, 5);
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
