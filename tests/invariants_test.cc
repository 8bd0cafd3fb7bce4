// The invariants of reports over random workloads, both implementations: linear in steps, monotone in size, parents the
// sums of their children, no memory that grows with steps.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <cstdlib>
#include <map>

#include "config/compose.h"
#include "model/registry.h"
#include "report/builder.h"

namespace modelmeter {
namespace {

Report report_of(const std::vector<std::string>& overrides, bool expand = false) {
  const std::string root = MODELMETER_SOURCE_DIR;
  const config::Repository repository(root + "/configs");
  const config::Node config = config::resolve(config::compose(repository, "wan2_1_t2v_14b", overrides));
  return build_report(*build_model(config::View(config), DataFiles{root}), "run", {expand});
}

std::string set(const char* key, int64_t value) { return std::string(key) + "=" + std::to_string(value); }

TEST(Invariants, HoldForRandomWorkloads) {
  setenv("RC_PARAMS", "seed=20261125", 1);  // the suite is deterministic
  EXPECT_TRUE(rc::check([] {
    const auto frames = *rc::gen::inRange<int64_t>(1, 60), side = *rc::gen::inRange<int64_t>(1, 40);
    const auto steps = *rc::gen::inRange<int64_t>(1, 60), layers = *rc::gen::inRange<int64_t>(1, 6);
    const std::string code = *rc::gen::element<std::string>("official", "diffusers");
    std::vector<std::string> o = {set("workload.num_frames", frames), set("workload.height", 16 * side),
                                  set("workload.num_inference_steps", steps), set("transformer.num_layers", layers),
                                  "runtime.implementation=" + code};
    const auto with = [&](const char* key, int64_t value) {
      std::vector<std::string> more = o;
      more.push_back(set(key, value));
      return report_of(more);
    };
    const Report r = report_of(o);
    const Report twice = with("workload.num_inference_steps", 2 * steps);
    RC_ASSERT(twice.totals.flops_full == 2 * r.totals.flops_full && twice.totals.io_bytes() == 2 * r.totals.io_bytes());
    RC_ASSERT(twice.totals.peak_live_bytes == r.totals.peak_live_bytes && r.totals.kv_cache_bytes == 0);
    const Report batch = with("workload.batch_size", 2);
    RC_ASSERT(batch.totals.flops_torch == 2 * r.totals.flops_torch && batch.totals.io_bytes() < 2 * r.totals.io_bytes());
    RC_ASSERT(with("workload.num_frames", frames + 4).totals.flops_torch > r.totals.flops_torch);
    RC_ASSERT(with("workload.height", 16 * (side + 1)).totals.flops_torch > r.totals.flops_torch);
    RC_ASSERT(report_of(o, true).totals.flops_full == r.totals.flops_full);
    std::map<std::string, const ModuleMetricsSnapshot*> by_id;
    for (const auto& s : r.module_metrics) {
      RC_ASSERT(by_id.emplace(s.module_id, &s).second && std::isfinite(s.total_flops_tflops));
    }
    for (const AnalyticModuleNode& m : r.modules) {
      if (m.children.empty()) continue;
      int64_t flops = 0, bytes = 0, weights = 0;
      for (const std::string& id : m.children) {
        flops += by_id.at(id)->exact.flops_full;
        bytes += by_id.at(id)->exact.io_bytes();
        weights += by_id.at(id)->exact.weight_bytes;
        RC_ASSERT(by_id.at(id)->exact.activation_peak_bytes <= by_id.at(m.module_id)->exact.activation_peak_bytes);
      }
      const Figures& parent = by_id.at(m.module_id)->exact;
      RC_ASSERT(flops == parent.flops_full && bytes == parent.io_bytes() && weights == parent.weight_bytes);
    }
  }));
}

}  // namespace
}  // namespace modelmeter
