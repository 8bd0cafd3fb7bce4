// Wan on several ranks: what one of them runs, and the plans that a code base does not have.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/yaml.h"
#include "cost/collective_cost.h"
#include "cost/rollup.h"
#include "model/registry.h"
#include "model/wan/model.h"
#include "testing/wan_groups.h"

namespace modelmeter::wan {
namespace {

using testing::HasSubstr;

constexpr char runtime[] = "implementation: official, attention: flash, cfg: false";

// 12 tokens of a small Wan2.2.
std::unique_ptr<AnalyticModel> planned(const std::string& plan, const std::string& generation = "wan2.2",
                                       const std::string& how = runtime, int64_t height = 32) {
  const config::Node node = config::parse_yaml(
      "hf: {model_id: test, model_variant: small, generation: " + generation +
          ", config: {dim: 32, ffn_dim: 48, num_heads: 4, num_layers: 3}}\n"
          "runtime: {" +
          how + "}\nworkload: {profile_id: test, batch_size: 1, num_frames: 5, height: " + std::to_string(height) +
          ", width: 48, "
          "num_inference_steps: 2, text_len: 16, prompt_tokens: 5}\n"
          "transformer: {block: {}}\nimage_encoder: {}\n" +
          testing_models::umt5_xxl + testing_models::wan2_1_vae +
          "model: {_target_: modelmeter.wan2_1.Wan2_1Model, stages: [diffusion]}\nplan: " + plan + "\n",
      "test.yaml");
  return build_model(config::View(node), {});
}

std::string plan_error(const std::string& plan, const std::string& generation = "wan2.2",
                       const std::string& how = runtime) {
  try {
    planned(plan, generation, how);
    return "no error";
  } catch (const Error& error) {
    std::string out = error.message();
    for (const std::string& note : error.notes()) out += "; " + note;
    return out;
  }
}

struct OneForward {
  explicit OneForward(const AnalyticModel& model) {
    model.trace_forward(tracer);
    cost = roll_up(tracer.trace()).total();
    sent = communication_of(tracer.trace());
  }
  Tracer tracer;
  Cost cost;
  std::vector<Communication> sent;
};

// Four exchanges in each block of (N - 1) / N of a rank's part in 16 bits, then one gather of the result in float32.
TEST(Ulysses, SendsWhatTheClosedFormSays) {
  constexpr int64_t tokens = 12, dim = 32, layers = 3, out = 64;
  for (const int64_t n : {2, 4}) {
    const OneForward run(*planned("{ulysses: " + std::to_string(n) + "}"));
    ASSERT_EQ(run.sent.size(), 2u);
    EXPECT_EQ(run.sent[0].name, "c10d.alltoall_");
    EXPECT_EQ(run.sent[0].group.size, n);
    EXPECT_EQ(run.sent[0].calls, 4 * layers);
    EXPECT_EQ(run.sent[0].sent, 4 * layers * (tokens / n * dim * 2) * (n - 1) / n);
    EXPECT_EQ(run.sent[0].received, run.sent[0].sent);
    EXPECT_EQ(run.sent[1].name, "c10d.allgather_");
    EXPECT_EQ(run.sent[1].calls, 1);
    EXPECT_EQ(run.sent[1].sent, (n - 1) * (tokens / n) * out * 4);
  }
}

// The same bytes in Wan2.1's exchanges of one tensor.
TEST(Ulysses, OfXfuserSendsAsMuch) {
  const OneForward ours(*planned("{ulysses: 4}", "wan2.1")), other(*planned("{ulysses: 4}"));
  ASSERT_EQ(ours.sent.size(), 2u);
  EXPECT_EQ(ours.sent[0].name, "c10d.alltoall_base_");
  EXPECT_EQ(ours.sent[0].calls, other.sent[0].calls);
  EXPECT_EQ(ours.sent[0].sent, other.sent[0].sent);
  EXPECT_EQ(ours.sent[1].name, "c10d._allgather_base_");
  EXPECT_EQ(ours.sent[1].sent, other.sent[1].sent);
}

TEST(Ulysses, PadsTheSequenceToAMultipleOfTheRanks) {
  const OneForward run(*planned("{ulysses: 4, rank: 3}", "wan2.2", runtime, 16));  // 6 tokens, padded to 8
  EXPECT_EQ(run.sent[0].sent, 4 * 3 * (8 / 4 * 32 * 2) * 3 / 4);
}

TEST(Ulysses, OfOneRankIsTheModelAsItWas) {
  const OneForward plain(*planned("null")), one(*planned("{ulysses: 1}"));
  EXPECT_EQ(plain.cost, one.cost);
  EXPECT_TRUE(one.sent.empty());
  const OneForward copies(*planned("{world_size: 4}"));  // all do the same
  EXPECT_EQ(plain.cost, copies.cost);
}

TEST(Ulysses, SharesCallsToTheSameSums) {
  const auto model = planned("{ulysses: 4, rank: 1}");
  Tracer tracer;
  tracer.share_calls(true);
  model->trace_forward(tracer);
  EXPECT_EQ(roll_up(tracer.trace()).total(), OneForward(*model).cost);
}

int64_t held(const AnalyticModel& model) { return model.residents(*model.stages()[0]).bytes(); }

// Of each block a rank's part, padded; before it runs that is cast and gathered, and freed after it. What is in no
// block is there whole, too.
TEST(Fsdp, GathersBlockByBlock) {
  const auto model = planned("{world_size: 4, fsdp: transformer}");
  const BaseLayer& layer = model->stages()[0]->layer();
  int64_t block = 0;
  for (const BaseLayer::Child& child : layer.children()) {
    if (child.name == "blocks") block = child.layer->parameter_count();
  }
  const int64_t rest = layer.parameter_count() - 3 * block;
  const auto part = [](int64_t parameters) { return (parameters + 3) / 4; };
  EXPECT_EQ(held(*model), 4 * (3 * part(block) + part(rest)) + 2 * 4 * part(rest));

  const OneForward run(*model);
  ASSERT_EQ(run.sent.size(), 1u);
  EXPECT_EQ(run.sent[0].name, "c10d._allgather_base_");
  EXPECT_EQ(run.sent[0].group.axis, GroupAxis::world);
  EXPECT_EQ(run.sent[0].calls, 3);
  EXPECT_EQ(run.sent[0].received, 3 * 3 * part(block) * 2);
  const Trace& trace = run.tracer.trace();
  EXPECT_EQ(trace.output(trace.ops[0], 0).dtype, DType::bfloat16);  // the latent, cast
  EXPECT_EQ(layer.parameter_bytes(), 2 * layer.parameter_count());
}

TEST(Fsdp, OfWeightsInItsDtypeCastsNothing) {
  const std::string halves = std::string(runtime) + ", weight_dtype: bfloat16";
  const auto cast = planned("{world_size: 4, fsdp: transformer}");
  const auto plain = planned("{world_size: 4, fsdp: transformer}", "wan2.2", halves);
  EXPECT_EQ(OneForward(*cast).cost.kernels, OneForward(*plain).cost.kernels + 3);
  EXPECT_LT(held(*plain), held(*cast));
}

TEST(Fsdp, AddsItsGathersToUlysses) {
  const OneForward run(*planned("{ulysses: 4, fsdp: true, rank: 2}"));
  ASSERT_EQ(run.sent.size(), 3u);
  EXPECT_EQ(run.sent[0].name, "c10d._allgather_base_");
  EXPECT_EQ(run.sent[1].name, "c10d.alltoall_");
  EXPECT_EQ(run.sent[2].name, "c10d.allgather_");
}

TEST(Plans, AreSaidInReportsAndRecordings) {
  const auto model = planned("{ulysses: 4, rank: 1}");
  EXPECT_THAT(model->notes(), testing::Contains(HasSubstr("4 ranks (ulysses 4), of which this is 1")));
  EXPECT_THAT(model->runtime_fields(), testing::Contains(testing::Pair("plan.rank", FieldValue(int64_t{1}))));
  EXPECT_EQ(model->categories().front().id, "communication");
  EXPECT_NE(planned("null")->categories().front().id, "communication");
  Recording header;
  model->describe(*model->stages()[0], header);
  EXPECT_EQ(header.parallel, R"({"ulysses":4,"rank":1})");
  Recording plain;
  const auto alone = planned("null");
  alone->describe(*alone->stages()[0], plain);
  EXPECT_EQ(plain.parallel, "");
}

TEST(Plans, ThatACodeBaseDoesNotHaveAreErrors) {
  EXPECT_THAT(plan_error("{ulysses: 3}"), HasSubstr("4 attention heads do not divide by 3 ranks; plan.ulysses=2, 4"));
  EXPECT_THAT(plan_error("{ring: 2}"), HasSubstr("plan.ring: Wan2.2's official code has no ring attention"));
  EXPECT_THAT(plan_error("{fsdp: true, world_size: 2}", "wan2.2", std::string(runtime) + ", t5_cpu: true"),
              HasSubstr("runtime.t5_cpu"));
  EXPECT_THAT(plan_error("{cfg_parallel: 2}"), HasSubstr("both branches of guidance on every rank"));
  EXPECT_THAT(plan_error("{ulysses: 2, world_size: 4}"), HasSubstr("plan.world_size: generate.py has as many ranks"));
  EXPECT_THAT(plan_error("{ring: 2}", "wan2.1"), HasSubstr("plan.ring: ring attention is not modelled yet"));
  EXPECT_THAT(plan_error("{ulysses: 2}", "wan2.2", "implementation: diffusers, attention: flash"),
              HasSubstr("not modelled for diffusers"));
  EXPECT_THAT(plan_error("{ulysses: 2}", "wan2.2", std::string(runtime) + ", residency: offload"),
              HasSubstr("runtime.residency: of several ranks"));
  EXPECT_THAT(plan_error("{ulysses: 2}", "wan2.2", std::string(runtime) + ", block_swap: 1"),
              HasSubstr("runtime.block_swap"));
}

}  // namespace
}  // namespace modelmeter::wan
