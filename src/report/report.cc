#include "report/report.h"

#include <algorithm>
#include <set>

namespace modelmeter {

Count Figures::io_bytes() const { return bytes_read.plus(bytes_written, "the number of bytes moved"); }

double Figures::arithmetic_intensity() const {
  const Count moved = io_bytes();
  return moved == 0 ? 0.0 : static_cast<double>(flops_full) / static_cast<double>(moved);
}

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
  std::vector<OperatorMetrics> out;
  double all = 0;
  for (const OperatorCategory& category : report.operator_categories) {
    OperatorMetrics sum{category.id};
    for (const ModuleMetricsSnapshot* leaf : top_leaves(report, report.modules.size())) {
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

}  // namespace modelmeter
