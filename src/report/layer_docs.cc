#include "report/layer_docs.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/format.h"
#include "cost/executions.h"
#include "cost/op_formula.h"
#include "report/figure_table.h"
#include "report/kernel_times.h"
#include "report/pseudo_code.h"
#include "report/summary.h"
#include "report/table.h"
#include "report/timing_text.h"
#include "report/top.h"

namespace modelmeter {
namespace {

constexpr size_t most_lines = 30;    // of pseudo-code
constexpr size_t most_kernels = 24;  // rows of a page

std::string link(const std::string& module_id) {
  return fmt::format("[{}]({})", module_id, layer_page_name(module_id));
}

// Kernels of a leaf that have the same formulas: shown once, with how often they run.
struct KernelRow {
  std::string kernel;
  OpFormula first;
  std::optional<OpFormula> last;  // of a loop in which it grows, the last execution; those between lie on the line
  std::string parts, last_parts;  // of its time on a device: a line for each kernel
  int64_t runs = 0;
  Cost total;
  double seconds = 0;  // of them all
};

class Pages {
 public:
  Pages(const AnalyticModel& model, const Report& report, const Evaluation& run, const Machine* machine)
      : trace_(run.trace()), rollup_(run.rollup()), names_(model.names()), ops_(trace_.scopes.size()) {
    for (const AnalyticModuleNode& m : report.modules) modules_[m.module_id] = &m;
    for (const ModuleMetricsSnapshot& s : report.module_metrics) {
      if (s.time) module_times_[s.module_id] = &*s.time;
    }
    if (machine != nullptr) times_.emplace(run, *machine);
    for_each_execution(trace_, rollup_.executions, [&](const Executions& e) {
      if (launches(trace_, e.op)) ops_[static_cast<size_t>(e.op.scope)].push_back(e);
    });
  }

  std::string page(const ModuleTreeNode& node) const {
    const AnalyticModuleNode& m = *modules_.at(node.id);
    std::string out = fmt::format("# {} (`{}`)\n\n{}\n\n", m.name, m.module_id, description(node));
    out += facts(m, node) + "\n## Forward\n\n" + forward(node) + "\n";
    out += "## Costs of the whole run\n\n" + costs(node) + "\n" + time(node);
    out += node.leaf() ? formulas(node) : parts(node);
    return out;
  }

 private:
  std::string description(const ModuleTreeNode& node) const {
    for (const auto& [klass, text] : names_.descriptions) {
      if (klass == node.klass || (node.klass.empty() && klass == node.raw_name)) return text;
    }
    if (node.klass.empty() && node.leaf()) {
      return fmt::format("What `{}` does itself, beside its children.", node.parent->id);
    }
    return node.klass.empty() ? "A group of modules." : fmt::format("A {}.", node.klass);
  }

  static std::string facts(const AnalyticModuleNode& m, const ModuleTreeNode& node) {
    std::string out = fmt::format("- stage: {}\n- class: `{}`\n- parent: {}\n", m.stage, m.qualified_class_name,
                                  m.parent_id ? "`" + *m.parent_id + "`" : "none");
    if (m.repetition_count) out += fmt::format("- repetition: {} of them, one after another\n", *m.repetition_count);
    for (const auto& [name, value] : m.constructor_params) out += fmt::format("- {}: {}\n", name, text_of(value));
    if (node.layer != nullptr) {
      for (const BaseLayer::Parameter& p : node.layer->parameters()) {
        out += fmt::format("- {} `{}`: {} {}", p.persistent ? "parameter" : "buffer", p.name, p.spec.sizes.to_string(),
                           short_name(p.spec.dtype));
        const bool own = p.spec.kept_bytes == 0;
        out += own ? "\n" : fmt::format(", kept as {} ({} bytes)\n", node.layer->weight_format()->name, p.spec.bytes());
      }
    }
    return out;
  }

  std::string forward(const ModuleTreeNode& node) const {
    const int32_t scope = representative_scope(node, trace_, rollup_);
    if (scope < 0) return node.leaf() ? "It does not run.\n" : stages_in_order(node);
    std::string out = "```python\n";
    for (const std::string& line : pseudo_code(trace_, scope, most_lines)) out += line + "\n";
    return out +
           "```\n\nAs traced, views left out: `t1`, `t2` … are tensors, `given[…]` a parameter, buffer or input.\n";
  }

  static std::string stages_in_order(const ModuleTreeNode& node) {
    std::string out;
    for (const auto& child : node.children) out += fmt::format("{}. `{}`\n", &child - &node.children[0] + 1, child->id);
    return out;
  }

