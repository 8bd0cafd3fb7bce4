// Points of sweeps are what evaluations of their configurations give.
#include "sweep/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "model/registry.h"

namespace modelmeter {
namespace {

using testing::HasSubstr;

const std::string root = MODELMETER_SOURCE_DIR;

config::Composition composed(const std::string& entry, const std::vector<std::string>& overrides = {}) {
  static const config::Repository repository(root + "/configs");
  return config::compose(repository, entry, overrides);
}

SweepSpace space(const std::string& entry, const std::vector<std::string>& overrides, std::vector<SweepAxis> axes) {
  return {composed(entry, overrides), DataFiles{root}, std::move(axes)};
}

SweepAxis choices(const std::string& key, const std::vector<std::string>& names) {
  SweepAxis axis{key, {}};
  for (const std::string& name : names) axis.choices.push_back(config::Node::string(name));
  return axis;
}

Totals whole(const SweepSpace& space, std::initializer_list<int64_t> point) {
  const std::unique_ptr<AnalyticModel> model = space.model({point.begin(), point.size()});
  const StageCost cost = model->get_forward_cost();
  Totals out;
  out.figures = figures_of(cost.cost);
  out.figures.parameters = cost.parameters;
  out.figures.weight_bytes = cost.weight_bytes;
  out.figures.activation_peak_bytes = cost.activation_peak_bytes;
  out.figures.kv_cache_bytes = cost.kv_cache_bytes;
  out.figures.peak_live_bytes = cost.peak_live_bytes;
  return out;
}

void expect_equal(Sweep& sweep, const SweepSpace& space, std::initializer_list<int64_t> point) {
  const Figures expected = whole(space, point).figures, got = sweep.evaluate(point).figures;
  for (const FigureRow& row : figure_rows) EXPECT_EQ(row.get(got), row.get(expected)) << row.name;
}

const std::vector<SweepAxis> sizes = {{"workload.num_frames", {}}, {"workload.height", {}}, {"workload.width", {}}};

TEST(Sweep, AnotherSizeIsThatSize) {
  const SweepSpace s = space("wan2_1_t2v_14b_pipeline", {"runtime.allow_unsupported=true"}, sizes);
  Sweep sweep(s);
  expect_equal(sweep, s, {81, 720, 1280});
  expect_equal(sweep, s, {5, 64, 96});
  expect_equal(sweep, s, {1, 480, 832});
  EXPECT_EQ(sweep.stats().whole, 0);
}

// Steps and residency ask for no other trace of transformer, encoder and autoencoder.
TEST(Sweep, StepsAndResidencyTraceNextToNothing) {
  const SweepSpace s = space("wan2_1_t2v_14b_pipeline", {},
                             {{"workload.num_inference_steps", {}}, choices("runtime.residency", {"all", "offload"})});
  Sweep sweep(s);
  for (int64_t steps = 1; steps < 200; ++steps) {
    sweep.evaluate({steps, 0});
    sweep.evaluate({steps, 1});
  }
  const Sweep::Stats stats = sweep.stats();
  EXPECT_EQ(stats.points, 398);
  EXPECT_EQ(stats.whole, 0);
  EXPECT_EQ(stats.stages.failed_fits, 0);
  EXPECT_LT(stats.stages.traced, 3 + 2 * 40);
  EXPECT_GE(stats.stages.traced, 3);  // encoder, transformer and autoencoder
  EXPECT_GT(stats.stages.known, 2 * 398);
  for (const int64_t steps : {1, 2, 3, 4, 5, 6, 7, 50, 1000}) {
    expect_equal(sweep, s, {steps, 0});
    expect_equal(sweep, s, {steps, 1});
  }
}

// A thousand sizes are read off polynomials.
TEST(Sweep, ManySizesAreReadOffPolynomials) {
  const SweepSpace s = space("wan2_1_t2v_14b_pipeline", {"runtime.allow_unsupported=true"}, sizes);
  Sweep sweep(s);
  for (int64_t i = 0; i < 100; ++i) sweep.evaluate({21 + 4 * (i % 7), 64 + 16 * (i % 11), 64 + 16 * (i % 13)});
  const Sweep::Stats stats = sweep.stats();
  EXPECT_EQ(stats.stages.fits, 3);
  EXPECT_EQ(stats.stages.failed_fits, 0);
  expect_equal(sweep, s, {121, 1072, 1936});
  expect_equal(sweep, s, {81, 720, 1280});
}

TEST(Sweep, DecodeStepsOfAReadingAreAPolynomial) {
  const SweepSpace s = space("deepseek_ocr", {}, {{"workload.max_new_tokens", {}}});
  Sweep sweep(s);
  for (int64_t tokens = 1; tokens < 40; ++tokens) sweep.evaluate({tokens});
  EXPECT_EQ(sweep.stats().stages.fits, 1);
  EXPECT_EQ(sweep.stats().stages.failed_fits, 0);
  for (const int64_t tokens : {1, 2, 3, 4, 5, 6, 100, 8193, 60'000}) expect_equal(sweep, s, {tokens});
}

// `num_pages: ${.batch_size}`: the value that follows is set too.
TEST(Sweep, WhatInterpolatesAnAxisFollows) {
  const SweepSpace s = space("deepseek_ocr", {}, {{"workload.batch_size", {}}});
  Sweep sweep(s);
  for (const int64_t batch : {1, 2, 5}) expect_equal(sweep, s, {batch});
  EXPECT_EQ(sweep.stats().whole, 0);
}

TEST(Sweep, WhatIsComputedFromAnAxisFollowsToo) {
  const SweepSpace s = space("wan2_1_t2v_14b_pipeline",
                             {R"(workload.width='${eval:"${workload.height} * 2"}')", "runtime.allow_unsupported=true"},
                             {{"workload.height", {}}});
  Sweep sweep(s);
  for (const int64_t height : {128, 256, 480}) expect_equal(sweep, s, {height});
}

// Tiles that are given stay what they are, whatever the page's shape.
TEST(Sweep, PagesOfGivenTilesKeepThem) {
  const SweepSpace s =
      space("deepseek_ocr", {"workload.profile_id=dsocr-gundam", "+workload.tile_columns=2", "+workload.tile_rows=3"},
            {{"workload.page_width", {}}, {"workload.page_height", {}}});
  Sweep sweep(s);
  expect_equal(sweep, s, {2000, 700});
  expect_equal(sweep, s, {700, 2000});
}

// Parts that run by themselves: each follows from less than the whole run does.
TEST(Sweep, StagesOfAReadingByThemselves) {
  for (const char* stage :
       {"sam", "clip", "vision", "layer-dense", "layer-moe", "head", "prefill", "decode", "infer"}) {
    const SweepSpace s =
        space("deepseek_ocr", {"workload.profile_id=dsocr-gundam", std::string("model.stages=[") + stage + "]"},
              {{"workload.page_width", {}}, {"workload.max_new_tokens", {}}, {"workload.batch_size", {}}});
    Sweep sweep(s);
    for (const int64_t width : {500, 1500, 1500, 3000}) {
      expect_equal(sweep, s, {width, 20, 1});
      expect_equal(sweep, s, {width, 7, 2});
    }
    EXPECT_EQ(sweep.stats().models, 1) << stage;
  }
}

TEST(Sweep, AnAxisThatIsNoSettingAsksForAModelOfEachValue) {
  const SweepSpace s =
      space("wan2_1_t2v_14b_pipeline", {}, {{"workload.num_inference_steps", {}}, {"workload.text_len", {}}});
  Sweep sweep(s);
  for (const int64_t text_len : {100, 200, 512}) {
    for (const int64_t steps : {5, 50}) expect_equal(sweep, s, {steps, text_len});
  }
  EXPECT_EQ(sweep.stats().whole, 0);
}

// Of the steps of Wan2.2's A14B so few that one expert runs none: another list of stages.
TEST(Sweep, WhatTakesOtherStagesHasAModelOfItsOwn) {
  const SweepSpace s = space("wan2_2_t2v_a14b_pipeline", {}, {{"workload.num_inference_steps", {}}});
  Sweep sweep(s);
  for (const int64_t steps : {1, 2, 3, 40, 1, 50}) expect_equal(sweep, s, {steps});
  EXPECT_EQ(sweep.stats().models, 2);
  EXPECT_EQ(sweep.stats().whole, 0);
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
    return "no error";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Sweep, ARefusedPointHasTheErrorOfItsConfiguration) {
  const SweepSpace s = space("wan2_1_t2v_14b_pipeline", {},
                             {{"workload.num_frames", {}}, choices("runtime.residency", {"all", "sequential"})});
  Sweep sweep(s);
  EXPECT_THAT(error_of([&] { sweep.evaluate({80, 0}); }), HasSubstr("t2v-14B takes 4n + 1 frames, not 80"));
  EXPECT_THAT(error_of([&] { sweep.evaluate({0, 0}); }), HasSubstr("num_frames"));
  EXPECT_THAT(error_of([&] { sweep.evaluate({81, 1}); }), HasSubstr("no sequential offload"));
  EXPECT_THAT(error_of([&] { sweep.evaluate({81, 2}); }), HasSubstr("there is no choice 2"));
  EXPECT_THAT(error_of([&] { sweep.evaluate({81}); }), HasSubstr("1 values; the sweep has 2 axes"));
  expect_equal(sweep, s, {81, 0});
}

TEST(Sweep, AKeyThatIsNotThereIsNamed) {
  EXPECT_THAT(error_of([] { space("wan2_1_t2v_14b", {}, {{"workload.num_frame", {}}}); }),
              HasSubstr("did you mean 'workload.num_frames'?"));
  EXPECT_THAT(error_of([] { space("wan2_1_t2v_14b", {}, {{"workload.width", {}}, {"workload.width", {}}}); }),
              HasSubstr("swept twice"));
}

// On the host a stage takes nothing of the device.
TEST(Sweep, AStageOnTheHostTakesNoDeviceMemory) {
  const SweepSpace s =
      space("wan2_1_t2v_14b_pipeline", {"runtime=diffusers", "runtime.t5_cpu=true", "model.stages=[text_encoder]"},
            {choices("runtime.residency", {"all", "sequential"}), {"workload.batch_size", {}}});
  Sweep sweep(s);
  for (const int64_t residency : {0, 1}) {
    for (const int64_t batch : {1, 3}) expect_equal(sweep, s, {residency, batch});
  }
}

// A recording's workload gives the latent itself: no key of it is a setting, and each point is a model of its own.
TEST(Sweep, AModelWithoutSettingsIsEvaluatedWhole) {
  const SweepSpace s = space(
      "wan2_1_t2v_14b",
      {"workload.num_frames=null", "workload.height=null", "workload.width=null", "+workload.latent=[16,3,16,16]"},
      {{"workload.num_inference_steps", {}}});
  Sweep sweep(s);
  for (const int64_t steps : {1, 30}) expect_equal(sweep, s, {steps});
  EXPECT_EQ(sweep.stats().whole, 2);
}

TEST(Sweep, ThreadsShareASpace) {
  const SweepSpace s = space("wan2_1_t2v_14b_pipeline", {"runtime.allow_unsupported=true"}, sizes);
  const auto run = [&](std::vector<Count>& out) {
    Sweep sweep(s);
    for (int64_t i = 0; i < 80; ++i) {
      out.push_back(sweep.evaluate({21 + 4 * (i % 7), 64 + 16 * (i % 11), 64 + 16 * (i % 13)}).figures.flops_full);
    }
  };
  std::vector<Count> first, second, alone;
  std::thread a([&] { run(first); }), b([&] { run(second); });
  a.join();
  b.join();
  run(alone);
  EXPECT_EQ(first, alone);
  EXPECT_EQ(second, alone);
}

TEST(Sweep, WeightsOnTheDeviceDependOnResidency) {
  const SweepSpace s = space("wan2_1_t2v_14b_pipeline", {"runtime=diffusers"},
                             {choices("runtime.residency", {"all", "offload", "sequential"})});
  Sweep sweep(s);
  const Totals all = sweep.evaluate({0}), offload = sweep.evaluate({1}), sequential = sweep.evaluate({2});
  EXPECT_GE(all.resident_bytes, all.figures.weight_bytes);
  EXPECT_LT(offload.resident_bytes, all.resident_bytes);
  EXPECT_EQ(sequential.resident_bytes, 2 * 1024 * 128 * 4);  // the rotary tables: buffers stay
  for (const int64_t residency : {0, 1, 2}) expect_equal(sweep, s, {residency});
}

}  // namespace
}  // namespace modelmeter
