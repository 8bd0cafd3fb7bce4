#include "report/summary.h"

#include <fmt/format.h>

#include "base/format.h"
#include "report/table.h"
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
  const auto row = [&](const char* name, std::string (*text_of)(Count), Count Figures::* figure) {
    table.add({name, text_of(r.totals.*figure), text_of(r.per_forward.*figure), grouped(r.totals.*figure)});
  };
  row("FLOPs (torch)", flops_text, &Figures::flops_torch);
  row("FLOPs (full)", flops_text, &Figures::flops_full);
  row("- tensor", flops_text, &Figures::flops_tensor);
  row("- vector", flops_text, &Figures::flops_vector);
  row("Bytes read", bytes_text, &Figures::bytes_read);
  row("Bytes written", bytes_text, &Figures::bytes_written);
  table.add({"Arithmetic intensity", fmt::format("{:.1f} FLOP/B", r.totals.arithmetic_intensity()),
             fmt::format("{:.1f} FLOP/B", r.per_forward.arithmetic_intensity()), ""});
  row("Kernels", grouped, &Figures::kernels);
  row("Parameters", grouped, &Figures::parameters);
  row("Weights", bytes_text, &Figures::weight_bytes);
  row("Activation peak", bytes_text, &Figures::activation_peak_bytes);
  row("KV cache", bytes_text, &Figures::kv_cache_bytes);
  const Count peak = r.totals.peak_live_bytes.value_or(0);
  table.add(
      {"Peak live memory", bytes_text(peak), bytes_text(r.per_forward.peak_live_bytes.value_or(0)), grouped(peak)});
  return table.markdown();
}

std::string stages_table(const Report& r) {
  Table table({"Stage", "FLOPs (torch)", "Bytes moved", "Kernels", "Weights", "KV cache", "Activation peak"},
              {Align::left, Align::right, Align::right, Align::right, Align::right, Align::right, Align::right});
  for (const StageFigures& s : r.stages) {
    const Figures& f = s.figures;
    table.add({s.nested_in ? fmt::format("{} (in {})", s.stage, *s.nested_in) : s.stage, flops_text(f.flops_torch),
               bytes_text(f.io_bytes()), grouped(f.kernels), bytes_text(f.weight_bytes), bytes_text(f.kv_cache_bytes),
               bytes_text(f.activation_peak_bytes)});
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
