#include "report/difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/format.h"
#include "base/json_writer.h"
#include "report/ranking.h"
#include "report/role.h"
#include "report/table.h"
#include "report/timing_text.h"
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
    if (s->time) (is_a ? d.ms_a : d.ms_b) += s->time->total_time_ms;
  }
}

Count distance(Count a, Count b) { return a < b ? b - a : a - b; }

// Of the stage's forward, or the whole run.
const TimeFigures* forward_of(const Report& r, const std::string& stage) {
  if (!r.timing) return nullptr;
  for (const TimingStage& s : r.timing->stages) {
    if (s.stage == stage && s.on_device) return &s.forward;
  }
  return nullptr;
}

std::vector<std::string> stages_of(const Report& a, const Report& b) {
  std::vector<std::string> out;
  for (const Report* r : {&a, &b}) {
    if (!r->timing) continue;
    for (const TimingStage& s : r->timing->stages) {
      if (std::find(out.begin(), out.end(), s.stage) == out.end()) out.push_back(s.stage);
    }
  }
  return out;
}

void compare_times(const Report& a, const Report& b, ReportDifference& out) {
  if (a.timing) out.device_a = a.timing->device;
  if (b.timing) out.device_b = b.timing->device;
  if (!a.timing && !b.timing) return;
  using Unit = TimeDifference::Unit;
  const auto add = [&](const std::string& name, Unit unit, const TimeFigures* of_a, const TimeFigures* of_b,
                       const auto& get) {
    const auto value = [&](const TimeFigures* t) { return t == nullptr ? std::optional<double>() : get(*t); };
    out.times.push_back({name, unit, value(of_a), value(of_b)});
  };
  const auto wall = [](const TimeFigures& t) -> std::optional<double> { return t.wall_s; };
  for (const std::string& stage : stages_of(a, b)) {
    add(stage + ", one forward", Unit::seconds, forward_of(a, stage), forward_of(b, stage), wall);
  }
  const TimeFigures* whole_a = a.timing ? &a.timing->total : nullptr;
  const TimeFigures* whole_b = b.timing ? &b.timing->total : nullptr;
  const auto device = [](const TimeFigures& t) -> std::optional<double> { return t.device_s; };
  const auto host = [](const TimeFigures& t) -> std::optional<double> { return t.host_s; };
  add("wall", Unit::seconds, whole_a, whole_b, wall);
  add("device", Unit::seconds, whole_a, whole_b, device);
  add("host", Unit::seconds, whole_a, whole_b, host);
  add("joules", Unit::joules, whole_a, whole_b, [](const TimeFigures& t) { return t.joules; });
  add("usd", Unit::usd, whole_a, whole_b, [](const TimeFigures& t) { return t.usd; });
}

