#include "report/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/json.h"
#include "config/yaml.h"

namespace modelmeter {
namespace {

constexpr char schema[] = "modelmeter.report/1";

// --- writing ---------------------------------------------------------------------------------------------------------

Json json(const Fields& fields) {
  Json out = Json::object();
  for (const auto& [name, value] : fields) {
    std::visit([&, &key = name](const auto& v) { out[key] = v; }, value);
  }
  return out;
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json json(const Figures& f) {
  Json out = {{"parameters", f.parameters},
              {"weight_bytes", f.weight_bytes},
              {"kernels", f.kernels},
              {"flops_torch", f.flops_torch},
              {"flops_full", f.flops_full},
              {"flops_tensor", f.flops_tensor},
              {"flops_vector", f.flops_vector},
              {"bytes_read", f.bytes_read},
              {"bytes_written", f.bytes_written},
              {"activation_peak_bytes", f.activation_peak_bytes},
              {"kv_cache_bytes", f.kv_cache_bytes}};
  if (f.peak_live_bytes) out["peak_live_bytes"] = *f.peak_live_bytes;
  return out;
}

Json json(const AnalyticModuleNode& m) {
  return {{"module_id", m.module_id},
          {"name", m.name},
          {"qualified_class_name", m.qualified_class_name},
          {"stage", m.stage},
          {"parent_id", or_null(m.parent_id)},
          {"children", m.children},
          {"repetition", m.repetition},
          {"repetition_count", or_null(m.repetition_count)},
          {"constructor_params", json(m.constructor_params)}};
}

Json json(const OperatorMetrics& m) {
  return {{"category_id", m.category_id},
          {"calls", m.calls},
          {"flops_tflops", m.flops_tflops},
          {"io_tb", m.io_tb},
          {"share_of_module_flops", m.share_of_module_flops}};
}

Json json(const ModuleMetricsSnapshot& s) {
  Json breakdown = Json::array();
  for (const OperatorMetrics& m : s.operator_breakdown) breakdown.push_back(json(m));
  return {{"module_id", s.module_id},
          {"profile_id", s.profile_id},
          {"calls", s.calls},
          {"total_time_ms", s.total_time_ms},
          {"total_flops_tflops", s.total_flops_tflops},
          {"total_io_tb", s.total_io_tb},
          {"memory_weights_gb", s.memory_weights_gb},
          {"memory_activations_gb", s.memory_activations_gb},
          {"memory_kvcache_gb", s.memory_kvcache_gb},
          {"share_of_model_time", s.share_of_model_time},
          {"operator_breakdown", breakdown},
          {"exact", json(s.exact)}};
}

std::string joined(const std::vector<std::string>& notes) {
  std::string out;
  for (const std::string& note : notes) out += (out.empty() ? "" : "\n") + note;
  return out;
}

// --- reading ---------------------------------------------------------------------------------------------------------

class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  [[noreturn]] void fail(const std::string& message) const {
    throw Error(fmt::format("{}: {}", file_, message), {},
                {"a report is the report.json that `modelmeter analyze` writes"});
  }
  const Json& field(const Json& object, const char* key) const {
    if (!object.is_object() || !object.contains(key)) fail(fmt::format("no field \"{}\"", key));
    return object[key];
  }
  const Json& list(const Json& object, const char* key) const {
    const Json& value = field(object, key);
    if (!value.is_array()) fail(fmt::format("\"{}\" is not a list", key));
    return value;
  }
  std::string text(const Json& object, const char* key) const {
    const Json& value = field(object, key);
    if (!value.is_string()) fail(fmt::format("\"{}\" is not a string", key));
    return value.get<std::string>();
  }
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
    out.parameters = count(f, "parameters");
    out.weight_bytes = count(f, "weight_bytes");
    out.kernels = count(f, "kernels");
    out.flops_torch = count(f, "flops_torch");
    out.flops_full = count(f, "flops_full");
    out.flops_tensor = count(f, "flops_tensor");
    out.flops_vector = count(f, "flops_vector");
    out.bytes_read = count(f, "bytes_read");
    out.bytes_written = count(f, "bytes_written");
    out.activation_peak_bytes = count(f, "activation_peak_bytes");
    out.kv_cache_bytes = count(f, "kv_cache_bytes");
    if (f.contains("peak_live_bytes")) out.peak_live_bytes = count(f, "peak_live_bytes");
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

  ModuleMetricsSnapshot snapshot(const Json& s) const {
    ModuleMetricsSnapshot out;
    out.module_id = text(s, "module_id");
    out.profile_id = text(s, "profile_id");
    out.calls = integer(s, "calls");
    out.total_time_ms = number(s, "total_time_ms");
    out.total_flops_tflops = number(s, "total_flops_tflops");
    out.total_io_tb = number(s, "total_io_tb");
    out.memory_weights_gb = number(s, "memory_weights_gb");
    out.memory_activations_gb = number(s, "memory_activations_gb");
    out.memory_kvcache_gb = number(s, "memory_kvcache_gb");
    out.share_of_model_time = number(s, "share_of_model_time");
    for (const Json& m : list(s, "operator_breakdown")) {
      out.operator_breakdown.push_back({text(m, "category_id"), count(m, "calls"), number(m, "flops_tflops"),
                                        number(m, "io_tb"), number(m, "share_of_module_flops")});
    }
    out.exact = figures(field(s, "exact"));
    return out;
  }

 private:
  std::string file_;
};

}  // namespace

std::string to_json(const Report& r) {
  Json categories = Json::array(), modules = Json::array(), metrics = Json::array(), stages = Json::array();
  for (const OperatorCategory& c : r.operator_categories) {
    categories.push_back({{"category_id", c.id},
                          {"display_name", c.display_name},
                          {"description", c.description},
                          {"match_classes", c.match}});
  }
  for (const StageFigures& s : r.stages) {
    stages.push_back({{"stage", s.stage}, {"nested_in", or_null(s.nested_in)}, {"figures", json(s.figures)}});
  }
  for (const AnalyticModuleNode& m : r.modules) modules.push_back(json(m));
  for (const ModuleMetricsSnapshot& s : r.module_metrics) metrics.push_back(json(s));
  const Json document = {{"schema", schema},
                         {"report_id", r.report_id},
                         {"family", r.family},
                         {"units", {{"flops", "1e12 FLOP"}, {"io_tb", "1e12 bytes"}, {"memory_gb", "1e9 bytes"}}},
                         {"flops_convention", "torch"},
                         {"model", json(r.model)},
                         {"workload", json(r.workload)},
                         {"runtime", json(r.runtime)},
                         {"totals", json(r.totals)},
                         {"per_forward", json(r.per_forward)},
                         {"stages", stages},
                         {"modules", modules},
                         {"operator_categories", categories},
                         {"module_metrics", metrics},
                         {"profile_run_id", nullptr},
                         {"predicted_total_time_ms", r.predicted_total_time_ms},
                         {"measured_total_time_ms", nullptr},
                         {"predicted_vs_measured_ratio", nullptr},
                         {"notes", joined(r.notes)},
                         {"layer_docs_dir", or_null(r.layer_docs_dir)}};
  return dump_json(document, 2) + "\n";
}

std::string to_yaml(const Report& report) {
  return config::to_yaml(config::parse_yaml(to_json(report), "report.json"));
}

Report report_from_json(const std::string& content, const std::string& file) {
  const Reader reader(file);
  const Json document = parse_json(content);
  if (document.is_discarded()) reader.fail("not a JSON file");
  if (!document.is_object() || document.value("schema", Json()) != Json(schema)) reader.fail("not a modelmeter report");
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
  out.predicted_total_time_ms = reader.number(document, "predicted_total_time_ms");
  if (const std::string notes = reader.text(document, "notes"); !notes.empty()) out.notes.push_back(notes);
  return out;
}

}  // namespace modelmeter
