#include "report/builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/format.h"
#include "report/communication.h"
#include "report/qualified_name.h"
#include "report/timing.h"

namespace modelmeter {
namespace {

double per(Count value, double unit) { return static_cast<double>(value) / unit; }

double share(Count part, Count whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

Figures figures_of(const StageCost& stage) {
  Figures out = figures_of(stage.cost);
  out.parameters = stage.parameters;
  out.weight_bytes = stage.weight_bytes;
  out.activation_peak_bytes = stage.activation_peak_bytes;
  out.kv_cache_bytes = stage.kv_cache_bytes;
  out.peak_live_bytes = stage.peak_live_bytes;
  return out;
}

class ReportBuilder {
 public:
  ReportBuilder(const AnalyticModel& model, const Trace& trace, Report& report)
      : names_(model.names()), model_(model), report_(report) {
    for (const Residence& r : trace.residences) {
      resident_[std::string(trace.scopes[static_cast<size_t>(r.scope)].name)] = r.given_bytes;
    }
  }

  void add(const ModuleTreeNode& node, Count total_flops) {
    report_.modules.push_back(module(node));
    if (node.leaf() || !names_.leaf_snapshots_only) report_.module_metrics.push_back(snapshot(node, total_flops));
    if (node.leaf()) add_to_stage(node, node.stage);
    for (const auto& child : node.children) add(*child, total_flops);
  }

 private:
  // Adds a leaf to its stage, and to the stage that this one is nested in.
  void add_to_stage(const ModuleTreeNode& leaf, const std::string& name) {
    std::optional<std::string> nested_in;
    for (const auto& [inner, outer] : names_.nested_stages) {
      if (inner == name) nested_in = outer;
    }
    StageFigures* stage = nullptr;
    for (StageFigures& known : report_.stages) {
      if (known.stage == name) stage = &known;
    }
    if (stage == nullptr) stage = &report_.stages.emplace_back(StageFigures{name, nested_in, {}});
    Figures part = figures_of(leaf);
    part.parameters = leaf.used_parameters;
    part.weight_bytes = leaf.used_weight_bytes;
    if (const auto found = resident_.find(leaf.origin); found != resident_.end()) {
      part.peak_live_bytes = Count(found->second) + leaf.peak_live;
    }
    modelmeter::add(stage->figures, part);
    if (nested_in) add_to_stage(leaf, *nested_in);
  }

  AnalyticModuleNode module(const ModuleTreeNode& node) const {
    AnalyticModuleNode out;
    out.module_id = node.id;
    out.name = node.name;
    out.qualified_class_name = qualified(node);
    out.stage = node.stage;
    if (node.parent != nullptr) out.parent_id = node.parent->id;
    for (const auto& child : node.children) out.children.push_back(child->id);
    if (node.list_count > 1 && !told_above(node)) {
      out.repetition = "for";
      out.repetition_count = node.list_count;
    }
    out.constructor_params = node.layer != nullptr ? node.layer->constructor_params() : node.group_params;
    if (told_above(node)) out.constructor_params.emplace_back("layers", node.list_count);
    return out;
  }

  // Whether a group above says how often its modules are there, this one among them.
  static bool told_above(const ModuleTreeNode& node) {
    if (node.list_count == 0 || node.layer == nullptr) return false;
    for (const ModuleTreeNode* at = node.parent; at != nullptr && at->layer == nullptr; at = at->parent) {
      if (at->list_count > 0) return true;
    }
    return false;
  }

  std::string qualified(const ModuleTreeNode& node) const {
    if (node.parent == nullptr) return "modelmeter." + node.klass;
    if (node.klass.empty()) return node.leaf() ? "modelmeter.Function" : "modelmeter.ModuleGroup";
    return qualified_class_name(names_, node.klass, node.origin, node.leaf());
  }

  ModuleMetricsSnapshot snapshot(const ModuleTreeNode& node, Count total_flops) const {
    ModuleMetricsSnapshot out;
    out.module_id = node.id;
    out.profile_id = model_.profile_id();
    // Of experts, which take turns, the mean; of what ran, 1 at least.
    out.calls = node.calls == 0 ? 0 : std::max<int64_t>((node.calls + node.copies / 2) / node.copies, 1);
    out.exact = figures_of(node);
    out.share_of_model_flops = node.parent == nullptr ? 1.0 : share(out.exact.flops_torch, total_flops);
    for (const OperatorCategory& category : report_.operator_categories) {
      const auto found = node.by_category.find(category.id);
      if (found == node.by_category.end()) continue;
      const Cost& cost = found->second;
      out.operator_breakdown.push_back({category.id, cost.kernels, per(cost.flops_torch(), 1e12),
                                        per(cost.bytes(), 1e12), share(cost.flops_torch(), out.exact.flops_torch)});
    }
    return out;
  }

  const ReportNames names_;
  const AnalyticModel& model_;
  Report& report_;
  std::map<std::string, int64_t> resident_;  // weights and inputs, by the stage's id
};

// The last so many parts of an id: "self_attn/core" of 2.
std::string last_parts(const std::string& id, size_t parts) {
  size_t at = id.size();
  for (size_t i = 0; i < parts && at != std::string::npos; ++i)
    at = at == 0 ? std::string::npos : id.rfind('/', at - 1);
  return at == std::string::npos ? id : id.substr(at + 1);
}

// A name is as much of the end of an id as no other module's ends with: "norm1", but "mlp/0" and "time_embedding/0".
void qualify_names(std::vector<AnalyticModuleNode>& modules) {
  std::map<std::string, int64_t> ending;
  for (const AnalyticModuleNode& module : modules) {
    std::string shorter;
    for (size_t parts = 1; shorter != module.module_id; ++parts) {
      shorter = last_parts(module.module_id, parts);
      ++ending[shorter];
    }
  }
  for (AnalyticModuleNode& module : modules) {
    size_t parts = 1;
    while (ending[last_parts(module.module_id, parts)] > 1 && last_parts(module.module_id, parts) != module.module_id)
      ++parts;
    module.name = last_parts(module.module_id, parts);
  }
}

void note_untimed_collectives(Report& report) {
  const bool untimed = std::any_of(report.communication.begin(), report.communication.end(),
                                   [](const CommunicationFigures& c) { return !c.seconds && c.calls > 0; });
  if (untimed) report.notes.emplace_back("collectives take no time here: among which ranks they are is not known");
}

// What is alive at once is the least that a run needs: the allocator takes more.
void note_what_does_not_fit(Count live, const Device& device, Report& report) {
  const Count usable = Count(usable_memory(device));
  if (live <= usable) return;
  const Scale gib = binary_scale(live);
  report.notes.push_back(
      fmt::format("it does not fit: {} are alive at the peak, {} has {}; `modelmeter fit` says what does",
                  gib.text(live), device.name, gib.text(usable)));
}

}  // namespace

Report build_report(const AnalyticModel& model, const std::string& report_id, const ModuleTreeOptions& options) {
  return build_report(model, evaluate(model), report_id, options);
}

Report build_report(const AnalyticModel& model, const Evaluation& run, const std::string& report_id,
                    const ModuleTreeOptions& options, const Machine* machine) {
  Report report;
  report.report_id = report_id;
  report.family = model.family();
  report.model = model.model_fields();
  report.workload = model.workload_fields();
  report.runtime = model.runtime_fields();
  if (model.execution() != Execution::eager) {
    report.runtime.emplace_back("execution", std::string(name_of(model.execution())));
  }
  report.notes = model.notes();
  report.operator_categories = model.categories();

  const Evaluation forward = evaluate_forward(model);
  report.per_forward = figures_of(model.cost_of(forward));
  report.totals = figures_of(model.cost_of(run));
  const auto tree = module_tree(model, run, options);
  if (!(tree->cost == run.rollup().total()) || tree->weight_bytes != report.totals.weight_bytes) {
    throw Error(ErrorCode::internal,
                fmt::format("the modules of the report do not add up to its totals: weights {} of {}, kernels {} of {}",
                            tree->weight_bytes, to_string(report.totals.weight_bytes), to_string(tree->cost.kernels),
                            to_string(report.totals.kernels)));
  }
  ReportBuilder(model, run.trace(), report).add(*tree, report.totals.flops_torch);
  qualify_names(report.modules);
  report.communication = communication_figures(run.trace(), nullptr);
  if (machine != nullptr) {
    const RunTime time = time_run(run, *machine);
    if (machine->cluster() != nullptr) report.communication = communication_figures(run.trace(), &time);
    report.timing = timing_of(time_run(forward, *machine), time, *machine);
    set_module_times(*tree, time, report);
    note_untimed_collectives(report);
    if (report.totals.peak_live_bytes)
      note_what_does_not_fit(*report.totals.peak_live_bytes, machine->device(), report);
  }
  Count cached = 0;
  for (StageFigures& stage : report.stages) {
    if (!stage.nested_in)
      stage.figures.kv_cache_bytes = cached = cached.plus(stage.figures.kv_cache_bytes, "the KV cache");
  }
  return report;
}

}  // namespace modelmeter
