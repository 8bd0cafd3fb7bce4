// What is on the device while each stage runs. The order of the moves is in the code: __init__() and generate() of
// wan/text2video.py, image2video.py and vace.py of Wan2.1, and Wan2.2's; accelerate's hooks for diffusers.
#include "model/wan/residency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/wan/diffusers/code_base.h"
#include "model/wan/official/clip.h"
#include "model/wan/official/code_base.h"
#include "model/wan/runtime.h"
#include "model/wan/stage.h"

namespace modelmeter::wan {
namespace {

// A model of so many bytes that does nothing; two may be one.
class Weights : public BaseLayer {
 public:
  explicit Weights(int64_t bytes) : BaseLayer("Weights") { register_parameter("weight", {bytes / 4}, DType::float32); }
};

class Pipeline {
 public:
  Pipeline& add(Role role, std::string id, int64_t bytes) {
    return add(role, std::move(id), std::make_shared<const Weights>(bytes));
  }
  Pipeline& add(Role role, std::string id, std::shared_ptr<const BaseLayer> layer) {
    WanStageOptions options{role, std::move(id)};
    options.offload = [role](Residency residency) { return diffusers::offload(role, residency, Runtime()); };
    stages.push_back(std::make_unique<WanStage>(
        std::move(options), BoundModel{std::move(layer), [](Tracer&, const RunSizes&) {}}, RunSizes()));
    return *this;
  }
  Stages stages;
};

// "t5 dit" for each stage, by what its residents are called up to the first space; "host" after them.
std::vector<std::string> names(const std::vector<Residents>& all) {
  std::vector<std::string> out;
  for (const Residents& residents : all) {
    std::string line;
    for (const Resident& r : residents.list) line += (line.empty() ? "" : " ") + r.what.substr(0, r.what.find(' '));
    if (!residents.on_device) line += " (host)";
    out.push_back(line);
  }
  return out;
}

using testing::ElementsAre;

Pipeline text_to_video() {
  Pipeline p;
  p.add(Role::text_encoder, "t5", 4000).add(Role::sampling, "sampling", std::make_shared<const Weights>(0));
  p.add(Role::transformer, "dit", 8000).add(Role::autoencoder, "vae", 400);
  return p;
}

Pipeline image_to_video() {
  Pipeline p;
  p.add(Role::text_encoder, "t5", 4000).add(Role::image_encoder, "clip", 800);
  const auto vae = std::make_shared<const Weights>(400);
  p.add(Role::autoencoder, "encode", vae).add(Role::transformer, "dit", 8000).add(Role::autoencoder, "decode", vae);
  return p;
}

Pipeline two_experts() {
  Pipeline p;
  p.add(Role::text_encoder, "t5", 4000).add(Role::transformer, "high", 8000).add(Role::transformer, "low", 8000);
  p.add(Role::autoencoder, "vae", 400);
  return p;
}

ResidencyRules rules(Residency residency, Task task = Task::t2v, Generation generation = Generation::wan2_1,
                     bool t5_cpu = false) {
  RunSizes run;
  run.latent = {16, 1, 8, 8};
  run.residency = static_cast<int64_t>(residency);
  return {residency, t5_cpu, generation, task, run.values()};
}

// --- the official code ---

TEST(OfficialResidency, TextToVideoHasTheTransformerFromTheStart) {
  const Pipeline p = text_to_video();
  EXPECT_THAT(names(official::residents(p.stages, rules(Residency::all))),
              ElementsAre("t5 dit vae", "t5 dit vae", "t5 dit vae", "t5 dit vae"));
  EXPECT_THAT(names(official::residents(p.stages, rules(Residency::offload))),
              ElementsAre("t5 dit vae", "dit vae", "dit vae", "vae"));
  EXPECT_THAT(names(official::residents(p.stages, rules(Residency::offload, Task::t2v, Generation::wan2_1, true))),
              ElementsAre("dit vae (host)", "dit vae", "dit vae", "vae"));
}

TEST(OfficialResidency, ImageToVideoBringsItForDenoising) {
  const Pipeline p = image_to_video();
  EXPECT_THAT(names(official::residents(p.stages, rules(Residency::all, Task::i2v))),
              ElementsAre("t5 clip clip encode", "t5 clip clip encode", "t5 clip clip encode",
                          "t5 clip clip encode dit", "t5 clip clip encode dit"));
  EXPECT_THAT(names(official::residents(p.stages, rules(Residency::offload, Task::i2v))),
              ElementsAre("t5 clip clip encode", "clip clip encode", "encode", "encode dit", "encode"));
}

// CLIP's text tower is built and loaded with it, and never runs: 1,193,014,785 - 632,076,800 parameters of the whole
// model (wan/modules/clip.py, clip_xlm_roberta_vit_h_14) in the image encoder's dtype.
TEST(OfficialResidency, ClipBringsItsTextTower) {
  const Pipeline p = image_to_video();
  const Residents residents = official::residents(p.stages, rules(Residency::all, Task::i2v)).front();
  ASSERT_EQ(residents.list.size(), 4u);
  EXPECT_EQ(residents.list[2].what, "clip (text tower, not used)");
  EXPECT_EQ(residents.list[2].bytes, int64_t{4} * (1'193'014'785 - 632'076'800));
  EXPECT_EQ(residents.list[2].layer, nullptr);
}

TEST(OfficialResidency, OneExpertSendsTheOtherOff) {
  const Pipeline p = two_experts();
  EXPECT_THAT(names(official::residents(p.stages, rules(Residency::all, Task::t2v, Generation::wan2_2))),
              ElementsAre("t5 vae", "t5 high vae", "t5 low vae", "t5 low vae"));
  EXPECT_THAT(names(official::residents(p.stages, rules(Residency::offload, Task::t2v, Generation::wan2_2))),
              ElementsAre("t5 vae", "high vae", "low vae", "vae"));
}

// --- diffusers ---

TEST(DiffusersResidency, OffloadKeepsWhatWasCalledOutOfTurn) {
  const Pipeline t2v = text_to_video(), i2v = image_to_video(), experts = two_experts();
  EXPECT_THAT(names(diffusers::residents(t2v.stages, rules(Residency::offload))),
              ElementsAre("t5", "dit", "dit", "vae"));
  // text_encoder -> image_encoder -> transformer -> vae: the autoencoder, called before the transformer, stays.
  EXPECT_THAT(names(diffusers::residents(i2v.stages, rules(Residency::offload, Task::i2v))),
              ElementsAre("t5", "clip", "clip encode", "encode dit", "encode"));
  EXPECT_THAT(names(diffusers::residents(experts.stages, rules(Residency::offload))),
              ElementsAre("t5", "high", "low", "vae"));
}

TEST(DiffusersResidency, AllIsAllAndSequentialIsNothing) {
  const Pipeline p = text_to_video();
  EXPECT_THAT(names(diffusers::residents(p.stages, rules(Residency::all))),
              ElementsAre("t5 dit vae", "t5 dit vae", "t5 dit vae", "t5 dit vae"));
  EXPECT_THAT(names(diffusers::residents(p.stages, rules(Residency::sequential))), ElementsAre("", "", "", ""));
  EXPECT_THAT(names(diffusers::residents(p.stages, rules(Residency::all, Task::t2v, Generation::wan2_1, true))),
              ElementsAre("dit vae (host)", "dit vae", "dit vae", "dit vae"));
}

// --- what moves ---

TEST(Transfers, AreWhatIsThereNowAndWasNot) {
  const Pipeline p = two_experts();
  const std::vector<Residents> all =
      official::residents(p.stages, rules(Residency::offload, Task::t2v, Generation::wan2_2));
  const std::vector<std::pair<int64_t, int64_t>> expected = {{4000, 0}, {8000, 4000}, {8000, 8000}, {0, 8000}};
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].arriving_bytes, expected[i].first) << i;
    EXPECT_EQ(all[i].leaving_bytes, expected[i].second) << i;
    EXPECT_EQ(all[i].loaded_bytes, i == 0 ? 400 : 0) << i;
  }
}

// What runs around the transformer has its residents, wherever it stands, and moves nothing.
TEST(Transfers, SamplingMovesNothing) {
  const Pipeline p = text_to_video();
  const std::vector<Residents> all = diffusers::residents(p.stages, rules(Residency::offload));
  EXPECT_EQ(all[1].bytes(), 8000);
  EXPECT_EQ(all[1].arriving_bytes, 0);
  EXPECT_EQ(all[1].leaving_bytes, 0);
  EXPECT_EQ(all[2].arriving_bytes, 8000);
  EXPECT_EQ(all[2].leaving_bytes, 4000);
}

TEST(BytesBeside, AreThoseThatTheOtherDoesNotList) {
  Residents a, b;
  a.list = {{"x", 1, nullptr, {}}, {"y", 2, nullptr, {}}, {"z", 4, nullptr, {}}};
  b.list = {{"y", 2, nullptr, {}}};
  EXPECT_EQ(bytes_beside(a, b), 5);
  EXPECT_EQ(bytes_beside(b, a), 0);
  EXPECT_EQ(bytes_beside(a, {}), 7);
}

}  // namespace
}  // namespace modelmeter::wan
