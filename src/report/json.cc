#include "report/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json_reader.h"
#include "base/json_writer.h"
#include "config/yaml_writer.h"

namespace modelmeter {
namespace {

constexpr char schema[] = "modelmeter.report/2";

// --- writing ---------------------------------------------------------------------------------------------------------

void write(const Figures& f, DocumentWriter& out) {
  out.map([&] {
    for (const FigureRow& row : figure_rows) out.field(row.name, row.get(f));
  });
}

void write(const char* name, const Figures& f, DocumentWriter& out) {
  out.key(name);
  write(f, out);
}

void write(const AnalyticModuleNode& m, DocumentWriter& out) {
  out.map([&] {
    out.field("module_id", m.module_id);
    out.field("name", m.name);
    out.field("qualified_class_name", m.qualified_class_name);
    out.field("stage", m.stage);
    out.field("parent_id", m.parent_id);
    out.field("children", m.children);
    out.field("repetition", m.repetition);
    out.field("repetition_count", m.repetition_count);
    out.field("constructor_params", m.constructor_params);
  });
}

void write(const OperatorMetrics& m, DocumentWriter& out) {
  out.map([&] {
    out.field("category_id", m.category_id);
    out.field("calls", m.calls);
    out.field("flops_tflops", m.flops_tflops);
    out.field("io_tb", m.io_tb);
    out.field("share_of_module_flops", m.share_of_module_flops);
  });
}

// A figure as the forerunner's snapshots have it.
std::optional<double> snapshot_float(const FigureRow& row, const Figures& f) {
  const std::optional<Count> value = row.get(f);
  if (!value) return std::nullopt;
  return static_cast<double>(*value) / row.snapshot_unit;
}

void write(const ModuleTime& t, DocumentWriter& out) {
  out.map("time", [&] {
    out.field("bound", t.bound);
    out.field("speed_of_light_ms", t.light_ms);
    out.field("joules", t.joules);
  });
}

void write(const char* name, const TimeFigures& t, double unit, const char* suffix, DocumentWriter& out) {
  const auto key = [&](const char* what) { return fmt::format("{}_{}", what, suffix); };
  out.map(name, [&] {
    out.field(key("device"), t.device_s * unit);
    out.field(key("wall"), t.wall_s * unit);
    out.field(key("interval"), std::vector<double>{t.low_s * unit, t.high_s * unit});
    out.field(key("host"), t.host_s * unit);
    out.field("joules", t.joules);
    out.field("usd", t.usd);
    out.field("launches", static_cast<int64_t>(t.launches));
    out.field("bound", t.bound);
    out.field("clock_share", t.clock_share);
    out.field("tensor_tflops_per_s", t.flops_per_s / 1e12);
    out.field("mfu", t.mfu);
    if (!t.copies_s || !t.copied_bytes) return;
    out.field(key("weight_copies"), *t.copies_s * unit);
    out.field("weight_copied_bytes", *t.copied_bytes);
  });
}

void write(const Timing& t, DocumentWriter& out) {
  out.map("timing", [&] {
    out.field("device", t.device);
    out.field("host", t.host);
    out.field("stack", t.stack);
    if (!t.cluster.empty()) out.field("cluster", t.cluster);
    write("forward", t.forward, 1e3, "ms", out);
    write("total", t.total, 1, "s", out);
    out.list("stages", t.stages, [&](const TimingStage& s) {
      out.map([&] {
        out.field("stage", s.stage);
        out.field("on_device", s.on_device);
        write("forward", s.forward, 1e3, "ms", out);
        write("total", s.total, 1, "s", out);
        if (s.measured_device_s) out.field("measured_device_ms", *s.measured_device_s * 1e3);
      });
    });
  });
}

void write(const std::vector<CommunicationFigures>& communication, DocumentWriter& out) {
  out.list("communication", communication, [&](const CommunicationFigures& c) {
    out.map([&] {
      out.field("collective", c.collective);
      out.field("group", c.group);
      out.field("ranks", c.ranks);
      out.field("calls", c.calls);
      out.field("link_bytes_sent", c.sent);
      out.field("link_bytes_received", c.received);
      out.field("seconds", c.seconds);
    });
  });
}

void write(const ModuleMetricsSnapshot& s, DocumentWriter& out) {
  out.map([&] {
    out.field("module_id", s.module_id);
    out.field("profile_id", s.profile_id);
    out.field("calls", s.calls);
    out.field("total_time_ms", s.time ? std::optional<double>(s.time->total_time_ms) : std::nullopt);
    for (const FigureRow& row : figure_rows) {
      if (row.snapshot_field != nullptr) out.field(row.snapshot_field, snapshot_float(row, s.exact));
    }
    out.field("share_of_model_time", s.time ? std::optional<double>(s.time->share_of_model_time) : std::nullopt);
    out.field("share_of_model_flops", s.share_of_model_flops);
    out.list("operator_breakdown", s.operator_breakdown, [&](const OperatorMetrics& m) { write(m, out); });
    if (s.time) write(*s.time, out);
    write("exact", s.exact, out);
  });
}

void write(const OperatorCategory& c, DocumentWriter& out) {
  out.map([&] {
    out.field("category_id", c.id);
    out.field("display_name", c.display_name);
    out.field("description", c.description);
    out.field("match_classes", c.match);
  });
}

std::string joined(const std::vector<std::string>& notes) {
  std::string out;
  for (const std::string& note : notes) out += (out.empty() ? "" : "\n") + note;
  return out;
}

std::optional<double> predicted_ms(const Report& r) {
  return r.timing ? std::optional<double>(r.timing->total.wall_s * 1e3) : std::nullopt;
}

void write(const Report& r, DocumentWriter& out) {
  out.map([&] {
    out.field("schema", schema);
    out.field("report_id", r.report_id);
    out.field("family", r.family);
    out.map("units", [&] {
      out.field("flops", "1e12 FLOP");
      out.field("io_tb", "1e12 bytes");
      out.field("memory_gb", "1e9 bytes");
    });
    out.field("flops_convention", "torch");
    out.field("model", r.model);
    out.field("workload", r.workload);
    out.field("runtime", r.runtime);
    write("totals", r.totals, out);
    write("per_forward", r.per_forward, out);
    out.list("stages", r.stages, [&](const StageFigures& s) {
      out.map([&] {
        out.field("stage", s.stage);
        out.field("nested_in", s.nested_in);
        write("figures", s.figures, out);
      });
    });
    const auto write_item = [&](const auto& item) { write(item, out); };
    out.list("modules", r.modules, write_item);
    out.list("operator_categories", r.operator_categories, write_item);
    out.list("module_metrics", r.module_metrics, write_item);
    const std::optional<double> predicted = predicted_ms(r);
    out.field("profile_run_id", r.profile_run_id);
    out.field("predicted_total_time_ms", predicted);
    out.field("measured_total_time_ms", r.measured_total_time_ms);
    out.field("predicted_vs_measured_ratio", predicted && r.measured_total_time_ms
                                                 ? std::optional<double>(*predicted / *r.measured_total_time_ms)
                                                 : std::nullopt);
    out.field("notes", joined(r.notes));
    out.field("layer_docs_dir", r.layer_docs_dir);
    if (r.timing) write(*r.timing, out);
    if (!r.communication.empty()) write(r.communication, out);
  });
}

// --- reading ---------------------------------------------------------------------------------------------------------

class Reader final : public JsonReader {
 public:
  Reader(const std::string& file, bool timed)
      : JsonReader(file, "a report is the report.json that `modelmeter analyze` writes"), timed_(timed) {}