  static std::string costs(const ModuleTreeNode& node) {
    Table table({"", "figure", "exact"}, {Align::left, Align::right, Align::right});
    const Figures f = figures_of(node);
    const std::string of_all = node.copies > 1 ? fmt::format("{} of all", grouped(node.calls)) : grouped(node.calls);
    table.add({"Calls", calls_text(node), of_all});
    std::map<Unit, Count> largest;
    for (const FigureRow& row : figure_rows) largest[row.unit] = std::max(largest[row.unit], row.get(f).value_or(0));
    for (const FigureRow& row : figure_rows) {
      const std::optional<Count> value = row.get(f);
      if (value) table.add({row.title, row.text(value, scale_of(row.unit, largest[row.unit])), grouped(*value)});
    }
    table.add({"Arithmetic intensity", fmt::format("{:.2f} FLOP/B", f.arithmetic_intensity()), ""});
    return table.markdown();
  }

  std::string time(const ModuleTreeNode& node) const {
    const auto found = module_times_.find(node.id);
    if (!times_ || found == module_times_.end()) return "";
    const ModuleTime& t = *found->second;
    return fmt::format("Time on {}: {}, {} of all; speed of light {}; {:.4g} J; {}.\n\n", times_->device(),
                       seconds_text(t.total_time_ms / 1e3), percent_text(t.share_of_model_time),
                       seconds_text(t.light_ms / 1e3), t.joules, t.bound + " bound");
  }

  static std::string parts(const ModuleTreeNode& node) {
    FigureTable table({"Part"}, FigureTable::Digits::all);
    for (const auto& child : node.children) {
      table.add({link(child->id)}, figures_of(*child));
    }
    table.add({"sum; peak: highest"}, figures_of(node));
    return "## Parts\n\n" + table.markdown();
  }

  // --- the formulas of a leaf ---

  std::string formulas(const ModuleTreeNode& node) const {
    std::vector<KernelRow> rows = kernel_rows(node);
    if (rows.empty()) return "";
    std::string out = "## Formulas\n\n";
    Cost shown;
    for (size_t i = 0; i < std::min(rows.size(), most_kernels); ++i) {
      out += row_text(rows[i]);
      shown.add(rows[i].total);
    }
    if (rows.size() > most_kernels)
      out += fmt::format("\n{} more kinds of kernels are not shown.\n", rows.size() - most_kernels);
    if (times_) {
      out +=
          "\nThe clock is a share of the highest; which the power limit leaves the run is in its summary. Constants: "
          "the device's and the stack's file.\n";
    }
    const bool all = rows.size() <= most_kernels;
    if (all && !(shown == node.cost)) {
      throw Error(ErrorCode::internal, fmt::format("the formulas of {} do not come to its costs", node.id));
    }
    return out;
  }

  // The ops of a node with how many nodes their scope is spread over, in the order in which they run.
  std::vector<std::pair<const Executions*, int64_t>> ops_of(const ModuleTreeNode& node) const {
    std::vector<std::pair<const Executions*, int64_t>> out;
    for (const auto& [scope, share] : node.scopes) {
      for (const Executions& e : ops_[static_cast<size_t>(scope)]) out.emplace_back(&e, share);
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first->index < b.first->index; });
    return out;
  }

  std::vector<KernelRow> kernel_rows(const ModuleTreeNode& node) const {
    std::vector<KernelRow> rows;
    std::map<std::string, size_t> known;
    for (const auto& [e, share] : ops_of(node)) {
      const int64_t runs = e->times / share;
      KernelRow row;
      row.kernel = trace_.short_kernel_name(e->op);
      row.first = formula_of(trace_, e->op);
      Cost cost;
      cost.add(cost_of(trace_, e->op));
      if (e->last != nullptr) {
        row.last = formula_of(trace_, *e->last);
        cost.add(cost_of(trace_, *e->last));
      }
      if (times_) add_times(*e, row);
      const auto [found, fresh] = known.try_emplace(key_of(row), rows.size());
      if (fresh) rows.push_back(std::move(row));
      KernelRow& r = rows[found->second];
      r.runs += runs;
      if (times_) r.seconds += times_->seconds(e->index) * static_cast<double>(runs);
      if (r.last) {
        r.total.add_half(cost, runs);
      } else {
        r.total.add(cost.times(runs));
      }
    }
    return rows;
  }

  // Nothing of what runs on the host's CPU.
  void add_times(const Executions& e, KernelRow& row) const {
    if (times_->seconds(e.index) == 0) return;
    row.parts = times_->parts(e, false, "    ");
    if (e.last != nullptr) row.last_parts = times_->parts(e, true, "    ");
  }

  static std::string key_of(const KernelRow& row) {
    const auto text = [](const OpFormula& f) {
      return f.tensor_flops.numbers + "|" + f.vector_flops.numbers + "|" + f.read.numbers + "|" + f.written.numbers;
    };
    return row.kernel + "|" + text(row.first) + (row.last ? "|" + text(*row.last) : "") + row.parts + row.last_parts;
  }

