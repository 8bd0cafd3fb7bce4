#include "report/top.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/format.h"
#include "base/json_writer.h"
#include "report/figure_table.h"
#include "report/table.h"
#include "report/timing_text.h"

namespace modelmeter {
namespace {

struct TimeShare {
  double ms = 0, share = 0;
};

TimeShare time_of(const ModuleMetricsSnapshot& s) {
  return s.time ? TimeShare{s.time->total_time_ms, s.time->share_of_model_time} : TimeShare();
}

// Columns of a key: its figures, a share behind those that add up to the whole.
class RankTable {
 public:
  RankTable(const std::string& what, const RankKey& key, const std::vector<Figures>& rows, const Figures& whole,
            const std::vector<std::string>& after)
      : by_time_(key.by_time), whole_(whole), table_({}, {}) {
    std::vector<std::string> titles = {what};
    if (key.by_time) titles.insert(titles.end(), {"Time", "Share"});
    for (const FigureRow* row : figures_of(key)) {
      if (std::none_of(rows.begin(), rows.end(), [&](const Figures& f) { return row->get(f).value_or(0) != 0; })) {
        continue;
      }
      shown_.push_back(row);
      scales_.push_back(scale_of(*row, rows));
      titles.push_back(title_of(*row, scales_.back()));
      if (row->additive) titles.emplace_back("Share");
    }
    titles.insert(titles.end(), after.begin(), after.end());
    std::vector<Align> align(titles.size(), Align::right);
    align[0] = Align::left;
    table_ = Table(std::move(titles), std::move(align));
  }

  void add(const std::string& name, const Figures& figures, const TimeShare& time,
           const std::vector<std::string>& after) {
    std::vector<std::string> cells = {name};
    if (by_time_) cells.insert(cells.end(), {seconds_text(time.ms / 1e3), percent_text(time.share)});
    for (size_t c = 0; c < shown_.size(); ++c) {
      cells.push_back(shown_[c]->text(shown_[c]->get(figures), {scales_[c].divisor, ""}));
      if (shown_[c]->additive) cells.push_back(share_text(*shown_[c], figures, whole_));
    }
    cells.insert(cells.end(), after.begin(), after.end());
    table_.add(std::move(cells));
  }
  std::string markdown() const { return table_.markdown(); }

 private:
  bool by_time_;
  const Figures& whole_;
  std::vector<const FigureRow*> shown_;
  std::vector<Scale> scales_;
  Table table_;
};

// "Together 97.9 % of the FLOPs (torch), 27.0 % of the bytes moved; 47 layers more."
std::string coverage(const Report& r, const std::vector<const ModuleMetricsSnapshot*>& shown, size_t leaves) {
  Figures sum;
  for (const ModuleMetricsSnapshot* s : shown) add(sum, s->exact);
  std::string out;
  for (const char* name : {"flops_torch", "bytes_moved", "kernels"}) {
    const FigureRow& row = figure_row(name);
    const std::string share = share_text(row, sum, r.totals);
    if (share == "-") continue;
    std::string title = row.title;
    if (title != "FLOPs (torch)") title[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(title[0])));
    out += fmt::format("{}{} of the {}", out.empty() ? "Together " : ", ", share, title);
  }
  return out.empty() ? "" : fmt::format("\n{}; of {} layers.\n", out, leaves);
}

std::string layers_table(const Report& r, size_t most, const RankKey& key) {
  std::map<std::string, std::string> label;
  const std::vector<std::string> all = labels(r);
  for (size_t i = 0; i < all.size(); ++i) label[r.modules[i].module_id] = all[i];
  const std::vector<const ModuleMetricsSnapshot*> leaves = top_leaves(r, r.modules.size(), key);
  const std::vector<const ModuleMetricsSnapshot*> shown(
      leaves.begin(), leaves.begin() + static_cast<std::ptrdiff_t>(std::min(most, leaves.size())));
  std::vector<Figures> rows;
  for (const ModuleMetricsSnapshot* s : shown) rows.push_back(s->exact);
  std::vector<std::string> after = {"Calls"};
  if (key.by_time) after.insert(after.begin(), "Bound");
  RankTable table("Layer", key, rows, r.totals, after);
  for (const ModuleMetricsSnapshot* s : shown) {
    std::vector<std::string> cells = {grouped(s->calls)};
    if (key.by_time) cells.insert(cells.begin(), s->time->bound);
    table.add(label[s->module_id], s->exact, time_of(*s), cells);
  }
  return fmt::format("## Top {} layers by {}\n\n{}{}", most, key.title, table.markdown(),
                     coverage(r, shown, leaves.size()));
}

std::string categories_table(const Report& r, size_t most, const RankKey& key) {
  const std::vector<CategoryFigures> shown = top_categories(r, most, key);
  std::vector<Figures> rows;
  for (const CategoryFigures& c : shown) rows.push_back(c.figures);
  RankTable table("Category", key, rows, r.totals, {});
  double whole_ms = 0;
  for (const CategoryFigures& c : top_categories(r, r.modules.size(), key)) whole_ms += c.time_ms;
  for (const CategoryFigures& c : shown) {
    table.add(c.id, c.figures, {c.time_ms, whole_ms > 0 ? c.time_ms / whole_ms : 0}, {});
  }
  return fmt::format("## Top {} categories by {}\n\n{}", most, key.title, table.markdown());
}

}  // namespace

