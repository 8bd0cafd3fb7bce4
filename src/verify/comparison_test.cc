#include "verify/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "testing/models.h"

namespace modelmeter {
namespace {

using testing::HasSubstr;
using testing::Not;

Recording small(const std::string& implementation = "official") {
  testing_models::WanSpec spec;
  spec.implementation = implementation;
  return recording_of(*testing_models::wan_model(spec)->stages().front());
}

Comparison compared(const std::function<void(Recording&)>& change) {
  const Recording ours = small();
  Recording reference = ours;
  change(reference);
  const Comparison c = compare(ours, reference);
  EXPECT_FALSE(c.equal());
  EXPECT_THAT(table_of(c, reference), testing::AllOf(HasSubstr("DIFFERENT"), Not(HasSubstr("no difference"))));
  return c;
}

TEST(Comparison, FindsNothingBetweenEqualRecordings) {
  for (const char* implementation : {"official", "diffusers"}) {
    const Recording recording = small(implementation);
    const Comparison c = compare(recording, recording);
    EXPECT_TRUE(c.equal());
    EXPECT_EQ(c.kernels_compared, static_cast<int64_t>(recording.ops.size()));
    EXPECT_GT(c.kernels_compared, 100);
    EXPECT_GT(c.modules.size(), 20u);
    EXPECT_GT(c.parameters_compared, 50);
    EXPECT_THAT(table_of(c, recording), testing::AllOf(HasSubstr("no difference"), Not(HasSubstr("DIFFERENT"))));
  }
}

TEST(Comparison, FindsEveryChangeOfAKernel) {
  const std::vector<std::function<void(RecordedOp&)>> changes = {
      [](RecordedOp& op) { op.kernel = "aten.other"; },
      [](RecordedOp& op) { op.scope += ".x"; },
      [](RecordedOp& op) { op.inputs.at(0).sizes[0] += 1; },
      [](RecordedOp& op) { op.inputs.at(0).dtype = "f64"; },
      [](RecordedOp& op) { op.inputs.pop_back(); },
      [](RecordedOp& op) { op.outputs.at(0).dtype = "f64"; },
      [](RecordedOp& op) { op.flops += 1; },
      [](RecordedOp& op) { op.read += 1; },
      [](RecordedOp& op) { op.write += 1; },
      [](RecordedOp& op) { op.live += 1; },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    const Comparison c = compared([&](Recording& r) { changes[i](r.ops.at(7)); });
    EXPECT_EQ(c.kernels_different, 1) << i;
    ASSERT_EQ(c.first_kernels.size(), 1u) << i;
    EXPECT_EQ(c.first_kernels[0].index, 7u);
    EXPECT_NE(c.first_kernels[0].ours, c.first_kernels[0].reference);
  }
}

TEST(Comparison, FindsKernelsThatOneSideHasMore) {
  EXPECT_EQ(compared([](Recording& r) { r.ops.pop_back(); }).kernels_different, 1);
  const Comparison c = compared([](Recording& r) { r.ops.push_back(r.ops.back()); });
  EXPECT_EQ(c.kernels_different, 1);
  EXPECT_EQ(c.first_kernels[0].ours, "");
}

TEST(Comparison, ShowsTheFirstTenKernelsOnly) {
  const Comparison c = compared([](Recording& r) {
    for (RecordedOp& op : r.ops) op.live += 1;
  });
  EXPECT_EQ(c.kernels_different, c.kernels_compared);
  EXPECT_EQ(c.first_kernels.size(), 10u);
}

TEST(Comparison, FindsEveryChangeOfATotal) {
  const std::vector<Count RecordedTotals::*> figures = {&RecordedTotals::params,        &RecordedTotals::param_bytes,
                                                        &RecordedTotals::kernels,       &RecordedTotals::flops,
                                                        &RecordedTotals::read,          &RecordedTotals::write,
                                                        &RecordedTotals::live_at_start, &RecordedTotals::peak_live};
  for (Count RecordedTotals::* figure : figures) {
    const Comparison c = compared([&](Recording& r) { r.totals.*figure += 1; });
    int different = 0;
    for (const ComparedFigure& f : c.totals) different += !f.equal();
    EXPECT_EQ(different, 1);
  }
}

TEST(Comparison, FindsEveryChangeOfAModule) {
  const std::vector<std::function<void(RecordedModule&)>> changes = {
      [](RecordedModule& m) { m.klass = "Other"; },   [](RecordedModule& m) { m.calls += 1; },
      [](RecordedModule& m) { m.params += 1; },       [](RecordedModule& m) { m.param_bytes += 1; },
      [](RecordedModule& m) { m.flops += 1; },        [](RecordedModule& m) { m.read += 1; },
      [](RecordedModule& m) { m.write += 1; },        [](RecordedModule& m) { m.kernels += 1; },
      [](RecordedModule& m) { m.name = "elsewhere"; }};
  for (const auto& change : changes) {
    EXPECT_EQ(compared([&](Recording& r) { change(r.modules.at(3)); }).module_differences.size(), 1u);
  }
}

TEST(Comparison, FindsEveryChangeOfAParameter) {
  const Comparison named = compared([](Recording& r) { r.parameters.at(0).name = "elsewhere"; });
  EXPECT_THAT(named.parameter_differences, testing::ElementsAre("elsewhere: modelmeter does not have it"));
  EXPECT_EQ(compared([](Recording& r) { r.parameters.at(0).tensor.sizes[0] += 1; }).parameter_differences.size(), 1u);
  EXPECT_EQ(compared([](Recording& r) { r.parameters.at(0).tensor.dtype = "f16"; }).parameter_differences.size(), 1u);
}

}  // namespace
}  // namespace modelmeter
