// With a model that is made up: two stages that share a layer, and one of its own.
#include "model/analytic_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "layer/linear.h"

namespace modelmeter {
namespace {

using testing::ElementsAre;

const BuildContext f32{};

// x [run[0], 3] through a linear layer 3 to 5 (80 bytes), run[1] times in a run.
class LinearStage : public Stage {
 public:
  LinearStage(std::string id, const Linear& layer, const RunValues& run)
      : Stage(std::move(id), "other", run), layer_(layer) {}

  const BaseLayer& layer() const override { return layer_; }
  std::vector<Dependence> depends_on() const override { return {{0}}; }
  using Stage::forwards;
  int64_t forwards(const RunValues& run) const override { return run[1]; }
  void forward(Tracer& tracer, const RunValues& run) const override {
    layer_(tracer.input({run[0], 3}, DType::float32));
  }

 private:
  const Linear& layer_;
};

class MadeUpModel : public AnalyticModel {
 public:
  MadeUpModel() {
    stages_.push_back(std::make_unique<LinearStage>("a/one", shared_, RunValues{4, 1}));
    stages_.push_back(std::make_unique<LinearStage>("b/two", shared_, RunValues{4, 10}));
    stages_.push_back(std::make_unique<LinearStage>("c/own", own_, RunValues{2, 1}));
  }
  const std::vector<std::unique_ptr<Stage>>& stages() const override { return stages_; }
  std::string family() const override { return "made_up"; }
  std::string class_name() const override { return "MadeUp"; }
  std::string profile_id() const override { return "p"; }
  Fields model_fields() const override { return {}; }
  Fields workload_fields() const override { return {}; }
  Fields runtime_fields() const override { return {}; }
  std::vector<std::string> notes() const override { return {}; }
  std::vector<OperatorCategory> categories() const override { return {}; }
  ReportNames names() const override { return {}; }
  void describe(const Stage&, Recording&) const override {}
  using AnalyticModel::residents;
  Residents residents(const Stage& running, const RunValues& run) const override {
    Residents out = AnalyticModel::residents(running, run);
    if (running.id() == host) out.on_device = false;
    return out;
  }
  int64_t held_bytes(const Stage&) const override { return held; }

  int64_t held = 0;
  std::string host;  // id of a stage that runs on the host

 private:
  Linear shared_{f32, {3, 5}}, own_{f32, {3, 2}};
  std::vector<std::unique_ptr<Stage>> stages_;
};

std::vector<int64_t> given(const Trace& trace) {
  std::vector<int64_t> out;
  for (const Residence& r : trace.residences) out.push_back(r.given_bytes);
  return out;
}

TEST(AnalyticModel, CountsASharedLayerOnce) {
  const MadeUpModel model;
  EXPECT_EQ(model.root_layers().size(), 2u);
  EXPECT_EQ(model.parameter_count(), (3 * 5 + 5) + (3 * 2 + 2));
  EXPECT_EQ(model.parameter_bytes(), 80 + 32);
  const Residents residents = model.residents(*model.stages()[1]);
  ASSERT_EQ(residents.list.size(), 2u);
  EXPECT_EQ(residents.list[0].what, "a/one");  // the first stage that runs it
  EXPECT_EQ(residents.list[1].what, "c/own");
  EXPECT_EQ(residents.bytes(), 112);
  EXPECT_TRUE(residents.on_device);
}

TEST(AnalyticModel, RunsItsStagesOneAfterAnotherInScopesOfTheirIds) {
  const MadeUpModel model;
  Tracer tracer;
  model.trace(tracer);
  const Trace& trace = tracer.trace();
  ASSERT_EQ(trace.residences.size(), 3u);
  std::vector<std::string> ids;
  for (const Residence& r : trace.residences) ids.emplace_back(trace.scopes[static_cast<size_t>(r.scope)].name);
  EXPECT_THAT(ids, ElementsAre("a/one", "b/two", "c/own"));
  EXPECT_EQ(roll_up(trace).total().kernels, 1 + 10 + 1);
  EXPECT_EQ(roll_up(trace).total().flops_tensor, 11 * 2 * 4 * 3 * 5 + 2 * 2 * 3 * 2);
  EXPECT_EQ(tracer.live(), 0);
}

TEST(AnalyticModel, OneForwardOfEachStageIsTracedOnce) {
  const MadeUpModel model;
  Tracer tracer;
  model.trace_forward(tracer);
  EXPECT_EQ(roll_up(tracer.trace()).total().kernels, 3);
}

// Weights of both layers, beside the inputs of the stage: 4 x 3 and 2 x 3 floats.
TEST(AnalyticModel, WhatIsGivenIsWeightsAndInputsOfTheStage) {
  const MadeUpModel model;
  Tracer tracer;
  model.trace(tracer);
  EXPECT_THAT(given(tracer.trace()), ElementsAre(112 + 48, 112 + 48, 112 + 24));
}

// Inputs are among what is held, so that the larger counts; on the host they take nothing of the device.
TEST(AnalyticModel, WhatOthersHoldIsBesideOrInPlaceOfInputs) {
  MadeUpModel model;
  model.held = 30;
  model.host = "b/two";
  Tracer tracer;
  model.trace(tracer);
  EXPECT_THAT(given(tracer.trace()), ElementsAre(112 + 48, 112 + 30, 112 + 30));
  EXPECT_FALSE(tracer.trace().residences[1].on_device);
}

// The output of the first stage, 4 x 5 floats, above weights and input.
TEST(AnalyticModel, ThePeakIsThatOfItsHighestStage) {
  const StageCost cost = MadeUpModel().get_forward_cost();
  EXPECT_EQ(cost.peak_live_bytes, 112 + 48 + 80);
  EXPECT_EQ(cost.activation_peak_bytes, 80);
  EXPECT_EQ(cost.parameters, 28);
  EXPECT_EQ(cost.weight_bytes, 112);
}

TEST(Stage, IsTracedWithTheNumbersItIsGiven) {
  const Linear layer(f32, {3, 5});
  const LinearStage stage("s", layer, {4, 3});
  EXPECT_EQ(stage.forwards(), 3);
  EXPECT_EQ(stage.forwards({4, 7}), 7);
  EXPECT_EQ(stage.weight_and_buffer_bytes(), 80);
  Tracer tracer;
  stage.trace(tracer);
  EXPECT_EQ(roll_up(tracer.trace()).total().flops_tensor, 3 * 2 * 4 * 3 * 5);
  EXPECT_EQ(tracer.trace().given_bytes, 80 + 48);  // the same input each time
  tracer.clear();
  stage.trace_forward(tracer, {9, 3});
  EXPECT_EQ(roll_up(tracer.trace()).total().flops_tensor, 2 * 9 * 3 * 5);
  EXPECT_EQ(tracer.trace().given_bytes, 80 + 4 * 27);
}

TEST(Residents, AddUpAndOverflowIsNamed) {
  Residents residents;
  residents.list = {{"a", int64_t{1} << 62, nullptr}, {"b", int64_t{1} << 62, nullptr}};
  try {
    residents.bytes();
    FAIL() << "no overflow";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "the size of the weights overflows 64 bits");
  }
}

}  // namespace
}  // namespace modelmeter
