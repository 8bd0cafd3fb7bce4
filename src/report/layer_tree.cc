#include "report/layer_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "report/call_shapes.h"
#include "report/figure_table.h"
#include "report/table.h"
#include "report/timing_text.h"

namespace modelmeter {
namespace {

constexpr size_t gap = 2;  // between columns
constexpr size_t least_name = 24;

struct TreeRow {
  std::string branch, name;  // "│  ├─ ", "block x 40"
  const ModuleTreeNode* node;
  CallShapes shapes;
};

struct TreeColumn {
  std::string title;
  Align align;
  int leave_out;  // the lowest number first; 0: never
  std::vector<std::string> cells;
  size_t width() const {
    size_t out = shown_width(title);
    for (const std::string& cell : cells) out = std::max(out, shown_width(cell));
    return out;
  }
};

// Whether a leaf stands for what its parent does itself.
bool is_own_part(const ModuleTreeNode& node) {
  return node.leaf() && node.parent != nullptr && !node.scopes.empty() && !node.parent->scopes.empty() &&
         node.scopes.front().scope == node.parent->scopes.front().scope;
}

class Tree {
 public:
  Tree(const Trace& trace, const Rollup& rollup, const LayerTreeOptions& options)
      : trace_(trace), rollup_(rollup), options_(options), reader_(trace) {
    if (!by_time()) return;
    if (options.report == nullptr) throw Error(ErrorCode::internal, "a tree by time without a report");
    expect_times(*options.report);
    for (const ModuleMetricsSnapshot& s : options.report->module_metrics) times_[s.module_id] = *s.time;
  }

  void add(const ModuleTreeNode& node, const std::string& branch, const std::string& below, int level) {
    rows_.push_back({branch, label_of(node.name, node.list_count), &node, shapes(node)});
    if (level == options_.depth) {
      if (!node.children.empty()) hides_ = true;
      return;
    }
    const std::vector<const ModuleTreeNode*> children = sorted(node);
    for (const ModuleTreeNode* child : children) {
      const bool last = child == children.back();
      add(*child, below + (last ? "└─ " : "├─ "), below + (last ? "   " : "│  "), level + 1);
    }
  }

  std::string text() const {
    std::vector<TreeColumn> columns = all_columns();
    fit(columns);
    std::string out = line(columns, [](const TreeColumn& c) -> const std::string& { return c.title; });
    std::string rule;
    for (const TreeColumn& c : columns) rule += (rule.empty() ? "" : "  ") + std::string(c.width(), '-');
    out += rule + "\n";
    for (size_t i = 0; i < rows_.size(); ++i) {
      out += line(columns, [&](const TreeColumn& c) -> const std::string& { return c.cells[i]; });
    }
    return out + (hides_ ? fmt::format("\nThere are layers below: --depth {} shows them.\n", options_.depth + 1) : "");
  }

 private:
  CallShapes shapes(const ModuleTreeNode& node) const {
    const int32_t scope = representative_scope(node, trace_, rollup_);
    return scope < 0 || is_own_part(node) || node.parent == nullptr ? CallShapes() : reader_.of(scope);
  }

  std::vector<const ModuleTreeNode*> sorted(const ModuleTreeNode& node) const {
    std::vector<const ModuleTreeNode*> out;
    for (const auto& child : node.children) {
      // Not those that mark where another stage runs.
      if (child->cost.kernels > 0 || child->parameters > 0) out.push_back(child.get());
    }
    if (options_.by == nullptr) return out;
    std::stable_sort(out.begin(), out.end(), [&](const ModuleTreeNode* a, const ModuleTreeNode* b) {
      return ranks_before(*options_.by, figures_of(*a), ms_of(*a), figures_of(*b), ms_of(*b));
    });
    return out;
  }

  bool by_time() const { return options_.by != nullptr && options_.by->by_time; }
  double ms_of(const ModuleTreeNode& node) const {
    const auto found = times_.find(node.id);
    return found == times_.end() ? 0 : found->second.total_time_ms;
  }

  template <class Cell>
  TreeColumn column(const std::string& title, Align align, int leave_out, const Cell& cell) const {
    TreeColumn out{title, align, leave_out, {}};
    for (const TreeRow& row : rows_) out.cells.push_back(cell(row));
    return out;
  }

