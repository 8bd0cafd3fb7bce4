// What is summed with equal calls recorded once is what is summed over every kernel: over all entry configs.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "config/compose.h"
#include "model/registry.h"

namespace modelmeter {
namespace {

const std::string root = MODELMETER_SOURCE_DIR;

// What is added up of an op when it is recorded is what its list of factors says.
void expect_costs_of_factors(const Trace& trace) {
  for (const Buffer<Op>* ops : {&trace.ops, &trace.last_ops}) {
    for (const Op& op : *ops) {
      const OpCost recorded = cost_of(trace, op), listed = cost_of(launch_of(trace, op));
      Cost a, b;
      a.add(recorded);
      b.add(listed);
      EXPECT_EQ(a, b) << info(op.kernel).name;
    }
  }
}

StageCost cost_of(const AnalyticModel& model, bool share_calls, size_t& recorded) {
  Tracer tracer;
  tracer.share_calls(share_calls);
  model.trace(tracer);
  recorded = tracer.trace().ops.size();
  if (!share_calls) expect_costs_of_factors(tracer.trace());
  return model.cost_of(tracer.trace(), roll_up(tracer.trace()));
}

class SharedCalls : public testing::TestWithParam<std::string> {
 protected:
  static void compare(const std::vector<std::string>& overrides) {
    const config::Repository repository(root + "/configs");
    const config::Node config = config::resolve(config::compose(repository, GetParam(), overrides));
    std::unique_ptr<AnalyticModel> model;
    try {
      model = build_model(config::View(config), DataFiles{root});
    } catch (const Error&) {
      return;  // this model does not run so
    }
    size_t all = 0, once = 0;
    const StageCost plain = cost_of(*model, false, all), shared = cost_of(*model, true, once);
    EXPECT_EQ(plain.cost, shared.cost);
    EXPECT_EQ(plain.activation_peak_bytes, shared.activation_peak_bytes);
    EXPECT_EQ(plain.peak_live_bytes, shared.peak_live_bytes);
    EXPECT_LE(once, all);
  }
};

TEST_P(SharedCalls, SumsAreThoseOfEveryKernel) { compare({}); }

TEST_P(SharedCalls, SoTheyAreInOtherWaysToRun) {
  if (GetParam() == "deepseek_ocr") return compare({"workload=dsocr-gundam", "runtime.attention=eager"});
  if (GetParam() == "deepseek_ocr_2") return compare({"runtime.attention=eager"});
  compare({"runtime.implementation=diffusers", "runtime.attention=math"});
  compare({"workload.batch_size=3", "workload.num_frames=9"});
  compare({"runtime.implementation=diffusers", "workload.batch_size=3"});
  if (GetParam().find("pipeline") == std::string::npos) return;
  compare({"runtime.implementation=diffusers", "runtime.residency=sequential"});
  compare({"runtime.implementation=diffusers", "runtime.vae_tiling=true"});
  compare({"runtime.residency=offload"});
}

std::vector<std::string> entry_configs() {
  std::vector<std::string> out;
  for (const auto& file : std::filesystem::directory_iterator(root + "/configs")) {
    if (file.path().extension() == ".yaml") out.push_back(file.path().stem());
  }
  std::sort(out.begin(), out.end());
  return out;
}

INSTANTIATE_TEST_SUITE_P(EntryConfigs, SharedCalls, testing::ValuesIn(entry_configs()),
                         [](const auto& entry) { return entry.param; });

}  // namespace
}  // namespace modelmeter