  std::optional<std::string> text_or_null(const Json& object, const char* key) const {
    if (field(object, key).is_null()) return std::nullopt;
    return text(object, key);
  }
  int64_t integer(const Json& object, const char* key) const {
    const Json& value = field(object, key);
    if (!value.is_number_integer() || value.get<int64_t>() < 0) fail(fmt::format("\"{}\" is not a count", key));
    return value.get<int64_t>();
  }
  Count count(const Json& object, const char* key) const {
    const std::optional<Count> value = count_in(field(object, key));
    if (!value || *value < 0) fail(fmt::format("\"{}\" is not a count", key));
    return *value;
  }
  std::optional<double> number_or_null(const Json& object, const char* key) const {
    if (field(object, key).is_null()) return std::nullopt;
    return number(object, key);
  }
  // A time, which all reports with a device have and others do not.
  double time(const Json& object, const char* key) const {
    if (timed_) return number(object, key);
    if (!field(object, key).is_null()) fail(fmt::format("\"{}\" is not null", key));
    return 0;
  }
  double number(const Json& object, const char* key) const {
    const Json& value = field(object, key);
    if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() < 0) {
      fail(fmt::format("\"{}\" is not a number of 0 or more", key));
    }
    return value.get<double>();
  }
  Fields fields(const Json& object, const char* key, bool null_allowed = false) const {
    const Json& value = field(object, key);
    if (!value.is_object()) fail(fmt::format("\"{}\" is not an object", key));
    Fields out;
    for (const auto& [name, v] : value.items()) {
      if (v.is_boolean()) {
        out.emplace_back(name, v.get<bool>());
      } else if (v.is_number_integer()) {
        out.emplace_back(name, v.get<int64_t>());
      } else if (v.is_number_float()) {
        out.emplace_back(name, v.get<double>());
      } else if (v.is_string()) {
        out.emplace_back(name, v.get<std::string>());
      } else if (v.is_null() && null_allowed) {
        out.emplace_back(name, nullptr);
      } else {
        fail(fmt::format("\"{}.{}\" is neither a number, a string nor a truth value", key, name));
      }
    }
    return out;
  }
  std::vector<std::string> texts(const Json& object, const char* key) const {
    std::vector<std::string> out;
    for (const Json& item : list(object, key)) {
      if (!item.is_string()) fail(fmt::format("\"{}\" holds something else than strings", key));
      out.push_back(item.get<std::string>());
    }
    return out;
  }