std::vector<const ModuleMetricsSnapshot*> top_leaves(const Report& report, size_t most, const RankKey& key) {
  if (key.by_time) expect_times(report);
  std::set<std::string> leaves;
  for (const AnalyticModuleNode& node : report.modules) {
    if (node.children.empty()) leaves.insert(node.module_id);
  }
  std::vector<const ModuleMetricsSnapshot*> out;
  for (const ModuleMetricsSnapshot& snapshot : report.module_metrics) {
    if (leaves.count(snapshot.module_id) > 0) out.push_back(&snapshot);
  }
  std::sort(out.begin(), out.end(), [&](const ModuleMetricsSnapshot* a, const ModuleMetricsSnapshot* b) {
    const double time_a = time_of(*a).ms, time_b = time_of(*b).ms;
    if (ranks_before(key, a->exact, time_a, b->exact, time_b)) return true;
    return !ranks_before(key, b->exact, time_b, a->exact, time_a) && a->module_id < b->module_id;
  });
  if (out.size() > most) out.resize(most);
  return out;
}

std::vector<CategoryFigures> top_categories(const Report& report, size_t most, const RankKey& key) {
  std::map<std::string, CategoryFigures> sums;
  for (const ModuleMetricsSnapshot* leaf : top_leaves(report, report.modules.size(), key)) {
    for (const OperatorMetrics& m : leaf->operator_breakdown) {  // a leaf has one
      CategoryFigures& sum = sums[m.category_id];
      add(sum.figures, leaf->exact);
      sum.time_ms += time_of(*leaf).ms;
    }
  }
  std::vector<CategoryFigures> out;
  for (auto& [id, sum] : sums) {
    sum.id = id;
    if (sum.figures.kernels > 0) out.push_back(sum);
  }
  std::stable_sort(out.begin(), out.end(), [&](const CategoryFigures& a, const CategoryFigures& b) {
    return ranks_before(key, a.figures, a.time_ms, b.figures, b.time_ms);
  });
  if (out.size() > most) out.resize(most);
  return out;
}

std::vector<const RankKey*> default_rank_keys() { return {&rank_keys[0], &rank_keys[1]}; }

std::string top_tables(const Report& r, TopSizes sizes, const std::vector<const RankKey*>& keys) {
  std::string out;
  for (const RankKey* key : keys) out += layers_table(r, sizes.layers, *key) + "\n";
  return out + categories_table(r, sizes.categories, *keys.front());
}

std::string top_json(const Report& r, TopSizes sizes, const RankKey& key) {
  const FigureRow& first = figure_row(key.figures[0]);
  return json_text([&](DocumentWriter& out) {
    double whole_ms = 0;
    for (const CategoryFigures& c : top_categories(r, r.modules.size(), key)) whole_ms += c.time_ms;
    const auto figures = [&](const Figures& f, double ms) {
      for (const FigureRow& row : figure_rows) {
        if (row.column) out.field(row.name, row.get(f));
      }
      // Of what adds up; a peak is compared with the highest.
      const auto whole = static_cast<double>(first.get(r.totals).value_or(0));
      if (r.timing) out.field("total_time_ms", ms);
      if (key.by_time) {
        out.field("share", whole_ms > 0 ? ms / whole_ms : 0.0);
      } else {
        out.field("share", whole > 0 ? static_cast<double>(first.get(f).value_or(0)) / whole : 0.0);
      }
    };
    out.map([&] {
      out.field("report_id", r.report_id);
      out.field("by", std::string(key.name));
      out.list("layers", top_leaves(r, sizes.layers, key), [&](const ModuleMetricsSnapshot* s) {
        out.map([&] {
          out.field("module_id", s->module_id);
          figures(s->exact, time_of(*s).ms);
          out.field("calls", s->calls);
        });
      });
      out.list("categories", top_categories(r, sizes.categories, key), [&](const CategoryFigures& c) {
        out.map([&] {
          out.field("category_id", c.id);
          figures(c.figures, c.time_ms);
          out.field("flops_tflops", static_cast<double>(c.figures.flops_torch) / 1e12);
          out.field("io_tb", static_cast<double>(c.figures.bytes_moved) / 1e12);
        });
      });
    });
  });
}

}  // namespace modelmeter
