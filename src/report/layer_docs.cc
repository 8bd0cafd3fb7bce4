#include "report/layer_docs.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/format.h"
#include "cost/op_formula.h"
#include "report/pseudo_code.h"
#include "report/summary.h"
#include "report/table.h"
#include "report/top.h"

namespace modelmeter {
namespace {

constexpr size_t most_lines = 30;    // of pseudo-code
constexpr size_t most_kernels = 24;  // rows of a page

// Kernels of a leaf that have the same formulas: shown once, with how often they run.
struct KernelRow {
  std::string kernel;
  OpFormula first;
  std::optional<OpFormula> last;  // of a loop in which it grows, the last execution; those between lie on the line
  int64_t runs = 0;
  Cost total;
};

class Pages {
 public:
  Pages(const AnalyticModel& model, const Report& report, const Trace& trace, const Rollup& rollup)
      : trace_(trace), rollup_(rollup), names_(model.names()) {
    for (const AnalyticModuleNode& m : report.modules) modules_[m.module_id] = &m;
  }

  std::string page(const ModuleTreeNode& node) const {
    const AnalyticModuleNode& m = *modules_.at(node.id);
    std::string out = fmt::format("# {} (`{}`)\n\n{}\n\n", m.name, m.module_id, description(node));
    out += facts(m, node) + "\n## Forward\n\n" + forward(node) + "\n";
    out += "## Costs of the whole run\n\n" + costs(node) + "\n";
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
        out += fmt::format("- {} `{}`: {} {}\n", p.persistent ? "parameter" : "buffer", p.name,
                           p.spec.sizes.to_string(), short_name(p.spec.dtype));
      }
    }
    return out;
  }

  // The scope that runs most often: of a list of equal layers not the first, which may differ.
  int32_t representative(const ModuleTreeNode& node) const {
    int32_t best = -1;
    Count most = -1;
    for (const auto& [scope, share] : node.scopes) {
      const Count kernels = rollup_.scopes[static_cast<size_t>(scope)].inclusive.kernels;
      if (kernels > most && trace_.scopes[static_cast<size_t>(scope)].kind != ScopeKind::repetition) {
        most = kernels;
        best = scope;
      }
    }
    return most > 0 ? best : -1;
  }

  std::string forward(const ModuleTreeNode& node) const {
    const int32_t scope = representative(node);
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
    const Cost& c = node.cost;
    table.add({"Calls", grouped(node.calls / node.copies), grouped(node.calls / node.copies)});
    table.add({"Kernels", grouped(c.kernels), grouped(c.kernels)});
    table.add({"Tensor FLOPs", flops_text(c.flops_tensor), grouped(c.flops_tensor)});
    table.add({"Vector FLOPs", flops_text(c.flops_vector), grouped(c.flops_vector)});
    table.add({"Bytes read", bytes_text(c.bytes_read), grouped(c.bytes_read)});
    table.add({"Bytes written", bytes_text(c.bytes_written), grouped(c.bytes_written)});
    table.add({"Arithmetic intensity", fmt::format("{:.2f} FLOP/B", c.arithmetic_intensity()), ""});
    table.add({"Weights", bytes_text(node.weight_bytes), grouped(node.weight_bytes)});
    table.add({"KV cache", bytes_text(node.kv_cache_bytes), grouped(node.kv_cache_bytes)});
    table.add({"Live peak while it runs", bytes_text(node.peak_live), grouped(node.peak_live)});
    return table.markdown();
  }

  static std::string parts(const ModuleTreeNode& node) {
    Table table({"Part", "Tensor FLOPs", "Vector FLOPs", "Bytes moved", "Weights", "KV cache", "Live peak"},
                {Align::left, Align::right, Align::right, Align::right, Align::right, Align::right, Align::right});
    for (const auto& child : node.children) {
      table.add({fmt::format("[{}]({})", child->id, layer_page_name(child->id)), grouped(child->cost.flops_tensor),
                 grouped(child->cost.flops_vector), grouped(child->cost.bytes()), grouped(child->weight_bytes),
                 grouped(child->kv_cache_bytes), grouped(child->peak_live)});
    }
    table.add({"sum; peak: highest", grouped(node.cost.flops_tensor), grouped(node.cost.flops_vector),
               grouped(node.cost.bytes()), grouped(node.weight_bytes), grouped(node.kv_cache_bytes),
               grouped(node.peak_live)});
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
    const bool all = rows.size() <= most_kernels;
    if (all && !(shown == node.cost)) {
      throw Error(ErrorCode::internal, fmt::format("the formulas of {} do not come to its costs", node.id));
    }
    return out;
  }