  Figures figures(const Json& f) const {
    Figures out;
    for (const FigureRow& row : figure_rows) {
      if (row.maybe != nullptr && field(f, row.name).is_null()) continue;
      row.set(out, count(f, row.name));
    }
    return out;
  }

  AnalyticModuleNode module(const Json& m) const {
    AnalyticModuleNode out;
    out.module_id = text(m, "module_id");
    out.name = text(m, "name");
    out.qualified_class_name = text(m, "qualified_class_name");
    out.stage = text(m, "stage");
    out.parent_id = text_or_null(m, "parent_id");
    out.children = texts(m, "children");
    out.repetition = text(m, "repetition");
    if (!field(m, "repetition_count").is_null()) out.repetition_count = integer(m, "repetition_count");
    out.constructor_params = fields(m, "constructor_params");
    return out;
  }

  std::optional<ModuleTime> module_time(const Json& s) const {
    ModuleTime out;
    out.total_time_ms = time(s, "total_time_ms");
    out.share_of_model_time = time(s, "share_of_model_time");
    if (!timed_) return std::nullopt;
    const Json& more = field(s, "time");
    out.bound = text(more, "bound");
    out.light_ms = number(more, "speed_of_light_ms");
    out.joules = number(more, "joules");
    return out;
  }

  // `unit`: of it in a second; `suffix` names it.
  TimeFigures time_figures(const Json& t, double unit, const std::string& suffix) const {
    const auto seconds = [&](const char* what) { return number(t, (what + suffix).c_str()) / unit; };
    TimeFigures out;
    out.device_s = seconds("device");
    out.wall_s = seconds("wall");
    const Json& interval = list(t, ("interval" + suffix).c_str());
    const auto is_number = [](const Json& item) { return item.is_number(); };
    if (interval.size() != 2 || !std::all_of(interval.begin(), interval.end(), is_number)) {
      fail("an interval is not two numbers");
    }
    out.low_s = interval[0].get<double>() / unit;
    out.high_s = interval[1].get<double>() / unit;
    out.host_s = seconds("host");
    out.joules = number_or_null(t, "joules");
    out.usd = number_or_null(t, "usd");
    out.launches = static_cast<double>(integer(t, "launches"));
    out.bound = text(t, "bound");
    out.clock_share = number(t, "clock_share");
    out.flops_per_s = number(t, "tensor_tflops_per_s") * 1e12;
    out.mfu = number_or_null(t, "mfu");
    if (!t.contains("weight_copied_bytes")) return out;
    out.copies_s = seconds("weight_copies");
    out.copied_bytes = count(t, "weight_copied_bytes");
    return out;
  }

  CommunicationFigures communication(const Json& c) const {
    CommunicationFigures out;
    out.collective = text(c, "collective");
    out.group = text(c, "group");
    out.ranks = integer(c, "ranks");
    out.calls = count(c, "calls");
    out.sent = count(c, "link_bytes_sent");
    out.received = count(c, "link_bytes_received");
    out.seconds = number_or_null(c, "seconds");
    return out;
  }

  Timing timing(const Json& t) const {
    Timing out;
    out.device = text(t, "device");
    out.host = text(t, "host");
    out.stack = text(t, "stack");
    if (t.contains("cluster")) out.cluster = text(t, "cluster");
    out.forward = time_figures(field(t, "forward"), 1e3, "_ms");
    out.total = time_figures(field(t, "total"), 1, "_s");
    for (const Json& s : list(t, "stages")) {
      if (!field(s, "on_device").is_boolean()) fail("\"on_device\" is not a truth value");
      out.stages.push_back({text(s, "stage"),
                            s["on_device"].get<bool>(),
                            time_figures(field(s, "forward"), 1e3, "_ms"),
                            time_figures(field(s, "total"), 1, "_s"),
                            {}});
      if (!s.contains("measured_device_ms")) continue;
      const std::optional<double> measured_ms = number_or_null(s, "measured_device_ms");
      if (measured_ms) out.stages.back().measured_device_s = *measured_ms / 1e3;
    }
    return out;
  }

