// What every report of DeepSeek-OCR promises, over random pages, batches and small architectures.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <set>

#include "report/builder.h"
#include "report/json.h"
#include "report/layer_docs.h"
#include "testing/models.h"

namespace modelmeter {
namespace {

using testing_models::OcrSpec;

OcrSpec random_spec() {
  OcrSpec s;
  s.attention = *rc::gen::element<std::string>("flash", "eager");
  s.precision = *rc::gen::element<std::string>("autocast", "bf16");
  s.routing = *rc::gen::element<std::string>("uniform", "worst", "best");
  s.logits = *rc::gen::element<std::string>("all", "last");
  s.mode = *rc::gen::element<std::string>("tiny", "small", "gundam");
  s.sampling = *rc::gen::arbitrary<bool>();
  s.page_width = *rc::gen::inRange<int64_t>(100, 2000);
  s.page_height = *rc::gen::inRange<int64_t>(100, 2000);
  s.intermediate = *rc::gen::inRange<int64_t>(1, 200);
  s.moe_intermediate = *rc::gen::inRange<int64_t>(1, 100);
  s.layers = *rc::gen::inRange<int64_t>(1, 6);
  s.dense_layers = *rc::gen::inRange<int64_t>(0, 3);
  s.kv_heads = *rc::gen::element<int64_t>(1, 2, 4);
  s.experts = *rc::gen::inRange<int64_t>(4, 12);
  s.top_k = *rc::gen::inRange<int64_t>(1, 5);
  s.shared = *rc::gen::inRange<int64_t>(0, 3);
  s.prompt_tokens = *rc::gen::inRange<int64_t>(1, 40);
  s.max_new_tokens = *rc::gen::inRange<int64_t>(1, 30);
  s.batch = *rc::gen::inRange<int64_t>(1, 4);
  s.pages = s.batch * *rc::gen::inRange<int64_t>(1, 4);
  return s;
}

Report report_of(const OcrSpec& spec, bool expand = false) {
  return build_report(*testing_models::ocr_model(spec), "run", {expand});
}

void for_random_specs(const char* what, void (*property)(const OcrSpec&)) {
  EXPECT_TRUE(rc::check(what, [&] { property(random_spec()); }));
}

void check_leaves(const Report& r) {
  std::map<std::string, const AnalyticModuleNode*> nodes;
  int roots = 0;
  for (const AnalyticModuleNode& m : r.modules) {
    RC_ASSERT(nodes.emplace(m.module_id, &m).second);
    roots += !m.parent_id.has_value();
    RC_ASSERT((!m.parent_id || nodes.count(*m.parent_id) == 1));
  }
  RC_ASSERT(roots == 1);
  std::set<std::string> leaves, seen;
  for (const AnalyticModuleNode& m : r.modules) {
    if (m.children.empty()) leaves.insert(m.module_id);
    for (const std::string& child : m.children) RC_ASSERT(nodes.at(child)->parent_id == m.module_id);
  }
  Figures sum;
  for (const ModuleMetricsSnapshot& s : r.module_metrics) {
    RC_ASSERT(leaves.count(s.module_id) == 1);
    RC_ASSERT(seen.insert(s.module_id).second);
    add(sum, s.exact);
    RC_ASSERT((s.share_of_model_flops >= 0 && s.share_of_model_flops <= 1));
  }
  RC_ASSERT(seen == leaves);
  for (const FigureRow& row : figure_rows) {
    if (row.known != nullptr) RC_ASSERT(row.get(sum) == row.get(r.totals));
  }
}

TEST(OcrInvariants, LeavesAddUpToTheTotals) {
  for_random_specs("snapshots are of leaves and add up, collapsed and expanded", [](const OcrSpec& s) {
    check_leaves(report_of(s));
    check_leaves(report_of(s, true));
  });
}

TEST(OcrInvariants, StagesAddUpAndVisionIsInsidePrefill) {
  for_random_specs("prefill + decode is the run; vision is part of prefill", [](const OcrSpec& s) {
    const Report r = report_of(s);
    std::map<std::string, Figures> stages;
    for (const StageFigures& stage : r.stages) {
      stages[stage.stage] = stage.figures;
      RC_ASSERT(stage.nested_in == (stage.stage == "vision" ? std::optional<std::string>("prefill") : std::nullopt));
    }
    const Figures vision = stages["vision"], prefill = stages["prefill"], decode = stages["decode"];
    for (const FigureRow& row : figure_rows) {
      if (row.of == nullptr) continue;
      const Count parts = *row.get(prefill) + *row.get(decode), whole = *row.get(r.totals);
      // What generate() does before the first forward is of no stage.
      RC_ASSERT((s.sampling ? parts <= whole : parts == whole));
      RC_ASSERT(*row.get(vision) <= *row.get(prefill));
    }
    RC_ASSERT(prefill.weight_bytes == r.totals.weight_bytes);
    RC_ASSERT((s.max_new_tokens == 1 || decode.kv_cache_bytes == r.totals.kv_cache_bytes));
  });
}

TEST(OcrInvariants, TheRunIsItsPagesAndTheCacheItsTokens) {
  for_random_specs("linear in runs, memory unaffected, KV bytes exact", [](const OcrSpec& s) {
    OcrSpec once = s;
    once.pages = s.batch;
    const auto model = testing_models::ocr_model(s);
    const Figures all = report_of(s).totals, one = report_of(once).totals;
    for (const FigureRow& row : figure_rows) {
      if (row.of != nullptr) RC_ASSERT(*row.get(all) == *row.get(one) * (s.pages / s.batch));
    }
    RC_ASSERT(all.peak_live_bytes == one.peak_live_bytes);
    const deepseek_ocr::Workload& w = model->workload();
    RC_ASSERT(all.kv_cache_bytes ==
              2 * s.layers * s.kv_heads * (1280 / s.heads) * 2 * s.batch * (w.seq_len + w.decode_steps()));
  });
}

TEST(OcrInvariants, MoreTokensCostMore) {
  for_random_specs("monotone in new tokens, prompt and batch", [](const OcrSpec& s) {
    const Figures base = report_of(s).totals;
    OcrSpec longer = s, wordier = s;
    longer.max_new_tokens += 1;
    wordier.prompt_tokens += 1;
    for (const OcrSpec& more : {longer, wordier}) {
      const Figures f = report_of(more).totals;
      RC_ASSERT(f.flops_torch > base.flops_torch);
      RC_ASSERT(f.bytes_read > base.bytes_read);
      RC_ASSERT(f.kv_cache_bytes > base.kv_cache_bytes);
      RC_ASSERT(f.activation_peak_bytes >= base.activation_peak_bytes);
    }
  });
}

TEST(OcrInvariants, ExpertsTouchedOrderTheBytes) {
  for_random_specs("best <= uniform <= worst in weights read; FLOPs the same", [](const OcrSpec& s) {
    OcrSpec best = s, uniform = s, worst = s;
    best.routing = "best";
    uniform.routing = "uniform";
    worst.routing = "worst";
    const Figures b = report_of(best).totals, u = report_of(uniform).totals, w = report_of(worst).totals;
    RC_ASSERT(b.flops_torch == u.flops_torch);
    RC_ASSERT(u.flops_torch == w.flops_torch);
    RC_ASSERT(b.bytes_read <= u.bytes_read);
    RC_ASSERT(u.bytes_read <= w.bytes_read);
  });
}

TEST(OcrInvariants, ReportsReadBackAndPagesAreThereForEveryModule) {
  for_random_specs("JSON round trip, one page a module", [](const OcrSpec& s) {
    const auto model = testing_models::ocr_model(s);
    const Report r = build_report(*model, "run");
    const std::string text = to_json(r);
    RC_ASSERT(to_json(report_from_json(text, "r.json")) == text);
    std::set<std::string> names;
    for (const auto& [name, page] : layer_docs(*model, evaluate(*model), r, {})) {
      RC_ASSERT(names.insert(name).second);
      RC_ASSERT(!page.empty());
    }
    RC_ASSERT(names.size() == r.modules.size() + 1);
    for (const AnalyticModuleNode& m : r.modules) RC_ASSERT(names.count(layer_page_name(m.module_id)) == 1);
  });
}

// A sweep traces one model after another with one tracer.
TEST(OcrReports, DoNotDependOnWhatTheTracerTracedBefore) {
  const auto trace_of = [](Tracer& tracer, const AnalyticModel& model) {
    tracer.clear();
    model.trace(tracer);
    return roll_up(tracer.trace());
  };
  Tracer anew, reused;
  testing_models::WanSpec wan;
  wan.implementation = "diffusers";
  wan.attention = "math";
  trace_of(reused, *testing_models::wan_model(wan));
  const auto model = testing_models::ocr_model({});
  const Rollup a = trace_of(anew, *model), b = trace_of(reused, *model);
  EXPECT_EQ(a.peak_live, b.peak_live);
  EXPECT_TRUE(a.total() == b.total());
}

}  // namespace
}  // namespace modelmeter
