#include "model/wan/stage.h"

#include <gtest/gtest.h>

#include "model/wan/diffusers/code_base.h"
#include "model/wan/official/code_base.h"
#include "testing/models.h"

namespace modelmeter::wan {
namespace {

// 5 frames of 64 x 96.
SamplingInputs small(Task task, int64_t steps) {
  SamplingInputs o({}, {});
  o.task = task;
  o.steps = steps;
  o.latent = {16, 2, 8, 12};
  o.text_len = 64;
  return o;
}

SamplingStage sampling(const CodeBase& code, const SamplingInputs& o) { return {code, o, o}; }

constexpr int64_t latent = 16 * 2 * 8 * 12 * 4;  // bytes, float32
constexpr int64_t context = 64 * 4096 * 2;       // of one text, bfloat16

Cost cost_of(const SamplingStage& stage) {
  Tracer tracer;
  stage.trace(tracer);
  return roll_up(tracer.trace()).total();
}

size_t traced_ops(const SamplingStage& stage) {
  Tracer tracer;
  stage.trace(tracer);
  return tracer.trace().ops.size();
}

WanStage some_transformer() {
  TransformerOptions o;
  o.architecture.dim = 32;
  o.architecture.ffn_dim = 48;
  o.architecture.num_heads = 4;
  o.architecture.num_layers = 1;
  RunSizes run;
  run.latent = {16, 2, 8, 12};
  run.seq_len = 48;
  return {{Role::transformer, "diffusion/dit"}, official::code_base().transformer(o), run};
}

TEST(SamplingStage, HasNoParameters) {
  const SamplingStage stage = sampling(official::code_base(), small(Task::t2v, 5));
  EXPECT_EQ(stage.parameter_count(), 0);
  EXPECT_EQ(stage.layer().class_name(), "WanT2V");
}

// Steps between the warm-up and the last are alike: ten more cost ten times what one more costs, and no more is traced.
TEST(SamplingStage, StepsAreFolded) {
  for (const CodeBase* code : code_bases()) {
    for (const Scheduler scheduler : {Scheduler::unipc, Scheduler::dpm_solver}) {
      const auto with_steps = [&](int64_t steps) {
        SamplingInputs o = small(Task::t2v, steps);
        o.scheduler = scheduler;
        return sampling(*code, o);
      };
      const Cost five = cost_of(with_steps(5)), six = cost_of(with_steps(6)), fifteen = cost_of(with_steps(15));
      EXPECT_GT(six.kernels, five.kernels);
      EXPECT_EQ(fifteen.kernels - five.kernels, 10 * (six.kernels - five.kernels));
      EXPECT_EQ(fifteen.bytes() - five.bytes(), 10 * (six.bytes() - five.bytes()));
      EXPECT_EQ(traced_ops(with_steps(50)), traced_ops(with_steps(5)));
    }
  }
}

// While the transformer runs for the negative prompt: both texts; noise, latents, the conditional prediction, the last
// step's unconditional and guided ones, both converted predictions and the last sample; all time steps, and one
// stacked.
TEST(SamplingStage, HoldsWhatTheLoopKeeps) {
  const SamplingStage stage = sampling(official::code_base(), small(Task::t2v, 5));
  const int64_t held = stage.held_while(some_transformer());
  EXPECT_EQ(held, 2 * context + 8 * latent + 5 * 8 + 8);
}

// With DPM-Solver++ there is no last sample.
TEST(SamplingStage, DpmSolverHoldsLess) {
  SamplingInputs o = small(Task::t2v, 5);
  o.scheduler = Scheduler::dpm_solver;
  const SamplingStage stage = sampling(official::code_base(), o);
  EXPECT_EQ(stage.held_while(some_transformer()), 2 * context + 7 * latent + 5 * 8 + 8);
}

// The predictions wait on the host: on the device are noise and the latent in two copies.
TEST(SamplingStage, OffloadHoldsLessOnTheDevice) {
  SamplingInputs o = small(Task::i2v, 5);
  const SamplingStage all = sampling(official::code_base(), o);
  o.residency = static_cast<int64_t>(Residency::offload);
  const SamplingStage offload = sampling(official::code_base(), o);
  const WanStage transformer = some_transformer();
  EXPECT_LT(offload.held_while(transformer), all.held_while(transformer));
  EXPECT_EQ(all.held_while(transformer) - offload.held_while(transformer), 5 * latent);
}

// In one forward a stage runs once; the official code makes one video after another.
TEST(SamplingStage, OfficialMakesOneVideoAtATime) {
  SamplingInputs o = small(Task::t2v, 3);
  const Cost one = cost_of(sampling(official::code_base(), o));
  o.batch = 3;
  EXPECT_EQ(cost_of(sampling(official::code_base(), o)), one.times(3));
}

// What the loop holds is there when the transformer runs, beside its weights; the transformer's inputs are part of it.
TEST(SamplingStage, HeldTensorsAreResidentWithTheTransformer) {
  testing_models::WanSpec spec;
  spec.stages = "[diffusion]";
  const auto alone = testing_models::wan_model(spec);
  spec.stages = "[sampling, diffusion]";
  const auto whole = testing_models::wan_model(spec);
  const auto residence = [](const AnalyticModel& model) {
    Tracer tracer;
    model.trace(tracer);
    return tracer.trace().residences.back().given_bytes;
  };
  const Stage& transformer = *whole->stages().back();
  const int64_t held = dynamic_cast<const SamplingStage&>(*whole->stages().front()).held_while(transformer);
  EXPECT_GT(held, 0);
  EXPECT_EQ(residence(*whole), transformer.weight_and_buffer_bytes() + held);
  EXPECT_GT(residence(*whole), residence(*alone));
}

// Of all calls of a model the one counts that finds most held: the texts are encoded one after the other.
TEST(SamplingStage, TheCallThatFindsMostCounts) {
  TextEncoderOptions options;
  options.architecture = {100, 8, 8, 16, 2, 1, 4, false};
  const WanStage encoder({Role::text_encoder, "text_encoder/umt5"}, official::code_base().text_encoder(options), {});
  SamplingInputs o = small(Task::t2v, 5);
  const int64_t two = sampling(official::code_base(), o).held_while(encoder);
  o.guidance = false;
  const int64_t one = sampling(official::code_base(), o).held_while(encoder);
  EXPECT_EQ(two - one, context);
}

TEST(SamplingStage, NothingIsHeldForStagesThatAreNotCalled) {
  const SamplingStage stage = sampling(official::code_base(), small(Task::t2v, 5));
  const WanStage encoder({Role::image_encoder, "image_encoder/clip"}, official::code_base().image_encoder({}), {});
  EXPECT_EQ(stage.held_while(encoder), 0);
  EXPECT_EQ(stage.held_while(stage), 0);
}

}  // namespace
}  // namespace modelmeter::wan