  ModuleMetricsSnapshot snapshot(const Json& s) const {
    ModuleMetricsSnapshot out;
    out.module_id = text(s, "module_id");
    out.profile_id = text(s, "profile_id");
    out.calls = integer(s, "calls");
    out.time = module_time(s);
    out.share_of_model_flops = number(s, "share_of_model_flops");
    for (const Json& m : list(s, "operator_breakdown")) {
      out.operator_breakdown.push_back({text(m, "category_id"), count(m, "calls"), number(m, "flops_tflops"),
                                        number(m, "io_tb"), number(m, "share_of_module_flops")});
    }
    out.exact = figures(field(s, "exact"));
    for (const FigureRow& row : figure_rows) {
      if (row.snapshot_field != nullptr && number(s, row.snapshot_field) != snapshot_float(row, out.exact)) {
        fail(fmt::format("\"{}\" of {} is not its \"{}\" in full", row.snapshot_field, out.module_id, row.name));
      }
    }
    return out;
  }

 private:
  bool timed_;  // whether the report has a section `timing`
};

}  // namespace

std::string to_json(const Report& report) {
  return json_text([&](DocumentWriter& out) { write(report, out); }) + "\n";
}

std::string to_yaml(const Report& report) {
  config::YamlWriter out;
  write(report, out);
  return out.take();
}

std::string run_json(const Report& r, const std::vector<std::string>& files) {
  return json_text([&](DocumentWriter& out) {
    out.map([&] {
      out.field("report_id", r.report_id);
      out.field("files", files);
      out.field("model", r.model);
      out.field("workload", r.workload);
      out.field("runtime", r.runtime);
      write("totals", r.totals, out);
      write("per_forward", r.per_forward, out);
      if (r.timing) write(*r.timing, out);
      if (!r.communication.empty()) write(r.communication, out);
      out.field("notes", joined(r.notes));
    });
  });
}

Report report_from_json(const std::string& content, const std::string& file) {
  const Json document = Reader(file, false).parse(content);
  const Reader reader(file, document.is_object() && document.contains("timing"));
  const Json found = document.is_object() ? document.value("schema", Json()) : Json();
  if (found == Json("modelmeter.report/1")) reader.fail("a report of an earlier modelmeter; analyze writes it anew");
  if (found != Json(schema)) reader.fail("not a modelmeter report");
  Report out;
  out.report_id = reader.text(document, "report_id");
  out.family = reader.text(document, "family");
  out.model = reader.fields(document, "model", true);
  out.workload = reader.fields(document, "workload");
  out.runtime = reader.fields(document, "runtime");
  out.totals = reader.figures(reader.field(document, "totals"));
  out.per_forward = reader.figures(reader.field(document, "per_forward"));
  for (const Json& m : reader.list(document, "modules")) out.modules.push_back(reader.module(m));
  for (const Json& c : reader.list(document, "operator_categories")) {
    out.operator_categories.push_back({reader.text(c, "category_id"),
                                       reader.text(c, "display_name"),
                                       reader.text(c, "description"),
                                       reader.texts(c, "match_classes"),
                                       {}});
  }
  for (const Json& s : reader.list(document, "stages")) {
    out.stages.push_back(
        {reader.text(s, "stage"), reader.text_or_null(s, "nested_in"), reader.figures(reader.field(s, "figures"))});
  }
  for (const Json& s : reader.list(document, "module_metrics")) out.module_metrics.push_back(reader.snapshot(s));
  const auto leaves = static_cast<size_t>(std::count_if(
      out.modules.begin(), out.modules.end(), [](const AnalyticModuleNode& m) { return m.children.empty(); }));
  if (out.modules.empty() || (out.module_metrics.size() != out.modules.size() && out.module_metrics.size() != leaves)) {
    reader.fail("it has not one snapshot for each module, or for each leaf");
  }
  out.layer_docs_dir = reader.text_or_null(document, "layer_docs_dir");
  reader.time(document, "predicted_total_time_ms");
  if (document.contains("timing")) out.timing = reader.timing(document["timing"]);
  if (document.contains("communication")) {
    for (const Json& c : reader.list(document, "communication")) out.communication.push_back(reader.communication(c));
  }
  out.profile_run_id = reader.text_or_null(document, "profile_run_id");
  out.measured_total_time_ms = reader.number_or_null(document, "measured_total_time_ms");
  if (const std::string notes = reader.text(document, "notes"); !notes.empty()) out.notes.push_back(notes);
  return out;
}

}  // namespace modelmeter