// Where times are there, layers stand by them.
bool changed_more(const LayerDifference& x, const LayerDifference& y) {
  const double time_x = std::abs(x.ms_a - x.ms_b), time_y = std::abs(y.ms_a - y.ms_b);
  if (time_x != time_y) return time_x > time_y;
  const Count flops_x = distance(x.flops_a, x.flops_b), flops_y = distance(y.flops_a, y.flops_b);
  if (flops_x != flops_y) return flops_x > flops_y;
  return distance(x.bytes_a, x.bytes_b) > distance(y.bytes_a, y.bytes_b);
}

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
  compare_times(a, b, out);
  const bool timed = a.timing && b.timing;
  for (auto& [id, d] : layers) {
    d.module_id = id;
    if (!timed) d.ms_a = d.ms_b = 0;
    out.layers_in_common += d.in_a && d.in_b ? 1 : 0;
    if (d.flops_a != d.flops_b || d.bytes_a != d.bytes_b || d.ms_a != d.ms_b) out.layers.push_back(d);
  }
  std::stable_sort(out.layers.begin(), out.layers.end(), changed_more);
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
  const bool timed = !d.device_a.empty() && !d.device_b.empty();
  std::vector<std::string> titles = {"Layer", of_flops.unit + " A", "B", "B / A", of_bytes.unit + " A", "B", "B / A"};
  if (timed) titles.insert(titles.begin() + 1, {"Time A", "B", "B / A"});
  std::vector<Align> align(titles.size(), Align::right);
  align[0] = Align::left;
  Table table(std::move(titles), std::move(align));
  const auto number = [](bool there, const Scale& scale, Count value) { return there ? scale.number(value) : "-"; };
  for (size_t i = 0; i < shown; ++i) {
    const LayerDifference& l = d.layers[i];
    const bool both = l.in_a && l.in_b;
    std::vector<std::string> cells = {l.label,
                                      number(l.in_a, of_flops, l.flops_a),
                                      number(l.in_b, of_flops, l.flops_b),
                                      both ? ratio(l.flops_a, l.flops_b) : "-",
                                      number(l.in_a, of_bytes, l.bytes_a),
                                      number(l.in_b, of_bytes, l.bytes_b),
                                      both ? ratio(l.bytes_a, l.bytes_b) : "-"};
    if (timed) {
      cells.insert(cells.begin() + 1,
                   {l.in_a ? seconds_text(l.ms_a / 1e3) : "-", l.in_b ? seconds_text(l.ms_b / 1e3) : "-",
                    both && l.ms_a > 0 ? fmt::format("{:.4g}", l.ms_b / l.ms_a) : "-"});
    }
    table.add(std::move(cells));
  }
  const size_t more = d.layers.size() - shown;
  return table.markdown() + (more > 0 ? fmt::format("\n{} more layers differ.\n", more) : "");
}

std::string times_table(const ReportDifference& d) {
  const auto named = [](const std::string& device) { return device.empty() ? std::string("no device") : device; };
  Table table({"", "A: " + named(d.device_a), "B: " + named(d.device_b), "B / A"},
              {Align::left, Align::right, Align::right, Align::right});
  for (const TimeDifference& t : d.times) {
    const auto text = [&](const std::optional<double>& value) {
      if (!value) return std::string("-");
      if (t.unit == TimeDifference::Unit::seconds) return seconds_text(*value);
      return t.unit == TimeDifference::Unit::joules ? fmt::format("{:.4g} J", *value) : fmt::format("{:.4f}", *value);
    };
    const bool both = t.a && t.b && *t.a > 0;
    table.add({t.name, text(t.a), text(t.b), both ? fmt::format("{:.4g}", *t.b / *t.a) : "-"});
  }
  return table.markdown();
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
  out += "\n## Totals\n\n" + totals.markdown();
  if (!d.times.empty()) out += "\n## Times\n\n" + times_table(d);
  out += "\n## Layers\n\n";
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
      const bool timed = !d.device_a.empty() && !d.device_b.empty();
      if (!d.times.empty()) {
        out.field("device_a", d.device_a.empty() ? std::nullopt : std::optional<std::string>(d.device_a));
        out.field("device_b", d.device_b.empty() ? std::nullopt : std::optional<std::string>(d.device_b));
        out.list("times", d.times, [&](const TimeDifference& t) {
          constexpr const char* units[] = {"s", "J", "USD"};
          out.map([&] {
            out.field("name", t.name);
            out.field("unit", std::string(units[static_cast<size_t>(t.unit)]));
            out.field("a", t.a);
            out.field("b", t.b);
          });
        });
      }
      out.field("layers_in_common", d.layers_in_common);
      out.list("layers", d.layers, [&](const LayerDifference& l) {
        out.map([&] {
          out.field("module_id", l.module_id);
          out.field("flops_torch_a", l.flops_a);
          out.field("flops_torch_b", l.flops_b);
          out.field("bytes_moved_a", l.bytes_a);
          out.field("bytes_moved_b", l.bytes_b);
          if (!timed) return;
          out.field("total_time_ms_a", l.in_a ? std::optional<double>(l.ms_a) : std::nullopt);
          out.field("total_time_ms_b", l.in_b ? std::optional<double>(l.ms_b) : std::nullopt);
        });
      });
    });
  });
}

}  // namespace modelmeter
