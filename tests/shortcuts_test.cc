// What users of Wan do to be faster, each with what it takes off in closed form: fewer steps, no guidance, a cache
// between steps, sparse attention, and what they do to sums, memory and sweeps.
#include <gtest/gtest.h>

#include "entries.h"
#include "layer/stage_cost.h"

namespace modelmeter {
namespace {

using entries::Overrides;

constexpr int64_t tokens = 32760, dim = 5120, layers = 40;  // of 14B at 480 x 832 x 81
constexpr int64_t hidden = tokens * dim;

StageCost cost(Overrides overrides) {
  overrides.emplace_back("workload=wan2-1-480p-81f");
  return entries::model("wan2_1_t2v_14b", overrides)->get_forward_cost();
}

Count flops(const Overrides& overrides) { return cost(overrides).cost.flops_torch(); }

// Self-attention of all blocks, once: scores and weighted sum of so many keys for each query.
Count self_attention(int64_t keys) { return Count(4 * layers * dim) * tokens * keys; }

TEST(Shortcuts, DistilledStepsAndNoGuidanceTakeForwardsOff) {
  const Count forward = flops({}) / 100;
  EXPECT_EQ(flops({"workload.num_inference_steps=4"}), forward * 8);
  EXPECT_EQ(flops({"workload.num_inference_steps=4", "runtime.cfg=false"}), forward * 4);
  EXPECT_EQ(flops({"runtime=diffusers", "runtime.guidance_scale=1"}), flops({"runtime=diffusers"}) / 2);
}

// ceil(density x keys) of them: 32760 / 4 = 8190.
TEST(Shortcuts, SparseSelfAttentionComputesAShareOfTheScores) {
  for (const char* runtime : {"official", "diffusers"}) {
    const std::string code = std::string("runtime=") + runtime;
    const StageCost dense = cost({code}), sparse = cost({code, "runtime.attention_density=0.25"});
    EXPECT_EQ(dense.cost.flops_torch() - sparse.cost.flops_torch(),
              (self_attention(tokens) - self_attention(tokens / 4)) * 100);
    EXPECT_EQ(dense.cost.bytes(), sparse.cost.bytes()) << "what is read stays";
    EXPECT_EQ(dense.activation_peak_bytes, sparse.activation_peak_bytes);
    EXPECT_EQ(flops({code, "runtime.attention_density=1"}), dense.cost.flops_torch());
  }
}

// Of 100 forwards 40 run embeddings and head only.
TEST(Shortcuts, AStepCacheLeavesOutTheBlocksOfAShareOfTheForwards) {
  for (const char* runtime : {"official", "diffusers"}) {
    const std::string code = std::string("runtime=") + runtime;
    const Count forward = flops({code}) / 100;
    // As many blocks as there are layers make the difference between depths.
    const Count blocks = forward - flops({code, "transformer.num_layers=1"}) / 100;
    const Count one_block = blocks / (layers - 1);
    EXPECT_EQ(flops({code, "runtime.step_cache=0.4"}), forward * 100 - (blocks + one_block) * 40);
    EXPECT_EQ(flops({code, "runtime.step_cache=0"}), forward * 100);
    EXPECT_EQ(flops({code, "runtime.step_cache=0.001"}), forward * 100) << "less than one";
    EXPECT_EQ(flops({code, "runtime.step_cache=0.999"}), forward * 100 - (blocks + one_block) * 99)
        << "the first one has nothing to reuse";
  }
}

TEST(Shortcuts, AStepCacheTakesTheMemoryOfWhatItKeeps) {
  const auto peak = [](const Overrides& overrides) { return cost(overrides).peak_live_bytes; };
  // One difference for each branch of guidance, and the hidden states that the blocks begin with, in bfloat16.
  const int64_t both = peak({"runtime.step_cache=0.4"}) - peak({});
  const int64_t one = peak({"runtime.step_cache=0.4", "runtime.cfg=false"}) - peak({"runtime.cfg=false"});
  EXPECT_EQ(both - one, hidden * 4);
  EXPECT_NEAR(static_cast<double>(one), hidden * (4.0 + 2.0), 2e6);
}

TEST(Shortcuts, TheStageOfCachedForwardsHasTheSameWeights) {
  const auto model = entries::model("wan2_1_t2v_14b", {"runtime.step_cache=0.4"});
  ASSERT_EQ(model->stages().size(), 2u);
  EXPECT_EQ(model->stages()[0]->forwards(), 60);
  EXPECT_EQ(model->stages()[1]->forwards(), 40);
  EXPECT_EQ(model->stages()[1]->id(), "diffusion/dit_cached");
  EXPECT_EQ(&model->stages()[0]->layer(), &model->stages()[1]->layer());
  EXPECT_EQ(model->parameter_count(), entries::model("wan2_1_t2v_14b", {})->parameter_count());
}

TEST(Shortcuts, ExpertsHaveACacheEach) {
  const auto model = entries::model(
      "wan2_2_t2v_a14b", {"runtime.step_cache=0.5", "runtime.expert_steps=[10,30]", "workload.num_inference_steps=40"});
  std::vector<std::pair<std::string, int64_t>> forwards;
  for (const auto& stage : model->stages()) forwards.emplace_back(stage->id(), stage->forwards());
  const std::vector<std::pair<std::string, int64_t>> expected = {{"diffusion/dit_high_noise", 10},
                                                                 {"diffusion/dit_high_noise_cached", 10},
                                                                 {"diffusion/dit_low_noise", 30},
                                                                 {"diffusion/dit_low_noise_cached", 30}};
  EXPECT_EQ(forwards, expected);
}

TEST(Shortcuts, ThoseThatAModelHasNotAreRefused) {
  EXPECT_THROW(entries::model("wan2_1_vace_1_3b", {"runtime.step_cache=0.4"}), Error);
  EXPECT_THROW(entries::model("wan2_1_t2v_14b",
                              {"runtime=diffusers", "runtime.attention=math", "runtime.attention_density=0.5"}),
               Error);
  for (const char* wrong :
       {"runtime.step_cache=1", "runtime.step_cache=-0.1", "runtime.attention_density=0",
        "runtime.attention_density=1.1", "runtime.attention_density=1e-7", "runtime.execution=fast"}) {
    EXPECT_THROW(entries::model("wan2_1_t2v_14b", {wrong}), Error) << wrong;
  }
}

}  // namespace
}  // namespace modelmeter
