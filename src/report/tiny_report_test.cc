// What a report says of a model that was worked out by hand (testing/tiny_model.h): every figure of every module, the
// tree of modules, shares and categories, in memory, as JSON and as YAML.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "config/yaml.h"
#include "report/builder.h"
#include "report/json.h"
#include "testing/tiny_model.h"

namespace modelmeter {
namespace {

using testing::ElementsAre;
using Json = nlohmann::ordered_json;

const Report& tiny_report() {
  static const Report report = build_report(testing_models::TinyModel(), "tiny");
  return report;
}

// In the order of testing/tiny_model.h's table; times how often a kernel runs.
struct Worked {
  int64_t kernels, tensor, vector, read, written;
};
constexpr Worked mul = {1, 0, 12, 64, 48}, up = {1, 192, 24, 208, 96}, silu = {1, 0, 96, 96, 96},
                 down = {1, 192, 12, 240, 48}, add_x = {1, 0, 12, 96, 48}, head = {1, 48, 0, 80, 24},
                 out = {1, 24, 6, 48, 24}, nothing = {0, 0, 0, 0, 0};

constexpr Worked operator*(int64_t times, const Worked& w) {
  return {times * w.kernels, times * w.tensor, times * w.vector, times * w.read, times * w.written};
}
constexpr Worked operator+(const Worked& a, const Worked& b) {
  return {a.kernels + b.kernels, a.tensor + b.tensor, a.vector + b.vector, a.read + b.read, a.written + b.written};
}
constexpr Worked block = up + silu + down + add_x, net = mul + 3 * block + head;

// Peaks: x is 48 bytes, what up and SiLU make 96 each. Nothing goes before the call that took it returns.
struct Row {
  const char* id;
  int64_t calls;
  Worked sums;
  int64_t parameters, peak;
};
constexpr Row rows[] = {
    {"pipeline", 1, 5 * net + out, 246, 48 + 96 + 96},
    {"core/net", 5, 5 * net, 240, 48 + 96 + 96},
    {"core/net/scaled", 5, 5 * mul, 0, 48},
    {"core/net/block_00", 5, 15 * block, 228, 48 + 96 + 96},
    {"core/net/block_00/mlp", 5, 15 * (up + down), 228, 48 + 96 + 48},
    {"core/net/block_00/mlp/up", 5, 15 * up, 120, 48 + 96},
    {"core/net/block_00/mlp/down", 5, 15 * down, 108, 48 + 96 + 48},
    {"core/net/block_00/act", 5, 15 * silu, 0, 48 + 96 + 96},
    {"core/net/block_00/residual", 5, 15 * add_x, 0, 48 + 96 + 96},
    {"core/net/head", 5, 5 * head, 8, 48 + 24},
    {"core/net/other", 5, nothing, 4, 48 + 96 + 96},
    {"tail/out", 1, out, 6, 24},
};

Figures figures(const Worked& w, int64_t parameters, int64_t peak) {
  Figures f;
  f.flops_torch = f.flops_tensor = w.tensor;
  f.flops_vector = w.vector;
  f.flops_full = w.tensor + w.vector;
  f.bytes_read = w.read;
  f.bytes_written = w.written;
  f.bytes_moved = w.read + w.written;
  f.kernels = w.kernels;
  f.parameters = parameters;
  f.weight_bytes = 4 * parameters;
  f.activation_peak_bytes = peak;
  f.kv_cache_bytes = 0;
  return f;
}

void expect_figures(const Figures& got, const Figures& wanted, const std::string& of) {
  for (const FigureRow& row : figure_rows) EXPECT_EQ(row.get(got), row.get(wanted)) << of << ": " << row.name;
}

TEST(TinyReport, HasTheFiguresOfEveryModule) {
  const Report& r = tiny_report();
  ASSERT_EQ(r.module_metrics.size(), std::size(rows));
  for (size_t i = 0; i < std::size(rows); ++i) {
    const ModuleMetricsSnapshot& s = r.module_metrics[i];
    EXPECT_EQ(s.module_id, rows[i].id);
    EXPECT_EQ(s.calls, rows[i].calls) << rows[i].id;
    EXPECT_EQ(s.profile_id, "by-hand");
    EXPECT_FALSE(s.time.has_value());
    expect_figures(s.exact, figures(rows[i].sums, rows[i].parameters, rows[i].peak), rows[i].id);
    const double share = i == 0 ? 1 : static_cast<double>(rows[i].sums.tensor) / (5 * 1200 + 24);
    EXPECT_DOUBLE_EQ(s.share_of_model_flops, share) << rows[i].id;
  }
}

// Everything live: all weights, 984 bytes, with the input of the stage that runs.
TEST(TinyReport, HasTotalsOneForwardAndStages) {
  const Report& r = tiny_report();
  Figures totals = figures(5 * net + out, 246, 240), once = figures(net + out, 246, 240);
  totals.peak_live_bytes = once.peak_live_bytes = 984 + 48 + 240;
  expect_figures(r.totals, totals, "totals");
  expect_figures(r.per_forward, once, "one forward");
  ASSERT_EQ(r.stages.size(), 2u);
  Figures diffusion = figures(5 * net, 240, 240), vae = figures(out, 6, 24);
  diffusion.peak_live_bytes = 984 + 48 + 240;
  vae.peak_live_bytes = 984 + 24 + 24;
  EXPECT_EQ(r.stages[0].stage, "diffusion");
  EXPECT_EQ(r.stages[1].stage, "vae");
  EXPECT_FALSE(r.stages[0].nested_in || r.stages[1].nested_in);
  expect_figures(r.stages[0].figures, diffusion, "diffusion");
  expect_figures(r.stages[1].figures, vae, "vae");
  EXPECT_DOUBLE_EQ(r.totals.arithmetic_intensity(), 8250.0 / 15072);
}

TEST(TinyReport, HasTheTreeOfModules) {
  struct Module {
    const char *id, *name, *klass, *stage, *parent;
    std::vector<std::string> children;
    Fields params;
  };
  const auto linear = [](int64_t in, int64_t wide, bool bias) {
    return Fields{{"in_features", in}, {"out_features", wide}, {"bias", bias}};
  };
  const std::string torch = "torch.nn.modules.", function = "modelmeter.Function";
  const std::string net_class = "tiny.nets.TinyNet", block_class = "tiny.nets.TinyBlock",
                    linear_class = torch + "linear.Linear", silu_class = torch + "activation.SiLU";
  const Module modules[] = {
      {"pipeline", "pipeline", "modelmeter.TinyModel", "pipeline", "", {"core/net", "tail/out"}, {}},
      {"core/net",
       "net",
       net_class.c_str(),
       "diffusion",
       "pipeline",
       {"core/net/scaled", "core/net/block_00", "core/net/head", "core/net/other"},
       {}},
      {"core/net/scaled", "scaled", function.c_str(), "diffusion", "core/net", {}, {}},
      {"core/net/block_00",
       "block_00",
       block_class.c_str(),
       "diffusion",
       "core/net",
       {"core/net/block_00/mlp", "core/net/block_00/act", "core/net/block_00/residual"},
       {{"hidden", int64_t{8}}}},
      {"core/net/block_00/mlp",
       "mlp",
       "modelmeter.ModuleGroup",
       "diffusion",
       "core/net/block_00",
       {"core/net/block_00/mlp/up", "core/net/block_00/mlp/down"},
       {}},
      {"core/net/block_00/mlp/up",
       "up",
       linear_class.c_str(),
       "diffusion",
       "core/net/block_00/mlp",
       {},
       linear(4, 8, true)},
      {"core/net/block_00/mlp/down",
       "down",
       linear_class.c_str(),
       "diffusion",
       "core/net/block_00/mlp",
       {},
       linear(8, 4, true)},
      {"core/net/block_00/act", "act", silu_class.c_str(), "diffusion", "core/net/block_00", {}, {}},
      {"core/net/block_00/residual", "residual", function.c_str(), "diffusion", "core/net/block_00", {}, {}},
      {"core/net/head", "head", linear_class.c_str(), "diffusion", "core/net", {}, linear(4, 2, false)},
      {"core/net/other", "other", function.c_str(), "diffusion", "core/net", {}, {}},
      {"tail/out", "out", linear_class.c_str(), "vae", "pipeline", {}, linear(2, 2, true)},
  };
  const Report& r = tiny_report();
  ASSERT_EQ(r.modules.size(), std::size(modules));
  for (size_t i = 0; i < std::size(modules); ++i) {
    const AnalyticModuleNode& got = r.modules[i];
    const Module& wanted = modules[i];
    SCOPED_TRACE(wanted.id);
    EXPECT_EQ(got.module_id, wanted.id);
    EXPECT_EQ(got.name, wanted.name);
    EXPECT_EQ(got.qualified_class_name, wanted.klass);
    EXPECT_EQ(got.stage, wanted.stage);
    EXPECT_EQ(got.parent_id.value_or(""), wanted.parent);
    EXPECT_EQ(got.children, wanted.children);
    EXPECT_EQ(got.constructor_params, wanted.params);
    const bool repeats = got.module_id == "core/net/block_00";
    EXPECT_EQ(got.repetition, repeats ? "for" : "none");
    EXPECT_EQ(got.repetition_count, repeats ? std::optional<int64_t>(3) : std::nullopt);
  }
}

TEST(TinyReport, DividesEachModuleIntoCategories) {
  // Of a module: category, kernels, torch FLOPs, bytes.
  struct Part {
    const char* category;
    Worked sums;
  };
  const std::map<std::string, std::vector<Part>> parts = {
      {"pipeline",
       {{"mlp", 15 * (up + down)},
        {"linear", 5 * head + out},
        {"activation", 5 * mul + 15 * silu},
        {"other", 15 * add_x}}},
      {"core/net",
       {{"mlp", 15 * (up + down)}, {"linear", 5 * head}, {"activation", 5 * mul + 15 * silu}, {"other", 15 * add_x}}},
      {"core/net/block_00", {{"mlp", 15 * (up + down)}, {"activation", 15 * silu}, {"other", 15 * add_x}}},
      {"core/net/block_00/mlp", {{"mlp", 15 * (up + down)}}},
      {"core/net/head", {{"linear", 5 * head}}},  // a Linear, and in no block
      {"core/net/scaled", {{"activation", 5 * mul}}},
      {"tail/out", {{"linear", out}}},
  };
  size_t seen = 0;
  for (const ModuleMetricsSnapshot& s : tiny_report().module_metrics) {
    const auto wanted = parts.find(s.module_id);
    if (wanted == parts.end()) continue;
    ++seen;
    ASSERT_EQ(s.operator_breakdown.size(), wanted->second.size()) << s.module_id;
    for (size_t i = 0; i < wanted->second.size(); ++i) {
      const OperatorMetrics& got = s.operator_breakdown[i];
      const Worked& sums = wanted->second[i].sums;
      SCOPED_TRACE(s.module_id + ": " + wanted->second[i].category);
      EXPECT_EQ(got.category_id, wanted->second[i].category);
      EXPECT_EQ(got.calls, sums.kernels);
      EXPECT_DOUBLE_EQ(got.flops_tflops, static_cast<double>(sums.tensor) / 1e12);
      EXPECT_DOUBLE_EQ(got.io_tb, static_cast<double>(sums.read + sums.written) / 1e12);
      const Count whole = s.exact.flops_torch;
      const double share = whole == 0 ? 0 : static_cast<double>(sums.tensor) / static_cast<double>(whole);
      EXPECT_DOUBLE_EQ(got.share_of_module_flops, share);
    }
  }
  EXPECT_EQ(seen, parts.size());
}

// Blocks one by one: each a third of the one that stands for all.
TEST(TinyReport, ExpandedHasEachBlockWithItsThird) {
  const Report r = build_report(testing_models::TinyModel(), "tiny", {true});
  std::vector<std::string> children;
  for (const AnalyticModuleNode& m : r.modules) {
    EXPECT_EQ(m.repetition, "none") << m.module_id;
    if (m.module_id == "core/net") children = m.children;
  }
  EXPECT_THAT(children, ElementsAre("core/net/scaled", "core/net/block_00", "core/net/block_01", "core/net/block_02",
                                    "core/net/head", "core/net/other"));
  std::map<std::string, const ModuleMetricsSnapshot*> by_id;
  for (const ModuleMetricsSnapshot& s : r.module_metrics) by_id[s.module_id] = &s;
  EXPECT_EQ(by_id.size(), std::size(rows) + 2 * 6);
  for (const char* number : {"00", "01", "02"}) {
    const std::string id = std::string("core/net/block_") + number;
    ASSERT_EQ(by_id.count(id), 1u) << id;
    EXPECT_EQ(by_id[id]->calls, 5);
    expect_figures(by_id[id]->exact, figures(5 * block, 76, 240), id);
    expect_figures(by_id[id + "/mlp/down"]->exact, figures(5 * down, 36, 192), id);
  }
  expect_figures(by_id["pipeline"]->exact, figures(5 * net + out, 246, 240), "pipeline");
}

// A name is as short as no other module's end is.
TEST(TinyReport, NamesTellModulesApart) {
  std::map<std::string, std::string> names;
  for (const AnalyticModuleNode& m : build_report(testing_models::TinyModel(), "tiny", {true}).modules) {
    names[m.module_id] = m.name;
  }
  EXPECT_EQ(names["core/net/block_01"], "block_01");
  EXPECT_EQ(names["core/net/block_01/mlp"], "block_01/mlp");
  EXPECT_EQ(names["core/net/block_01/mlp/up"], "block_01/mlp/up");
  EXPECT_EQ(names["core/net/head"], "head");
  EXPECT_EQ(names["pipeline"], "pipeline");
}

// --- as JSON and YAML ---

TEST(TinyReportJson, IsThisDocument) {
  const Json json = Json::parse(to_json(tiny_report()));
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  EXPECT_THAT(keys, ElementsAre("schema", "report_id", "family", "units", "flops_convention", "model", "workload",
                                "runtime", "totals", "per_forward", "stages", "modules", "operator_categories",
                                "module_metrics", "profile_run_id", "predicted_total_time_ms", "measured_total_time_ms",
                                "predicted_vs_measured_ratio", "notes", "layer_docs_dir"));
  EXPECT_EQ(json["schema"], "modelmeter.report/2");
  EXPECT_EQ(json["family"], "tiny");
  EXPECT_EQ(json["units"], Json::parse(R"({"flops": "1e12 FLOP", "io_tb": "1e12 bytes", "memory_gb": "1e9 bytes"})"));
  EXPECT_EQ(json["flops_convention"], "torch");
  EXPECT_EQ(json["model"], Json::parse(R"({"model_id": "test/tiny", "layers": 3})"));
  EXPECT_EQ(json["workload"], Json::parse(R"({"tokens": 3, "scale": 0.5})"));
  EXPECT_EQ(json["runtime"], Json::parse(R"({"dtype": "float32", "cfg": false})"));
  EXPECT_EQ(json["notes"], "first note\nsecond note");
  EXPECT_EQ(json["operator_categories"][2], Json::parse(R"({
    "category_id": "activation", "display_name": "Activations", "description": "SiLU",
    "match_classes": ["SiLU", "scaled"]})"));
  EXPECT_EQ(json["modules"][3], Json::parse(R"({
    "module_id": "core/net/block_00", "name": "block_00", "qualified_class_name": "tiny.nets.TinyBlock",
    "stage": "diffusion", "parent_id": "core/net",
    "children": ["core/net/block_00/mlp", "core/net/block_00/act", "core/net/block_00/residual"],
    "repetition": "for", "repetition_count": 3, "constructor_params": {"hidden": 8}})"));
  EXPECT_EQ(json["modules"][0]["parent_id"], nullptr);
  EXPECT_EQ(json["modules"][0]["repetition_count"], nullptr);
}

TEST(TinyReportJson, OfASnapshotIsThis) {
  const Json json = Json::parse(to_json(tiny_report()));
  EXPECT_EQ(json["module_metrics"][3], Json::parse(R"({
    "module_id": "core/net/block_00", "profile_id": "by-hand", "calls": 5, "total_time_ms": null,
    "total_flops_tflops": 5.76e-9, "total_io_tb": 1.392e-8, "memory_weights_gb": 9.12e-7,
    "memory_activations_gb": 2.4e-7, "memory_kvcache_gb": 0.0, "share_of_model_time": null,
    "share_of_model_flops": 0.9561752988047809,
    "operator_breakdown": [
      {"category_id": "mlp", "calls": 30, "flops_tflops": 5.76e-9, "io_tb": 8.88e-9, "share_of_module_flops": 1.0},
      {"category_id": "activation", "calls": 15, "flops_tflops": 0.0, "io_tb": 2.88e-9, "share_of_module_flops": 0.0},
      {"category_id": "other", "calls": 15, "flops_tflops": 0.0, "io_tb": 2.16e-9, "share_of_module_flops": 0.0}],
    "exact": {"flops_torch": 5760, "flops_full": 7920, "flops_tensor": 5760, "flops_vector": 2160,
      "bytes_moved": 13920, "bytes_read": 9600, "bytes_written": 4320, "kernels": 60, "parameters": 228,
      "weight_bytes": 912, "activation_peak_bytes": 240, "kv_cache_bytes": 0, "peak_live_bytes": null}})"));
  EXPECT_EQ(json["stages"][1], Json::parse(R"({"stage": "vae", "nested_in": null,
    "figures": {"flops_torch": 24, "flops_full": 30, "flops_tensor": 24, "flops_vector": 6,
      "bytes_moved": 72, "bytes_read": 48, "bytes_written": 24, "kernels": 1, "parameters": 6,
      "weight_bytes": 24, "activation_peak_bytes": 24, "kv_cache_bytes": 0, "peak_live_bytes": 1032}})"));
}

TEST(TinyReportJson, OfARunHasInputsTotalsAndFiles) {
  const Json json = Json::parse(run_json(tiny_report(), {"report.json", "summary.md"}));
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  EXPECT_THAT(keys,
              ElementsAre("report_id", "files", "model", "workload", "runtime", "totals", "per_forward", "notes"));
  EXPECT_EQ(json["files"], Json::parse(R"(["report.json", "summary.md"])"));
  EXPECT_EQ(json["totals"]["flops_full"], 8250);
  EXPECT_EQ(json["per_forward"]["flops_full"], 1674);
  EXPECT_EQ(json["workload"]["scale"], 0.5);
}

TEST(TinyReportYaml, IsReadAsTheSameValues) {
  const config::Node node = config::parse_yaml(to_yaml(tiny_report()), "report.yaml");
  EXPECT_EQ(node.find("totals")->find("bytes_moved")->as_int(), 15072);
  EXPECT_EQ(node.find("workload")->find("scale")->as_double(), 0.5);
  EXPECT_EQ(node.find("runtime")->find("cfg")->as_bool(), false);
  EXPECT_EQ(node.find("notes")->as_string(), "first note\nsecond note");
  const config::Node& block_node = node.find("module_metrics")->items()[3];
  EXPECT_EQ(block_node.find("total_flops_tflops")->as_double(), 5.76e-9);
  EXPECT_EQ(block_node.find("exact")->find("kernels")->as_int(), 60);
  EXPECT_TRUE(block_node.find("exact")->find("peak_live_bytes")->is(config::Kind::null));
  EXPECT_EQ(node.find("modules")->items()[3].find("constructor_params")->find("hidden")->as_int(), 8);
}

// What is read back is what was written: every field has a part in it.
TEST(TinyReportJson, EveryFieldIsReadOrChecked) {
  const std::string text = to_json(tiny_report());
  EXPECT_EQ(to_json(report_from_json(text, "r.json")), text);
  const Json whole = Json::parse(text);
  std::vector<std::pair<Json::json_pointer, const char*>> required;
  for (const char* key : {"report_id", "family", "model", "workload", "runtime", "totals", "per_forward", "stages",
                          "modules", "operator_categories", "module_metrics", "notes", "layer_docs_dir"}) {
    required.emplace_back(Json::json_pointer("/" + std::string(key)), key);
  }
  for (const char* key : {"module_id", "name", "qualified_class_name", "stage", "parent_id", "children", "repetition",
                          "repetition_count", "constructor_params"}) {
    required.emplace_back(Json::json_pointer("/modules/3/" + std::string(key)), key);
  }
  for (const char* key : {"module_id", "profile_id", "calls", "total_time_ms", "total_flops_tflops", "total_io_tb",
                          "memory_weights_gb", "memory_activations_gb", "memory_kvcache_gb", "share_of_model_time",
                          "share_of_model_flops", "operator_breakdown", "exact"}) {
    required.emplace_back(Json::json_pointer("/module_metrics/3/" + std::string(key)), key);
  }
  for (const char* key : {"category_id", "calls", "flops_tflops", "io_tb", "share_of_module_flops"}) {
    required.emplace_back(Json::json_pointer("/module_metrics/3/operator_breakdown/1/" + std::string(key)), key);
  }
  for (const char* key : {"category_id", "display_name", "description", "match_classes"}) {
    required.emplace_back(Json::json_pointer("/operator_categories/0/" + std::string(key)), key);
  }
  for (const char* key : {"stage", "nested_in", "figures"}) {
    required.emplace_back(Json::json_pointer("/stages/1/" + std::string(key)), key);
  }
  for (const FigureRow& row : figure_rows) {
    required.emplace_back(Json::json_pointer("/totals/" + std::string(row.name)), row.name);
    required.emplace_back(Json::json_pointer("/module_metrics/0/exact/" + std::string(row.name)), row.name);
  }
  for (const auto& [place, name] : required) {
    Json without = whole;
    ASSERT_TRUE(without.contains(place)) << place;
    without[place.parent_pointer()].erase(name);
    try {
      report_from_json(without.dump(), "r.json");
      ADD_FAILURE() << place << " may be left out";
    } catch (const Error& error) {
      EXPECT_EQ(error.message(), std::string("r.json: no field \"") + name + "\"") << place;
    }
  }
}

TEST(TinyReportJson, ModulesAndSnapshotsGoTogether) {
  Json json = Json::parse(to_json(tiny_report()));
  json["module_metrics"].erase(3);
  try {
    report_from_json(json.dump(), "r.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "r.json: it has not one snapshot for each module, or for each leaf");
  }
}

}  // namespace
}  // namespace modelmeter
