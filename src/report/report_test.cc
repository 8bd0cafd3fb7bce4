#include "report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/format.h"
#include "config/yaml.h"
#include "report/builder.h"
#include "report/difference.h"
#include "report/figure_table.h"
#include "report/json.h"
#include "report/operator_list.h"
#include "report/summary.h"
#include "report/table.h"
#include "report/top.h"
#include "testing/models.h"

namespace modelmeter {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing_models::WanSpec;

Report report_of(const WanSpec& spec, const ModuleTreeOptions& options = {}) {
  return build_report(*testing_models::wan_model(spec), "run", options);
}

const ModuleMetricsSnapshot& at(const Report& report, const std::string& id) {
  for (const ModuleMetricsSnapshot& s : report.module_metrics) {
    if (s.module_id == id) return s;
  }
  throw Error("no module " + id);
}

const AnalyticModuleNode& module(const Report& report, const std::string& id) {
  for (const AnalyticModuleNode& m : report.modules) {
    if (m.module_id == id) return m;
  }
  throw Error("no module " + id);
}

// --- module tree ---

TEST(ModuleTree, HasTheIdsThatConsumersKnow) {
  const Report r = report_of({});
  EXPECT_EQ(r.modules.front().module_id, "pipeline");
  EXPECT_FALSE(r.modules.front().parent_id.has_value());
  for (const char* id : {"diffusion/dit", "diffusion/dit/block_00", "diffusion/dit/block_00/attn",
                         "diffusion/dit/block_00/attn/self_attn", "diffusion/dit/block_00/mlp"}) {
    EXPECT_EQ(module(r, id).stage, "diffusion") << id;
  }
  EXPECT_EQ(r.modules.front().stage, "pipeline");
}

TEST(ModuleTree, CollapsesEqualBlocksIntoOneNodeThatStandsForAll) {
  const Report r = report_of({});
  const AnalyticModuleNode& block = module(r, "diffusion/dit/block_00");
  EXPECT_EQ(block.repetition, "for");
  EXPECT_EQ(block.repetition_count, 3);
  EXPECT_EQ(module(r, "diffusion/dit").repetition, "none");
  EXPECT_THROW(module(r, "diffusion/dit/block_01"), Error);
  EXPECT_EQ(at(r, "diffusion/dit/block_00").calls, 2 * 2);  // steps times branches
  EXPECT_EQ(at(r, "pipeline").calls, 1);
}

TEST(ModuleTree, ExpandedBlocksAddUpToTheCollapsedOne) {
  const Report collapsed = report_of({}), expanded = report_of({}, {true});
  Figures sum;
  for (const char* id : {"diffusion/dit/block_00", "diffusion/dit/block_01", "diffusion/dit/block_02"}) {
    EXPECT_EQ(module(expanded, id).repetition, "none");
    add(sum, at(expanded, id).exact);
  }
  const Figures& all = at(collapsed, "diffusion/dit/block_00").exact;
  for (const FigureRow& row : figure_rows) EXPECT_EQ(row.get(sum), row.get(all)) << row.name;
}

TEST(Report, FloatsAreTheExactIntegersInTheirUnits) {
  const Report r = report_of({});
  const auto json = nlohmann::json::parse(to_json(r));
  ASSERT_EQ(json["module_metrics"].size(), r.module_metrics.size());
  for (size_t i = 0; i < r.module_metrics.size(); ++i) {
    const auto& s = json["module_metrics"][i];
    const auto exact = [&](const char* name) { return s["exact"][name].get<double>(); };
    EXPECT_DOUBLE_EQ(s["total_flops_tflops"], exact("flops_torch") / 1e12);
    EXPECT_DOUBLE_EQ(s["total_io_tb"], (exact("bytes_read") + exact("bytes_written")) / 1e12);
    EXPECT_DOUBLE_EQ(s["memory_weights_gb"], exact("weight_bytes") / 1e9);
    EXPECT_DOUBLE_EQ(s["memory_activations_gb"], exact("activation_peak_bytes") / 1e9);
    EXPECT_DOUBLE_EQ(s["memory_kvcache_gb"], exact("kv_cache_bytes") / 1e9);
  }
}

TEST(Report, FieldsThatHoldNothingAreNull) {
  const auto json = nlohmann::json::parse(to_json(report_of({})));
  for (const char* field : {"profile_run_id", "predicted_total_time_ms", "measured_total_time_ms",
                            "predicted_vs_measured_ratio", "layer_docs_dir"}) {
    EXPECT_TRUE(json.at(field).is_null()) << field;
  }
  for (const auto& s : json["module_metrics"]) {
    EXPECT_TRUE(s.at("total_time_ms").is_null());
    EXPECT_TRUE(s.at("share_of_model_time").is_null());
    EXPECT_TRUE(s.at("exact").at("peak_live_bytes").is_null());
  }
  EXPECT_EQ(json["module_metrics"][0]["share_of_model_flops"], 1.0);
}

// A decoder that the prompt and the decode steps share: in the tree with the first, in the figures of both stages.
TEST(Report, AStageHasTheWeightsOfItsLayersSharedOrNot) {
  const Report r = build_report(*testing_models::ocr_model({}), "run");
  std::map<std::string, Figures> stages;
  for (const StageFigures& s : r.stages) stages[s.stage] = s.figures;
  Count in_the_tree = 0;
  std::map<std::string, std::string> stage_of;
  for (const AnalyticModuleNode& m : r.modules) stage_of[m.module_id] = m.stage;
  for (const ModuleMetricsSnapshot& s : r.module_metrics) {
    if (stage_of[s.module_id] == "decode") in_the_tree += s.exact.weight_bytes;
  }
  EXPECT_EQ(in_the_tree, 0);
  EXPECT_GT(stages["decode"].weight_bytes, 0);
  EXPECT_LT(stages["decode"].weight_bytes, stages["prefill"].weight_bytes);  // without vision
  EXPECT_GT(stages["decode"].parameters, 0);
}

TEST(Report, TheWholeRunIsAllForwards) {
  const Report r = report_of({});
  EXPECT_EQ(r.totals.flops_full, 4 * r.per_forward.flops_full);
  EXPECT_EQ(r.totals.kernels, 4 * r.per_forward.kernels);
  EXPECT_EQ(r.totals.peak_live_bytes, r.per_forward.peak_live_bytes);
  EXPECT_EQ(r.totals.activation_peak_bytes, r.per_forward.activation_peak_bytes);
  EXPECT_EQ(r.stages.front().figures, r.totals);  // the only one
}

// --- rankings ---

TEST(TopLeaves, AreSortedByFlopsThenBytesThenId) {
  const Report r = report_of({});
  const auto leaves = top_leaves(r, 1000);
  ASSERT_GT(leaves.size(), 10u);
  for (size_t i = 1; i < leaves.size(); ++i) {
    const Figures &before = leaves[i - 1]->exact, &here = leaves[i]->exact;
    EXPECT_FALSE(ranks_before(rank_keys[0], here, before)) << leaves[i]->module_id;
    const bool tie = before.flops_torch == here.flops_torch && before.bytes_moved == here.bytes_moved;
    EXPECT_TRUE(!tie || leaves[i - 1]->module_id < leaves[i]->module_id);
    EXPECT_TRUE(module(r, leaves[i]->module_id).children.empty());
  }
  EXPECT_EQ(top_leaves(r, 3).size(), 3u);
}

TEST(Top, AsJsonHasTheSameRows) {
  const Report r = report_of({});
  const auto json = nlohmann::json::parse(top_json(r, {3, 2}, rank_keys[0]));
  EXPECT_EQ(json["report_id"], "run");
  ASSERT_EQ(json["layers"].size(), 3u);
  ASSERT_EQ(json["categories"].size(), 2u);
  EXPECT_EQ(json["layers"][0]["module_id"], top_leaves(r, 1).front()->module_id);
  EXPECT_EQ(json["layers"][0]["flops_torch"].dump(), to_string(top_leaves(r, 1).front()->exact.flops_torch));
  EXPECT_EQ(json["categories"][0]["category_id"], top_categories(r, 1).front().id);
  double shares = 0;
  for (const CategoryFigures& c : top_categories(r, 1000)) {
    shares += static_cast<double>(c.figures.flops_torch) / static_cast<double>(r.totals.flops_torch);
  }
  EXPECT_NEAR(shares, 1.0, 1e-12);
}

TEST(TopCategories, AreSortedByFlopsThenById) {
  const auto categories = top_categories(report_of({}), 1000);
  ASSERT_GT(categories.size(), 3u);
  for (size_t i = 1; i < categories.size(); ++i) {
    const Figures &before = categories[i - 1].figures, &here = categories[i].figures;
    EXPECT_FALSE(ranks_before(rank_keys[0], here, before)) << categories[i].id;
  }
}

// --- JSON ---

TEST(ReportJson, ReadsBackToTheSameText) {
  for (const char* implementation : {"official", "diffusers"}) {
    WanSpec spec;
    spec.implementation = implementation;
    spec.frames = 6;  // with a note
    const std::string text = to_json(report_of(spec));
    EXPECT_EQ(to_json(report_from_json(text, "r.json")), text);
  }
}

std::string error_of(const std::string& text) {
  try {
    report_from_json(text, "r.json");
    return "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 1);
    return error.message();
  }
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(ReportJson, IsStrictWhenItReads) {
  const std::string text = to_json(report_of({}));
  EXPECT_EQ(error_of(""), "r.json: not a JSON file");
  EXPECT_EQ(error_of(text.substr(0, text.size() / 2)), "r.json: not a JSON file");
  EXPECT_EQ(error_of("{}"), "r.json: not a modelmeter report");
  EXPECT_EQ(error_of(R"({"schema": "modelmeter.report/2"})"), "r.json: no field \"report_id\"");
  EXPECT_EQ(error_of(replaced(text, "\"report_id\": \"run\"", "\"report_id\": null")),
            "r.json: \"report_id\" is not a string");
  EXPECT_EQ(error_of(replaced(text, "\"notes\": \"\",\n", "")),
            "r.json: no field \"notes\"");  // an extra field of the model
  EXPECT_EQ(error_of(replaced(text, "\"kv_cache_bytes\": 0", "\"kv_cache_bytes\": -1")),
            "r.json: \"kv_cache_bytes\" is not a count");
  EXPECT_EQ(error_of(replaced(text, "\"kv_cache_bytes\": 0", "\"kv_cache_bytes\": 0.5")),
            "r.json: \"kv_cache_bytes\" is not a count");
  EXPECT_EQ(error_of(replaced(text, "\"share_of_model_flops\": 1.0", "\"share_of_model_flops\": null")),
            "r.json: \"share_of_model_flops\" is not a number of 0 or more");
  EXPECT_EQ(error_of(replaced(text, "\"total_time_ms\": null", "\"total_time_ms\": 1.0")),
            "r.json: \"total_time_ms\" is not null");
  EXPECT_EQ(error_of(replaced(text, "\"share_of_model_time\": null", "\"share_of_model_time\": 1.0")),
            "r.json: \"share_of_model_time\" is not null");
  EXPECT_EQ(error_of(replaced(text, "\"predicted_total_time_ms\": null", "\"predicted_total_time_ms\": 0.0")),
            "r.json: \"predicted_total_time_ms\" is not null");
  EXPECT_EQ(error_of(replaced(text, "\"memory_kvcache_gb\": 0.0", "\"memory_kvcache_gb\": 0.5")),
            "r.json: \"memory_kvcache_gb\" of pipeline is not its \"kv_cache_bytes\" in full");
  EXPECT_EQ(error_of(R"({"schema": "modelmeter.report/1"})"),
            "r.json: a report of an earlier modelmeter; analyze writes it anew");
  EXPECT_EQ(error_of(replaced(text, "\"constructor_params\": {}", "\"constructor_params\": {\"x\": null}")),
            "r.json: \"constructor_params.x\" is neither a number, a string nor a truth value");
  EXPECT_EQ(error_of(replaced(text, "\"match_classes\": [", "\"match_classes\": [1, ")),
            "r.json: \"match_classes\" holds something else than strings");
}

TEST(ReportYaml, IsTheSameDocument) {
  const std::string yaml = to_yaml(report_of({}));
  EXPECT_THAT(yaml, testing::StartsWith("schema: modelmeter.report/2\nreport_id: run\n"));
  EXPECT_THAT(yaml, HasSubstr("\npredicted_total_time_ms: null\n"));
  for (const bool expanded : {false, true}) {
    const Report r = report_of({}, {expanded});
    EXPECT_EQ(to_yaml(r), config::to_yaml(config::parse_yaml(to_json(r), "report.json")));
  }
}

// --- the table of figures ---

// A report whose figures are all different numbers.
Report numbered_report(int64_t first) {
  Report r = report_of({});
  for (const FigureRow& row : figure_rows) {
    row.set(r.totals, first++);
    row.set(r.per_forward, first++);
    for (StageFigures& s : r.stages) row.set(s.figures, first++);
    for (ModuleMetricsSnapshot& s : r.module_metrics) row.set(s.exact, first++);
  }
  return r;
}

// The line of a Markdown table that begins with this cell.
std::string line_of(const std::string& text, const std::string& cell) {
  const size_t at = text.find("\n| " + cell + " ");
  return at == std::string::npos ? "" : text.substr(at + 1, text.find('\n', at + 1) - at - 1);
}

TEST(FigureTable, EveryRowIsWrittenReadSummedUpAndCompared) {
  const Report a = numbered_report(1000000000), b = numbered_report(5000000000);
  const auto json = nlohmann::json::parse(to_json(a));
  const std::string yaml = to_yaml(a), summary = summary_markdown(a);
  const Report back = report_from_json(to_json(a), "r.json");
  const ReportDifference d = difference(a, b);
  const std::string compared = difference_markdown(d, 10);
  ASSERT_EQ(d.totals.size(), std::size(figure_rows));
  for (size_t i = 0; i < std::size(figure_rows); ++i) {
    const FigureRow& row = figure_rows[i];
    SCOPED_TRACE(row.name);
    const Count total = *row.get(a.totals), other = *row.get(b.totals);
    EXPECT_EQ(json["totals"][row.name], static_cast<int64_t>(total.value()));
    EXPECT_THAT(yaml, HasSubstr("  " + std::string(row.name) + ": " + to_string(total) + "\n"));
    EXPECT_EQ(row.get(back.totals), total);
    EXPECT_EQ(row.get(back.per_forward), row.get(a.per_forward));
    EXPECT_EQ(row.get(back.stages.back().figures), row.get(a.stages.back().figures));
    EXPECT_EQ(row.get(back.module_metrics.back().exact), row.get(a.module_metrics.back().exact));
    EXPECT_THAT(line_of(summary, row.title), HasSubstr(" " + grouped(total) + " |"));
    EXPECT_EQ(d.totals[i].name, row.name);
    EXPECT_EQ(d.totals[i].a, total);
    EXPECT_EQ(d.totals[i].b, other);
    EXPECT_THAT(line_of(compared, row.name), HasSubstr(" " + grouped(total) + " |"));
    if (row.snapshot_field == nullptr) continue;
    const Count of_root = *row.get(a.module_metrics.front().exact);
    EXPECT_EQ(json["module_metrics"][0][row.snapshot_field], static_cast<double>(of_root) / row.snapshot_unit);
  }
}

TEST(FigureTable, TheSchemaHasItsRowsAndNoOthers) {
  const std::string file = std::string(MODELMETER_SOURCE_DIR) + "/docs/report.schema.json";
  const auto schema = nlohmann::ordered_json::parse(read_file(file));
  const auto& figures = schema["$defs"]["figures"];
  std::vector<std::string> names, properties;
  for (const FigureRow& row : figure_rows) {
    names.emplace_back(row.name);
    const auto type = figures["properties"][row.name]["type"];
    EXPECT_EQ(type,
              row.maybe == nullptr ? nlohmann::ordered_json("integer") : nlohmann::ordered_json({"integer", "null"}))
        << row.name;
    if (row.snapshot_field != nullptr) {
      EXPECT_TRUE(schema["$defs"]["snapshot"]["properties"].contains(row.snapshot_field)) << row.snapshot_field;
    }
  }
  for (const auto& [name, property] : figures["properties"].items()) properties.push_back(name);
  EXPECT_EQ(properties, names);
  EXPECT_EQ(figures["required"], nlohmann::ordered_json(names));
}

TEST(FigureTable, LayersAndStagesHaveTheRowsThatAreColumns) {
  Figures f;
  for (const FigureRow& row : figure_rows) row.set(f, 1234567 + (&row - figure_rows));
  f.peak_live_bytes.reset();
  FigureTable table({"Layer"}, FigureTable::Digits::all, {"Calls"});
  table.add({"a"}, f, {"5"});
  const std::string text = table.markdown();
  for (const FigureRow& row : figure_rows) {
    const bool shown = text.find(" " + title_of(row, scale_of(row.unit, 0)) + " |") != std::string::npos;
    EXPECT_EQ(shown, row.column) << row.title;
    if (row.column) {
      EXPECT_THAT(text, HasSubstr(grouped(*row.get(f))));
    }
  }
}

TEST(FigureTable, HasOneUnitInAColumnAndNoColumnOfZeros) {
  Figures large, small;
  large.flops_torch = Count(652'344) * 1'000'000'000'000;
  small.flops_torch = 9'689'446'219'776;
  large.weight_bytes = 57'153'966'336;
  FigureTable table({"Stage"}, FigureTable::Digits::few);
  table.add({"a"}, large);
  table.add({"b"}, small);
  EXPECT_EQ(table.markdown(),
            "| Stage | PFLOP (torch) | Weights, GiB |\n"
            "| ----- | ------------: | -----------: |\n"
            "| a     |       652.344 |       53.229 |\n"
            "| b     |      0.009689 |            0 |\n");
}

// --- summary ---

TEST(Summary, ShowsIdModelWorkloadTotalsAndRankings) {
  const Report r = report_of({});
  const std::string text = summary_markdown(r);
  for (const char* part : {"# run\n",
                           "model_id test/wan",
                           "profile_id test",
                           "total FLOPs:",
                           "## Totals",
                           "FLOPs (torch)",
                           "FLOPs (full)",
                           "Bytes read",
                           "Bytes written",
                           "Arithmetic intensity",
                           "Kernels",
                           "Parameters",
                           "Weights",
                           "Activation peak",
                           "KV cache",
                           "Peak live memory",
                           "## Top 10 layers by FLOPs (torch)",
                           "## Top 10 layers by bytes moved",
                           "## Top 5 categories",
                           "attention_proj"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_EQ(top_leaves(r, 1).front()->module_id, "diffusion/dit/block_00/mlp/0");
  EXPECT_THAT(text, HasSubstr("\n| diffusion/dit/block x 3/mlp/0 "));
  EXPECT_THAT(text, Not(HasSubstr("## Notes")));
}

TEST(Summary, ShowsNotes) {
  WanSpec spec;
  spec.frames = 6;
  EXPECT_THAT(summary_markdown(report_of(spec)), HasSubstr("## Notes\n\n- num_frames 6 is not 4n + 1"));
}

// --- difference ---

TEST(Summary, ShowsStagesWhereThereAreTwoOrMore) {
  WanSpec two;
  two.stages = "[text_encoder, diffusion]";
  EXPECT_THAT(summary_markdown(report_of(two)), HasSubstr("## Stages"));
  EXPECT_THAT(summary_markdown(report_of({})), Not(HasSubstr("## Stages")));
}

TEST(Difference, OfAReportToItselfIsEmpty) {
  const Report r = report_of({});
  const ReportDifference d = difference(r, r);
  EXPECT_TRUE(d.inputs.empty());
  EXPECT_TRUE(d.layers.empty());
  EXPECT_EQ(d.totals.size(), std::size(figure_rows));
  for (const FigureDifference& f : d.totals) EXPECT_EQ(f.a, f.b) << f.name;
  EXPECT_THAT(difference_markdown(d, 10), HasSubstr("The same."));
}

TEST(Difference, NamesInputsTotalsAndTheLayersThatChanged) {
  WanSpec more;
  more.ffn_dim = 96;
  const ReportDifference d = difference(report_of({}), report_of(more));
  ASSERT_EQ(d.inputs.size(), 1u);
  EXPECT_EQ(d.inputs[0].name, "model.mlp_intermediate_size");
  EXPECT_EQ(d.inputs[0].a, "48");
  EXPECT_EQ(d.inputs[0].b, "96");
  ASSERT_FALSE(d.layers.empty());
  for (const LayerDifference& l : d.layers)
    EXPECT_THAT(l.module_id, testing::StartsWith("diffusion/dit/block_00/mlp/"));
  EXPECT_EQ(d.layers.front().flops_b, 2 * d.layers.front().flops_a);
}

TEST(Difference, TakesFactsThatAreNotKnown) {
  Report unknown = report_of({});
  Report known = unknown;
  unknown.model.emplace_back("hf_revision", nullptr);
  known.model.emplace_back("hf_revision", std::string("e4ac34e"));
  EXPECT_TRUE(difference(unknown, unknown).inputs.empty());
  const ReportDifference d = difference(unknown, known);
  ASSERT_EQ(d.inputs.size(), 1u);
  EXPECT_EQ(d.inputs[0].name, "model.hf_revision");
  EXPECT_EQ(d.inputs[0].a, "");
  EXPECT_EQ(d.inputs[0].b, "e4ac34e");
}

TEST(Difference, ShowsWhatOnlyOneSideHas) {
  WanSpec other;
  other.implementation = "diffusers";
  const ReportDifference d = difference(report_of({}), report_of(other));
  bool seen = false;
  for (const InputDifference& i : d.inputs) seen = seen || (i.name == "runtime.autocast_dtype" && i.b == "-");
  EXPECT_TRUE(seen);
  const ReportDifference back = difference(report_of(other), report_of({}));
  seen = false;
  for (const InputDifference& i : back.inputs) seen = seen || (i.name == "runtime.autocast_dtype" && i.a == "-");
  EXPECT_TRUE(seen);
}

TEST(Difference, PutsTheLargestChangeOfFlopsFirstThenOfBytes) {
  const Report a = report_of({});
  Report b = a;
  const auto leaves = top_leaves(b, 3);
  const auto change = [&](const std::string& id, int64_t flops, int64_t bytes) {
    for (ModuleMetricsSnapshot& s : b.module_metrics) {
      if (s.module_id != id) continue;
      s.exact.flops_torch += flops;
      s.exact.bytes_moved += bytes;
    }
  };
  const std::string x = leaves[0]->module_id, y = leaves[1]->module_id, z = leaves[2]->module_id;
  change(x, 0, 5);
  change(y, -7, 0);
  change(z, 0, -9);
  const ReportDifference d = difference(a, b);
  ASSERT_EQ(d.layers.size(), 3u);
  EXPECT_EQ(d.layers[0].module_id, y);
  EXPECT_EQ(d.layers[0].flops_a - d.layers[0].flops_b, 7);
  EXPECT_EQ(d.layers[1].module_id, z);
  EXPECT_EQ(d.layers[1].bytes_a - d.layers[1].bytes_b, 9);
  EXPECT_EQ(d.layers[2].module_id, x);
}

TEST(Difference, SetsTheLayersOfTwoCodeBasesSideBySide) {
  WanSpec official, diffusers;
  official.stages = diffusers.stages = "[text_encoder, diffusion, vae_decode]";
  diffusers.implementation = "diffusers";
  const ReportDifference d = difference(report_of(official), report_of(diffusers));
  EXPECT_TRUE(d.by_role);
  EXPECT_GT(d.layers_in_common, 60u);
  for (const LayerDifference& l : d.layers) {
    // What computes has a counterpart, and in both the same FLOPs.
    EXPECT_EQ(l.flops_a, l.flops_b) << l.module_id;
    EXPECT_TRUE((l.in_a && l.in_b) || l.flops_a + l.flops_b == 0) << l.module_id;
  }
  const auto of = [&](const std::string& id) {
    LayerDifference out;
    for (const LayerDifference& l : d.layers) {
      if (l.module_id == id) out = l;
    }
    return out;
  };
  EXPECT_EQ(of("diffusion/dit/block_00/attn/self_attn/q").label, "diffusion/dit/block x 3/attn/self_attn/q");
  // The norm before cross attention is norm3 of one and norm2 of the other: equal, and so not among what differs.
  EXPECT_EQ(of("diffusion/dit/block_00/norm2").module_id, "");
  EXPECT_EQ(of("diffusion/dit/block_00/norm3").module_id, "");
  EXPECT_EQ(at(report_of(official), "diffusion/dit/block_00/norm3").exact.bytes_moved,
            at(report_of(diffusers), "diffusion/dit/block_00/norm2").exact.bytes_moved);
  // Two residual blocks of the middle are two modules of one and a list of the other.
  EXPECT_EQ(of("vae/decode/decoder/middle/nonlinearity").in_a, of("vae/decode/decoder/middle/nonlinearity").in_b);
}

TEST(Difference, OfOneCodeBaseHasItsIds) {
  WanSpec more;
  more.steps = 3;
  const ReportDifference d = difference(report_of({}), report_of(more));
  EXPECT_FALSE(d.by_role);
  EXPECT_EQ(d.layers_in_common, top_leaves(report_of({}), 1000).size());
}

TEST(Difference, SaysWhenTwoModelsHaveNothingInCommon) {
  const ReportDifference d = difference(report_of({}), build_report(*testing_models::ocr_model({}), "pages"));
  EXPECT_EQ(d.layers_in_common, 0u);
  EXPECT_THAT(difference_markdown(d, 10), HasSubstr("no layer in common"));
  EXPECT_EQ(nlohmann::json::parse(difference_json(d))["layers_in_common"], 0);
}

TEST(Difference, WhatOneSideLacksIsAbsentNotZero) {
  Report a = report_of({}), b = a;
  const std::string id = top_leaves(a, 1).front()->module_id;
  for (ModuleMetricsSnapshot& s : b.module_metrics) {
    if (s.module_id == id) s.exact.kernels = 0;
  }
  const ReportDifference d = difference(a, b);
  ASSERT_EQ(d.layers.size(), 1u);
  EXPECT_TRUE(d.layers[0].in_a && !d.layers[0].in_b);
  EXPECT_THAT(difference_markdown(d, 10), testing::ContainsRegex("mlp/0 +\\| +[0-9.]+ +\\| +- +\\| +- +\\|"));
}

TEST(Difference, IsOneJsonObject) {
  WanSpec more;
  more.ffn_dim = 96;
  const Report a = report_of({}), b = report_of(more);
  const auto json = nlohmann::json::parse(difference_json(difference(a, b)));
  EXPECT_EQ(json["a"], "run");
  EXPECT_EQ(json["inputs"][0]["name"], "model.mlp_intermediate_size");
  EXPECT_EQ(json["totals"].size(), difference(a, b).totals.size());
  EXPECT_EQ(json["layers"].size(), difference(a, b).layers.size());
  EXPECT_EQ(json["layers"][0]["flops_torch_b"], 2 * json["layers"][0]["flops_torch_a"].get<int64_t>());
}

// --- layer classes ---

TEST(Operators, AsJsonNameTheirFilesWhereTheyAreWritten) {
  const auto model = testing_models::wan_model({});
  const TargetOperatorList list = target_operators(*model, evaluate(*model), "run");
  const auto printed = nlohmann::json::parse(operators_json(list, ""));
  EXPECT_EQ(printed["operators"].size(), list.operators.size());
  EXPECT_FALSE(printed.contains("layers_json_path"));
  const auto written = nlohmann::json::parse(operators_json(list, "/out"));
  EXPECT_EQ(written["source_artifact_dir"], "/out");
  EXPECT_EQ(written["layers_json_path"], "/out/torchinfo-unique-layers.json");
  const auto files = operator_files(*model, list);
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(written["layers_json_path"], "/out/" + files[0].first);
  EXPECT_EQ(written["layers_md_path"], "/out/" + files[1].first);
  EXPECT_EQ(written["stages_json_path"], "/out/" + files[2].first);
  EXPECT_EQ(nlohmann::json::parse(files[0].second)["layers"].size(), list.operators.size());
  EXPECT_EQ(nlohmann::json::parse(files[2].second)["stages"]["diffusion/dit"]["params"],
            model->stages().front()->parameter_count());
}

}  // namespace
}  // namespace modelmeter
