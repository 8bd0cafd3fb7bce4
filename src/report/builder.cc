#include "report/builder.h"

#include <fmt/format.h>

#include "base/error.h"

namespace modelmeter {
namespace {

double per(int64_t value, double unit) { return static_cast<double>(value) / unit; }

double share(int64_t part, int64_t whole) { return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole); }

Figures figures(const Cost& cost) {
  Figures f;
  f.kernels = cost.kernels;
  f.flops_torch = cost.flops_torch();
  f.flops_full = cost.flops_full();
  f.flops_tensor = cost.flops_tensor;
  f.flops_vector = cost.flops_vector;
  f.bytes_read = cost.bytes_read;
  f.bytes_written = cost.bytes_written;
  return f;
}

Figures figures(const StageCost& stage) {
  Figures f = figures(stage.cost);
  f.parameters = stage.parameters;
  f.weight_bytes = stage.weight_bytes;
  f.activation_peak_bytes = stage.activation_peak_bytes;
  f.kv_cache_bytes = stage.kv_cache_bytes;
  f.peak_live_bytes = stage.peak_live_bytes;
  return f;
}

class ReportBuilder {
 public:
  ReportBuilder(const AnalyticModel& model, Report& report) : names_(model.names()), model_(model), report_(report) {}

  void add(const ModuleTreeNode& node, int64_t total_flops) {
    report_.modules.push_back(module(node));
    report_.module_metrics.push_back(snapshot(node, total_flops));
    for (const auto& child : node.children) add(*child, total_flops);
  }

 private:
  AnalyticModuleNode module(const ModuleTreeNode& node) const {
    AnalyticModuleNode out;
    out.module_id = node.id;
    out.name = node.name;
    out.qualified_class_name = qualified(node);
    out.stage = node.stage;
    if (node.parent != nullptr) out.parent_id = node.parent->id;
    for (const auto& child : node.children) out.children.push_back(child->id);
    if (node.list_count > 0) {
      out.repetition = "for";
      out.repetition_count = node.list_count;
    }
    if (node.layer != nullptr) out.constructor_params = node.layer->constructor_params();
    return out;
  }

  std::string qualified(const ModuleTreeNode& node) const {
    static const std::vector<std::string> builtin = {"Linear", "Conv2d", "Conv3d",    "LayerNorm", "RMSNorm",
                                                     "GELU",   "SiLU",   "Embedding", "Sequential"};
    if (node.parent == nullptr) return "modelmeter." + node.klass;
    if (node.klass.empty()) return node.leaf() ? "modelmeter.Function" : "modelmeter.ModuleGroup";
    for (const std::string& name : builtin) {
      if (name == node.klass && !(name == "GELU" && !node.leaf())) return "torch.nn." + name;
    }
    return names_.class_prefix + node.klass;
  }

  ModuleMetricsSnapshot snapshot(const ModuleTreeNode& node, int64_t total_flops) const {
    ModuleMetricsSnapshot out;
    out.module_id = node.id;
    out.profile_id = model_.profile_id();
    out.calls = node.calls / node.copies;
    out.exact = figures(node.cost);
    out.exact.parameters = node.parameters;
    out.exact.weight_bytes = node.weight_bytes;
    out.exact.activation_peak_bytes = node.peak_live;
    out.total_flops_tflops = per(out.exact.flops_torch, 1e12);
    out.total_io_tb = per(out.exact.io_bytes(), 1e12);
    out.memory_weights_gb = per(node.weight_bytes, 1e9);
    out.memory_activations_gb = per(node.peak_live, 1e9);
    out.share_of_model_time = node.parent == nullptr ? 1.0 : share(out.exact.flops_torch, total_flops);
    for (const OperatorCategory& category : report_.operator_categories) {
      const auto found = node.by_category.find(category.id);
      if (found == node.by_category.end()) continue;
      const Cost& cost = found->second;
      out.operator_breakdown.push_back({category.id, cost.kernels, per(cost.flops_torch(), 1e12), per(cost.bytes(), 1e12),
                                        share(cost.flops_torch(), out.exact.flops_torch)});
    }
    return out;
  }

  const ReportNames names_;
  const AnalyticModel& model_;
  Report& report_;
};

}  // namespace

Report build_report(const AnalyticModel& model, const std::string& report_id, const ModuleTreeOptions& options) {
  Report report;
  report.report_id = report_id;
  report.family = model.family();
  report.model = model.model_fields();
  report.workload = model.workload_fields();
  report.runtime = model.runtime_fields();
  report.notes = model.notes();
  report.operator_categories = model.categories();

  Tracer tracer;
  model.trace_forward(tracer);
  report.per_forward = figures(model.cost_of_trace(tracer.trace(), roll_up(tracer.trace())));

  tracer.clear();
  model.trace(tracer);
  const Rollup rollup = roll_up(tracer.trace());
  report.totals = figures(model.cost_of_trace(tracer.trace(), rollup));
  const auto tree = module_tree(model, tracer.trace(), rollup, options);
  if (!(tree->cost == rollup.total()) || tree->weight_bytes != report.totals.weight_bytes) {
    throw Error(ErrorCode::internal,
                fmt::format("the modules of the report do not add up to its totals: weights {} of {}, kernels {} of {}",
                            tree->weight_bytes, report.totals.weight_bytes, tree->cost.kernels, report.totals.kernels));
  }
  ReportBuilder(model, report).add(*tree, report.totals.flops_torch);
  return report;
}

}  // namespace modelmeter
