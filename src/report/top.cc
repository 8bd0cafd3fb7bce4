#include "report/top.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/format.h"
#include "base/json_writer.h"
#include "report/table.h"

namespace modelmeter {

std::vector<const ModuleMetricsSnapshot*> top_leaves(const Report& report, size_t most) {
  std::set<std::string> leaves;
  for (const AnalyticModuleNode& node : report.modules) {
    if (node.children.empty()) leaves.insert(node.module_id);
  }
  std::vector<const ModuleMetricsSnapshot*> out;
  for (const ModuleMetricsSnapshot& snapshot : report.module_metrics) {
    if (leaves.count(snapshot.module_id) > 0) out.push_back(&snapshot);
  }
  std::sort(out.begin(), out.end(), [](const ModuleMetricsSnapshot* a, const ModuleMetricsSnapshot* b) {
    if (a->exact.flops_torch != b->exact.flops_torch) return a->exact.flops_torch > b->exact.flops_torch;
    return a->module_id < b->module_id;
  });
  if (out.size() > most) out.resize(most);
  return out;
}

std::vector<OperatorMetrics> top_categories(const Report& report, size_t most) {
  const std::vector<const ModuleMetricsSnapshot*> leaves = top_leaves(report, report.modules.size());
  std::vector<OperatorMetrics> out;
  double all = 0;
  for (const OperatorCategory& category : report.operator_categories) {
    OperatorMetrics sum{category.id};
    for (const ModuleMetricsSnapshot* leaf : leaves) {
      for (const OperatorMetrics& m : leaf->operator_breakdown) {
        if (m.category_id != category.id) continue;
        sum.calls += m.calls;
        sum.flops_tflops += m.flops_tflops;
        sum.io_tb += m.io_tb;
      }
    }
    all += sum.flops_tflops;
    if (sum.calls > 0) out.push_back(sum);
  }
  for (OperatorMetrics& m : out) m.share_of_module_flops = all > 0 ? m.flops_tflops / all : 0;
  std::sort(out.begin(), out.end(), [](const OperatorMetrics& a, const OperatorMetrics& b) {
    if (a.flops_tflops != b.flops_tflops) return a.flops_tflops > b.flops_tflops;
    return a.category_id < b.category_id;
  });
  if (out.size() > most) out.resize(most);
  return out;
}

std::string top_tables(const Report& r, size_t layers, size_t categories) {
  const double total = static_cast<double>(r.totals.flops_torch);
  const auto share = [&](double flops) { return percent_text(total > 0 ? flops / total : 0); };
  Table leaves({"Layer", "FLOPs (torch)", "Share", "Bytes moved", "Calls"},
               {Align::left, Align::right, Align::right, Align::right, Align::right});
  for (const ModuleMetricsSnapshot* s : top_leaves(r, layers)) {
    leaves.add({s->module_id, flops_text(s->exact.flops_torch), share(static_cast<double>(s->exact.flops_torch)),
                bytes_text(s->exact.bytes_moved), grouped(s->calls)});
  }
  Table kinds({"Category", "FLOPs (torch)", "Share", "Bytes moved"},
              {Align::left, Align::right, Align::right, Align::right});
  for (const OperatorMetrics& m : top_categories(r, categories)) {
    kinds.add({m.category_id, fmt::format("{:.3f} TFLOP", m.flops_tflops), share(m.flops_tflops * 1e12),
               fmt::format("{:.3f} TB", m.io_tb)});
  }
  return fmt::format("## Top {} layers\n\n{}\n## Top {} categories\n\n{}", layers, leaves.markdown(), categories,
                     kinds.markdown());
}

std::string top_json(const Report& r, size_t layers, size_t categories) {
  return json_text([&](DocumentWriter& out) {
    out.map([&] {
      out.field("report_id", r.report_id);
      out.list("layers", top_leaves(r, layers), [&](const ModuleMetricsSnapshot* s) {
        out.map([&] {
          out.field("module_id", s->module_id);
          out.field("flops_torch", s->exact.flops_torch);
          out.field("share", s->share_of_model_flops);
          out.field("bytes_moved", s->exact.bytes_moved);
          out.field("calls", s->calls);
        });
      });
      out.list("categories", top_categories(r, categories), [&](const OperatorMetrics& m) {
        out.map([&] {
          out.field("category_id", m.category_id);
          out.field("flops_tflops", m.flops_tflops);
          out.field("share", m.share_of_module_flops);
          out.field("io_tb", m.io_tb);
        });
      });
    });
  });
}

}  // namespace modelmeter
