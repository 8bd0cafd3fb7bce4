#include "report/difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/format.h"
#include "base/json_writer.h"
#include "report/ranking.h"
#include "report/role.h"
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

std::string implementation_of(const Report& r) {
  for (const auto& [name, value] : r.runtime) {
    if (name == "implementation") return text_of(value);
  }
  return "";
}

// Leaves that cost something; those of one role together.
void add_layers(const Report& r, const std::string& implementation, std::map<std::string, LayerDifference>& out,
                bool is_a) {
  std::map<std::string, std::string> label;
  const std::vector<std::string> all = labels(r);
  for (size_t i = 0; i < all.size(); ++i) label[r.modules[i].module_id] = all[i];
  for (const ModuleMetricsSnapshot* s : top_leaves(r, r.modules.size())) {
    if (s->exact.kernels == 0) continue;
    const std::string role = role_of(s->module_id, implementation);
    LayerDifference& d = out[role];
    if (d.label.empty() || role == s->module_id) d.label = role == s->module_id ? label[role] : role;
    (is_a ? d.in_a : d.in_b) = true;
    (is_a ? d.flops_a : d.flops_b) += s->exact.flops_torch;
    (is_a ? d.bytes_a : d.bytes_b) += s->exact.bytes_moved;
  }
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

  const std::string code_a = implementation_of(a), code_b = implementation_of(b);
  out.by_role = code_a != code_b;
  std::map<std::string, LayerDifference> layers;
  add_layers(a, out.by_role ? code_a : "", layers, true);
  add_layers(b, out.by_role ? code_b : "", layers, false);
  for (auto& [id, d] : layers) {
    d.module_id = id;
    out.layers_in_common += d.in_a && d.in_b ? 1 : 0;
    if (d.flops_a != d.flops_b || d.bytes_a != d.bytes_b) out.layers.push_back(d);
  }
  std::stable_sort(out.layers.begin(), out.layers.end(), [](const LayerDifference& x, const LayerDifference& y) {
    const Count flops_x = distance(x.flops_a, x.flops_b), flops_y = distance(y.flops_a, y.flops_b);
    if (flops_x != flops_y) return flops_x > flops_y;
    return distance(x.bytes_a, x.bytes_b) > distance(y.bytes_a, y.bytes_b);
  });
  return out;
}

namespace {

std::string differing_layers_table(const ReportDifference& d, size_t shown) {
  Count flops = 0, bytes = 0;
  for (size_t i = 0; i < shown; ++i) {
    flops = std::max({flops, d.layers[i].flops_a, d.layers[i].flops_b});
    bytes = std::max({bytes, d.layers[i].bytes_a, d.layers[i].bytes_b});
  }
  const Scale of_flops = scale_of(Unit::flop, flops), of_bytes = scale_of(Unit::byte, bytes);
  Table table({"Layer", of_flops.unit + " A", "B", "B / A", of_bytes.unit + " A", "B", "B / A"},
              {Align::left, Align::right, Align::right, Align::right, Align::right, Align::right, Align::right});
  const auto number = [](bool there, const Scale& scale, Count value) { return there ? scale.number(value) : "-"; };
  for (size_t i = 0; i < shown; ++i) {
    const LayerDifference& l = d.layers[i];
    const bool both = l.in_a && l.in_b;
    table.add({l.label, number(l.in_a, of_flops, l.flops_a), number(l.in_b, of_flops, l.flops_b),
               both ? ratio(l.flops_a, l.flops_b) : "-", number(l.in_a, of_bytes, l.bytes_a),
               number(l.in_b, of_bytes, l.bytes_b), both ? ratio(l.bytes_a, l.bytes_b) : "-"});
  }
  const size_t more = d.layers.size() - shown;
  return table.markdown() + (more > 0 ? fmt::format("\n{} more layers differ.\n", more) : "");
}

}  // namespace

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
  if (d.layers_in_common == 0) return out + "The two have no layer in common: they are two models.\n";
  if (d.layers.empty()) return out + "The same.\n";
  if (d.by_role) out += "Of two code bases: layers stand beside each other by what they are for.\n\n";
  return out + differing_layers_table(d, std::min(most_layers, d.layers.size()));
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
      out.field("layers_in_common", d.layers_in_common);
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