  std::vector<KernelRow> kernel_rows(const ModuleTreeNode& node) const {
    std::vector<KernelRow> rows;
    std::map<std::string, size_t> known;
    for (const Op& op : trace_.ops) {
      const auto at = std::find_if(node.scopes.begin(), node.scopes.end(),
                                   [&](const ScopeShare& s) { return s.scope == op.scope; });
      if (at == node.scopes.end() || !launches(trace_, op)) continue;
      const int64_t runs = rollup_.executions[static_cast<size_t>(op.scope)] / at->share;
      KernelRow row{std::string(info(op.kernel).name), formula_of(trace_, op), std::nullopt, 0, {}};
      Cost cost;
      cost.add(cost_of(trace_, op));
      if (op.last >= 0) {
        const Op& last = trace_.last_ops[static_cast<size_t>(op.last)];
        row.last = formula_of(trace_, last);
        cost.add(cost_of(trace_, last));
      }
      const auto [found, fresh] = known.try_emplace(key_of(row), rows.size());
      if (fresh) rows.push_back(std::move(row));
      KernelRow& r = rows[found->second];
      r.runs += runs;
      if (r.last) {
        r.total.add_half(cost, runs);
      } else {
        r.total.add(cost, runs);
      }
    }
    return rows;
  }

  static std::string key_of(const KernelRow& row) {
    const auto text = [](const OpFormula& f) {
      return f.tensor_flops.numbers + "|" + f.vector_flops.numbers + "|" + f.read.numbers + "|" + f.written.numbers;
    };
    return row.kernel + "|" + text(row.first) + (row.last ? "|" + text(*row.last) : "");
  }

  static std::string formula_text(const char* what, const Formula& f, const char* unit) {
    if (f.value == 0) return "";
    return fmt::format("  - {}: {} = {} = {} {}\n", what, f.symbols, f.numbers, grouped(f.value), unit);
  }

  static std::string formulas_text(const OpFormula& f) {
    return formula_text("tensor FLOPs", f.tensor_flops, "FLOP") + formula_text("vector FLOPs", f.vector_flops, "FLOP") +
           formula_text("read", f.read, "B") + formula_text("written", f.written, "B");
  }

  static std::string row_text(const KernelRow& row) {
    const std::string runs = row.runs == 1 ? "once" : grouped(row.runs) + " times";
    if (!row.last) return fmt::format("- `{}`, {} in the run\n{}", row.kernel, runs, formulas_text(row.first));
    return fmt::format(
        "- `{0}`, {1} in the run, growing; the first time\n{2}- `{0}`, the last time\n{3}"
        "  - all, runs x (first + last) / 2: {4} FLOP, {5} B\n",
        row.kernel, runs, formulas_text(row.first), formulas_text(*row.last), grouped(row.total.flops_full()),
        grouped(row.total.bytes()));
  }

  const Trace& trace_;
  const Rollup& rollup_;
  const ReportNames names_;
  std::map<std::string, const AnalyticModuleNode*> modules_;
};

// --- summary.md ---

std::string metrics_table(const Report& r, const std::map<std::string, const AnalyticModuleNode*>& modules,
                          const std::vector<const ModuleMetricsSnapshot*>& sorted) {
  Table table({"Module", "Stage", "Calls", "Time (ms)", "FLOPs (TFLOP)", "I/O (TB)", "Weights (GB)", "Activations (GB)",
               "KV cache (GB)", "Share"},
              {Align::left, Align::left, Align::right, Align::right, Align::right, Align::right, Align::right,
               Align::right, Align::right, Align::right});
  for (const ModuleMetricsSnapshot* s : sorted) {
    table.add({fmt::format("[{}]({})", s->module_id, layer_page_name(s->module_id)), modules.at(s->module_id)->stage,
               grouped(s->calls), fmt::format("{:.3f}", s->total_time_ms), fmt::format("{:.6f}", s->total_flops_tflops),
               fmt::format("{:.6f}", s->total_io_tb), fmt::format("{:.4f}", s->memory_weights_gb),
               fmt::format("{:.4f}", s->memory_activations_gb), fmt::format("{:.4f}", s->memory_kvcache_gb),
               percent_text(s->share_of_model_time)});
  }
  return table.markdown() + (r.predicted_total_time_ms == 0 ? "\nNo device, no time: shares are of FLOPs.\n" : "");
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
  out += "\n## Module Metrics\n\n" + metrics_table(r, modules, top_leaves(r, r.modules.size()));
  out += "\n## Module parameters\n\n" + parameters_table(r);
  out += "\n## Pages\n\n";
  for (const AnalyticModuleNode& m : r.modules)
    out += fmt::format("- [{}]({})\n", m.module_id, layer_page_name(m.module_id));
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

std::vector<std::pair<std::string, std::string>> layer_docs(const AnalyticModel& model, const Report& report,
                                                            const ModuleTreeOptions& options) {
  Tracer tracer;
  model.trace(tracer);
  const Rollup rollup = roll_up(tracer.trace());
  const auto tree = module_tree(model, tracer.trace(), rollup, options);
  std::vector<std::pair<std::string, std::string>> out = {{"summary.md", summary_page(report)}};
  add_pages(Pages(model, report, tracer.trace(), rollup), *tree, out);
  return out;
}

}  // namespace modelmeter