  std::vector<TreeColumn> all_columns() const {
    std::vector<TreeColumn> out;
    out.push_back(column("Layer", Align::left, 0, [](const TreeRow& r) { return r.branch + r.name; }));
    out.push_back(column("Class", Align::left, 2, [](const TreeRow& r) { return r.node->klass; }));
    out.push_back(column("Input", Align::left, 1, [](const TreeRow& r) { return r.shapes.input; }));
    out.push_back(column("Output", Align::left, 5, [](const TreeRow& r) { return r.shapes.output; }));
    out.push_back(column("Parameters", Align::right, 7,
                         [](const TreeRow& r) { return r.node->parameters == 0 ? "-" : grouped(r.node->parameters); }));
    if (by_time()) {
      const double whole = ms_of(*rows_.front().node);
      out.push_back(
          column("Time", Align::right, 0, [&](const TreeRow& r) { return seconds_text(ms_of(*r.node) / 1e3); }));
      out.push_back(column("%", Align::right, 0, [&](const TreeRow& r) {
        return whole > 0 ? fmt::format("{:.1f}", 100 * ms_of(*r.node) / whole) : std::string("-");
      }));
    }
    std::vector<Figures> all;
    for (const TreeRow& row : rows_) all.push_back(figures_of(*row.node));
    const RankKey& by = options_.by != nullptr ? *options_.by : rank_keys[0];
    for (const FigureRow* figure : figures_of(by)) {
      if (figure->get(all.front()).value_or(0) == 0) continue;
      const Scale scale = scale_of(*figure, all);
      const bool first = figure == &figure_row(by.figures[0]);
      TreeColumn figures{title_of(*figure, scale), Align::right, first ? 0 : 6, {}},
          shares{"%", Align::right, first ? 0 : 4, {}};
      for (const Figures& f : all) {
        figures.cells.push_back(scale.number(figure->get(f).value_or(0)));
        const std::string share = share_text(*figure, f, all.front());
        shares.cells.push_back(share.substr(0, share.find(' ')));
      }
      out.push_back(std::move(figures));
      if (figure->additive) out.push_back(std::move(shares));
    }
    out.push_back(column("Calls", Align::right, 3, [](const TreeRow& r) { return calls_text(*r.node); }));
    return out;
  }

  static size_t total(const std::vector<TreeColumn>& columns) {
    size_t out = 0;
    for (const TreeColumn& c : columns) out += c.width() + (out == 0 ? 0 : gap);
    return out;
  }

  void fit(std::vector<TreeColumn>& columns) const {
    const auto width = static_cast<size_t>(std::max(options_.width, 1));
    for (int number = 1; number <= 7 && total(columns) > width; ++number) {
      columns.erase(
          std::remove_if(columns.begin(), columns.end(), [&](const TreeColumn& c) { return c.leave_out == number; }),
          columns.end());
    }
    shorten_names(columns, width);
  }

  void shorten_names(std::vector<TreeColumn>& columns, size_t width) const {
    const size_t others = total(columns) - columns.front().width();
    const size_t left = std::max(least_name, width > others ? width - others : 0);
    if (left >= columns.front().width()) return;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const size_t branch = shown_width(rows_[i].branch);
      columns.front().cells[i] = rows_[i].branch + cut_to(rows_[i].name, left > branch ? left - branch : 1);
    }
  }

  template <class Cell>
  static std::string line(const std::vector<TreeColumn>& columns, const Cell& cell) {
    std::string out;
    for (const TreeColumn& c : columns) {
      const std::string space(c.width() - shown_width(cell(c)), ' ');
      out += (out.empty() ? "" : "  ") + (c.align == Align::right ? space + cell(c) : cell(c) + space);
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out + "\n";
  }

  const Trace& trace_;
  const Rollup& rollup_;
  const LayerTreeOptions& options_;
  const CallShapeReader reader_;
  std::vector<TreeRow> rows_;
  std::map<std::string, ModuleTime> times_;  // by id
  bool hides_ = false;
};

}  // namespace

std::string layer_tree(const ModuleTreeNode& root, const Trace& trace, const Rollup& rollup,
                       const LayerTreeOptions& options) {
  Tree tree(trace, rollup, options);
  tree.add(root, "", "", 0);
  return tree.text();
}

}  // namespace modelmeter