  static std::string formula_text(const char* what, const Formula& f, const char* unit) {
    if (f.value == 0) return "";
    return fmt::format("  - {}: {} = {} = {} {}\n", what, f.symbols, f.numbers, grouped(f.value), unit);
  }

  static std::string formulas_text(const OpFormula& f) {
    return formula_text("tensor FLOPs", f.tensor_flops, "FLOP") + formula_text("vector FLOPs", f.vector_flops, "FLOP") +
           formula_text("read", f.read, "B") + formula_text("written", f.written, "B");
  }

  std::string row_text(const KernelRow& row) const {
    const std::string runs = row.runs == 1 ? "once" : grouped(row.runs) + " times";
    std::string out = fmt::format("- `{}`, {} in the run", row.kernel, runs);
    if (!row.last) return out + "\n" + formulas_text(row.first) + time_text(row) + row.parts;
    out += ", growing; the first time\n" + formulas_text(row.first) + row.parts;
    out += fmt::format("- `{}`, the last time\n", row.kernel) + formulas_text(*row.last) + row.last_parts;
    out += fmt::format("  - all, runs x (first + last) / 2: {} FLOP, {} B\n", grouped(row.total.flops_full()),
                       grouped(row.total.bytes()));
    return out + time_text(row);
  }

  std::string time_text(const KernelRow& row) const {
    if (row.parts.empty()) return "";
    const std::string each = seconds_text(row.seconds / static_cast<double>(row.runs));
    const std::string all = row.runs == 1 ? "" : ", all of them " + seconds_text(row.seconds);
    return fmt::format("  - time on {}: {} each{}\n", times_->device(), each, all);
  }

  const Trace& trace_;
  const Rollup& rollup_;
  const ReportNames names_;
  std::vector<std::vector<Executions>> ops_;  // by scope, in the order in which they run
  std::map<std::string, const AnalyticModuleNode*> modules_;
  std::map<std::string, const ModuleTime*> module_times_;
  std::optional<KernelTimes> times_;  // on a device
};

// --- summary.md ---

std::string metrics_table(const std::map<std::string, const AnalyticModuleNode*>& modules,
                          const std::vector<const ModuleMetricsSnapshot*>& sorted) {
  FigureTable table({"Module", "Stage"}, FigureTable::Digits::few, {"Calls", "Share of FLOPs"});
  for (const ModuleMetricsSnapshot* s : sorted) {
    table.add({link(s->module_id), modules.at(s->module_id)->stage}, s->exact,
              {grouped(s->calls), percent_text(s->share_of_model_flops)});
  }
  return table.markdown();
}

std::string parameters_table(const Report& r) {
  Table table({"Module", "Stage", "Parameters"}, {Align::left, Align::left, Align::left});
  for (const AnalyticModuleNode& m : r.modules) {
    if (m.constructor_params.empty()) continue;
    std::string params;
    for (const auto& [name, value] : m.constructor_params)
      params += (params.empty() ? "" : ", ") + name + "=" + text_of(value);
    table.add({m.module_id, m.stage, params});
  }
  return table.markdown();
}

std::string summary_page(const Report& r) {
  std::map<std::string, const AnalyticModuleNode*> modules;
  for (const AnalyticModuleNode& m : r.modules) modules[m.module_id] = &m;
  std::string out = summary_markdown(r);
  out += "\n## Module Metrics\n\n" + metrics_table(modules, top_leaves(r, r.modules.size()));
  out += "\n## Module parameters\n\n" + parameters_table(r);
  out += "\n## Pages\n\n";
  for (const AnalyticModuleNode& m : r.modules) out += "- " + link(m.module_id) + "\n";
  return out;
}

void add_pages(const Pages& pages, const ModuleTreeNode& node, std::vector<std::pair<std::string, std::string>>& out) {
  out.emplace_back(layer_page_name(node.id), pages.page(node));
  for (const auto& child : node.children) add_pages(pages, *child, out);
}

}  // namespace

std::string layer_page_name(const std::string& module_id) {
  std::string out = module_id;
  std::replace(out.begin(), out.end(), '/', '_');
  return out + ".md";
}

std::vector<std::pair<std::string, std::string>> layer_docs(const AnalyticModel& model, const Evaluation& run,
                                                            const Report& report, const ModuleTreeOptions& options,
                                                            const Machine* machine) {
  const auto tree = module_tree(model, run, options);
  std::vector<std::pair<std::string, std::string>> out = {{"summary.md", summary_page(report)}};
  add_pages(Pages(model, report, run, machine), *tree, out);
  return out;
}

}  // namespace modelmeter
