#include "report/difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/format.h"
#include "base/json_writer.h"
#include "report/table.h"
#include "report/top.h"

namespace modelmeter {
namespace {

void compare_fields(const char* group, const Fields& a, const Fields& b, std::vector<InputDifference>& out) {
  std::map<std::string, std::string> theirs;
  for (const auto& [name, value] : b) theirs[name] = text_of(value);
  for (const auto& [name, value] : a) {
    const auto found = theirs.find(name);
    const std::string other = found == theirs.end() ? "-" : found->second;
    if (text_of(value) != other) out.push_back({fmt::format("{}.{}", group, name), text_of(value), other});
    theirs.erase(name);
  }
  for (const auto& [name, value] : b) {
    if (theirs.count(name) > 0) out.push_back({fmt::format("{}.{}", group, name), "-", text_of(value)});
  }
}

std::string ratio(Count a, Count b) {
  return a == 0 ? (b == 0 ? "1" : "-") : fmt::format("{:.4g}", static_cast<double>(b) / static_cast<double>(a));
}

Count distance(Count a, Count b) { return a < b ? b - a : a - b; }

}  // namespace

ReportDifference difference(const Report& a, const Report& b) {
  ReportDifference out;
  out.a = a.report_id;
  out.b = b.report_id;
  compare_fields("model", a.model, b.model, out.inputs);
  compare_fields("workload", a.workload, b.workload, out.inputs);
  compare_fields("runtime", a.runtime, b.runtime, out.inputs);

  for (const FigureRow& row : figure_rows) out.totals.push_back({row.name, row.get(a.totals), row.get(b.totals)});

  std::map<std::string, LayerDifference> layers;
  for (const ModuleMetricsSnapshot* s : top_leaves(a, a.modules.size())) {
    LayerDifference& d = layers[s->module_id];
    d.flops_a = s->exact.flops_torch;
    d.bytes_a = s->exact.bytes_moved;
  }
  for (const ModuleMetricsSnapshot* s : top_leaves(b, b.modules.size())) {
    LayerDifference& d = layers[s->module_id];
    d.flops_b = s->exact.flops_torch;
    d.bytes_b = s->exact.bytes_moved;
  }
  for (auto& [id, d] : layers) {
    d.module_id = id;
    if (d.flops_a != d.flops_b || d.bytes_a != d.bytes_b) out.layers.push_back(d);
  }
  std::stable_sort(out.layers.begin(), out.layers.end(), [](const LayerDifference& x, const LayerDifference& y) {
    const Count flops_x = distance(x.flops_a, x.flops_b), flops_y = distance(y.flops_a, y.flops_b);
    if (flops_x != flops_y) return flops_x > flops_y;
    return distance(x.bytes_a, x.bytes_b) > distance(y.bytes_a, y.bytes_b);
  });
  return out;
}

std::string difference_markdown(const ReportDifference& d, size_t most_layers) {
  std::string out = fmt::format("A: {}\nB: {}\n\n## Inputs\n\n", d.a, d.b);
  if (d.inputs.empty()) {
    out += "The same.\n";
  } else {
    Table inputs({"", "A", "B"}, {Align::left, Align::left, Align::left});
    for (const InputDifference& i : d.inputs) inputs.add({i.name, i.a, i.b});
    out += inputs.markdown();
  }
  Table totals({"", "A", "B", "B - A", "B / A"}, {Align::left, Align::right, Align::right, Align::right, Align::right});
  for (const FigureDifference& f : d.totals) {
    const auto text = [](std::optional<Count> value) { return value ? grouped(*value) : "-"; };
    const bool both = f.a && f.b;
    totals.add({f.name, text(f.a), text(f.b), both ? grouped(*f.b - *f.a) : "-", both ? ratio(*f.a, *f.b) : "-"});
  }
  out += "\n## Totals\n\n" + totals.markdown() + "\n## Layers\n\n";
  if (d.layers.empty()) return out + "The same.\n";
  Table layers({"Layer", "FLOPs A", "FLOPs B", "B / A", "Bytes A", "Bytes B", "B / A"},
               {Align::left, Align::right, Align::right, Align::right, Align::right, Align::right, Align::right});
  for (size_t i = 0; i < std::min(most_layers, d.layers.size()); ++i) {
    const LayerDifference& l = d.layers[i];
    layers.add({l.module_id, flops_text(l.flops_a), flops_text(l.flops_b), ratio(l.flops_a, l.flops_b),
                bytes_text(l.bytes_a), bytes_text(l.bytes_b), ratio(l.bytes_a, l.bytes_b)});
  }
  out += layers.markdown();
  if (d.layers.size() > most_layers) out += fmt::format("\n{} more layers differ.\n", d.layers.size() - most_layers);
  return out;
}

std::string difference_json(const ReportDifference& d) {
  return json_text([&](DocumentWriter& out) {
    out.map([&] {
      out.field("a", d.a);
      out.field("b", d.b);
      const auto pair = [&](const auto& row) {
        out.map([&] {
          out.field("name", row.name);
          out.field("a", row.a);
          out.field("b", row.b);
        });
      };
      out.list("inputs", d.inputs, pair);
      out.list("totals", d.totals, pair);
      out.list("layers", d.layers, [&](const LayerDifference& l) {
        out.map([&] {
          out.field("module_id", l.module_id);
          out.field("flops_torch_a", l.flops_a);
          out.field("flops_torch_b", l.flops_b);
          out.field("bytes_moved_a", l.bytes_a);
          out.field("bytes_moved_b", l.bytes_b);
        });
      });
    });
  });
}

}  // namespace modelmeter
