// The rules that the two code bases do not share. Sources: Wan-Video/Wan2.1 @9737cba and Wan2.2 @42bf4cf (generate.py,
// wan/configs, wan/*2video.py), diffusers 0.42.1 (pipelines/wan, schedulers).
#include "model/wan/code_base.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/yaml.h"
#include "model/wan/diffusers/code_base.h"
#include "model/wan/diffusers/scheduler.h"
#include "model/wan/official/code_base.h"
#include "model/wan/official/flow_scheduler.h"
#include "model/wan/stage.h"

namespace modelmeter::wan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const CodeBase& official_code() { return official::code_base(); }
const CodeBase& diffusers_code() { return diffusers::code_base(); }

const Variant& variant(const std::string& name) {
  const config::Node node = config::Node::string(name);
  return variant_named(config::View(node, "variant"));
}

TEST(CodeBases, AreFoundByName) {
  const auto named = [](const std::string& name) -> const CodeBase& {
    const config::Node node = config::parse_yaml("implementation: " + name + "\n", "test.yaml");
    return code_base_named(config::View(node, "runtime"));
  };
  EXPECT_EQ(&named("official"), &official_code());
  EXPECT_EQ(&named("diffusers"), &diffusers_code());
  try {
    named("difusers");
    FAIL() << "found";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'diffusers'?"));
  }
}

// What each takes by default: param_dtype and t5_dtype of wan/configs (the transformer's checkpoint is float32 and
// autocast), and the dtypes of diffusers' documentation.
TEST(CodeBases, HaveTheirDefaults) {
  EXPECT_EQ(official_code().transformer_dtype, DType::float32);
  EXPECT_TRUE(official_code().autocasts);
  EXPECT_EQ(official_code().text_encoder_dtype, DType::bfloat16);
  EXPECT_EQ(official_code().image_encoder_dtype, DType::float16);
  EXPECT_EQ(diffusers_code().transformer_dtype, DType::bfloat16);
  EXPECT_FALSE(diffusers_code().autocasts);
  EXPECT_EQ(diffusers_code().image_encoder_dtype, DType::float32);
  EXPECT_EQ(official_code().schedulers.front(), Scheduler::unipc);
  EXPECT_EQ(diffusers_code().schedulers.front(), Scheduler::unipc);
}

// --- the video that is made of what is asked for ---

struct Made {
  VideoSize asked, made;
  size_t notes;
};

// WanPipeline.__call__: num_frames // 4 * 4 + 1 where num_frames % 4 != 1; height and width down to multiples of 8 x 2.
TEST(Diffusers, RoundsFramesAndSides) {
  const Made known[] = {
      {{81, 720, 1280}, {81, 720, 1280}, 0}, {{80, 720, 1280}, {81, 720, 1280}, 1},
      {{82, 720, 1280}, {81, 720, 1280}, 1}, {{84, 720, 1280}, {85, 720, 1280}, 1},
      {{1, 720, 1280}, {1, 720, 1280}, 0},   {{3, 720, 1280}, {1, 720, 1280}, 1},
      {{81, 728, 1280}, {81, 720, 1280}, 1}, {{81, 735, 1295}, {81, 720, 1280}, 2},
      {{81, 8, 1280}, {81, 8, 1280}, 0},
  };
  const GeometryRules rules;
  for (const Made& k : known) {
    std::vector<std::string> notes;
    const VideoSize made = diffusers_code().video(k.asked, rules, notes);
    EXPECT_EQ(made.frames, k.made.frames) << k.asked.frames;
    EXPECT_EQ(made.height, k.made.height) << k.asked.height;
    EXPECT_EQ(made.width, k.made.width) << k.asked.width;
    EXPECT_EQ(notes.size(), k.notes) << k.asked.frames << " " << k.asked.height << " " << k.asked.width;
  }
  std::vector<std::string> notes;
  diffusers_code().video({80, 728, 1280}, rules, notes);
  EXPECT_THAT(notes, ElementsAre("num_frames 80 is not 4n + 1: diffusers makes 81",
                                 "height 728 is not a multiple of 16: diffusers makes 720"));
}

TEST(Official, MakesWhatIsAsked) {
  std::vector<std::string> notes;
  const VideoSize made = official_code().video({80, 728, 1281}, {}, notes);
  EXPECT_EQ(made.frames, 80);
  EXPECT_EQ(made.height, 728);
  EXPECT_EQ(made.width, 1281);
  EXPECT_THAT(notes, ElementsAre());
}

// --- what is refused, and what fails ---

struct Verdict {
  const char* variant;
  VideoSize video;
  const char *official_refuses, *official_fails, *diffusers_refuses, *diffusers_fails;  // parts; "" where it runs
};

void expect_reason(const std::string& reason, const std::string& part) {
  if (part.empty()) {
    EXPECT_EQ(reason, "");
  } else {
    EXPECT_THAT(reason, HasSubstr(part));
  }
}

TEST(CodeBases, RefuseAndFailWhereTheirCodeDoes) {
  const Verdict verdicts[] = {
      {"t2v-14B", {81, 720, 1280}, "", "", "", ""},
      {"t2v-14B", {80, 720, 1280}, "4n + 1", "", "", ""},
      {"t2v-14B", {81, 724, 1280}, "does not support", "", "divisible by 16 but are 724 and 1280", ""},
      {"t2v-14B", {81, 720, 1288}, "does not support", "", "divisible by 16 but are 720 and 1288", ""},
      {"t2i-14B", {5, 1024, 1024}, "one frame", "", "makes one frame, not 5", ""},
      {"i2v-14B", {80, 720, 1280}, "4n + 1", "the mask of 80 frames", "", ""},
      {"i2v-14B", {81, 720, 1280}, "", "", "", ""},
      {"flf2v-14B", {81, 720, 1280}, "", "", "", ""},
      {"flf2v-14B", {77, 720, 1280}, "a mask of 81 frames", "", "", ""},
      {"flf2v-14B", {2, 720, 1280}, "a mask of 81 frames", "at least 3, not 2", "", ""},
      {"flf2v-14B", {3, 720, 1280}, "a mask of 81 frames", "the mask of 3 frames", "", ""},
      {"flf2v-14B", {1, 720, 1280}, "a mask of 81 frames", "at least 3, not 1", "", "at least 2, not 1"},
  };
  for (const Verdict& v : verdicts) {
    SCOPED_TRACE(std::string(v.variant) + " " + std::to_string(v.video.frames));
    expect_reason(official_code().refused(variant(v.variant), v.video), v.official_refuses);
    expect_reason(official_code().fails(variant(v.variant), v.video), v.official_fails);
    expect_reason(diffusers_code().refused(variant(v.variant), v.video), v.diffusers_refuses);
    expect_reason(diffusers_code().fails(variant(v.variant), v.video), v.diffusers_fails);
  }
}

// --- noise ---

struct Shift {
  const char* variant;
  VideoSize video;
  double official, diffusers;
};

// _validate_args of Wan2.1's generate.py, sample_shift of Wan2.2's configs; scheduler_config.json of the pipelines.
TEST(CodeBases, ShiftTheNoiseAsTheirDefaultsSay) {
  const Shift shifts[] = {
      {"t2v-14B", {81, 720, 1280}, 5, 3},     {"t2v-1.3B", {81, 480, 832}, 5, 3},
      {"t2i-14B", {1, 1024, 1024}, 5, 3},     {"i2v-14B", {81, 720, 1280}, 5, 3},
      {"i2v-14B", {81, 480, 832}, 3, 3},      {"i2v-14B", {81, 832, 480}, 3, 3},
      {"flf2v-14B", {81, 720, 1280}, 16, 16}, {"vace-1.3B", {81, 480, 832}, 16, 3},
      {"vace-14B", {81, 720, 1280}, 16, 3},   {"t2v-A14B", {81, 720, 1280}, 12, 3},
      {"i2v-A14B", {81, 480, 832}, 5, 3},     {"ti2v-5B", {121, 704, 1280}, 5, 5},
  };
  for (const Shift& s : shifts) {
    EXPECT_EQ(official_code().shift(variant(s.variant), s.video), s.official) << s.variant;
    EXPECT_EQ(diffusers_code().shift(variant(s.variant), s.video), s.diffusers) << s.variant;
  }
}

TEST(CodeBases, GuideAboveAScale) {
  for (const double scale : {0.0, 1.0, 5.0}) EXPECT_TRUE(official_code().guides(scale));
  EXPECT_FALSE(diffusers_code().guides(1.0));
  EXPECT_TRUE(diffusers_code().guides(1.0001));
}

struct Timesteps {
  Scheduler scheduler;
  int64_t steps;
  double shift;
  std::vector<double> expected;
};

// `timesteps` of the real classes after set_timesteps(): wan/utils of Wan2.2, diffusers 0.42.1 (Euler's to 0.001).
TEST(Timesteps, AreThoseOfTheOfficialSchedulers) {
  const Timesteps known[] = {
      {Scheduler::unipc, 4, 3, {999, 899, 749, 499}},
      {Scheduler::unipc, 5, 12, {999, 979, 947, 888, 749}},
      {Scheduler::unipc, 8, 5, {999, 972, 937, 892, 833, 749, 624, 416}},
      {Scheduler::dpm_solver, 4, 3, {1000, 900, 750, 500}},
      {Scheduler::dpm_solver, 5, 12, {1000, 979, 947, 888, 750}},
      {Scheduler::dpm_solver, 8, 5, {1000, 972, 937, 892, 833, 750, 625, 416}},
  };
  for (const Timesteps& t : known) EXPECT_EQ(official::noise_timesteps(t.scheduler, t.steps, t.shift), t.expected);
}

TEST(Timesteps, AreThoseOfDiffusersSchedulers) {
  const Timesteps known[] = {
      {Scheduler::unipc, 4, 3, {999, 900, 750, 500}},
      {Scheduler::unipc, 5, 12, {999, 979, 947, 889, 750}},
      {Scheduler::unipc, 8, 5, {999, 972, 937, 893, 833, 750, 625, 418}},
      {Scheduler::unipc, 1, 5, {999}},
      {Scheduler::dpm_solver, 4, 3, {999, 899, 749, 499}},
      {Scheduler::dpm_solver, 5, 12, {999, 979, 947, 888, 749}},
      {Scheduler::dpm_solver, 8, 5, {999, 972, 937, 892, 833, 749, 624, 416}},
      {Scheduler::euler, 4, 3, {1000, 857.692, 602.151, 8.929}},
      {Scheduler::euler, 5, 12, {1000, 973.388, 924.746, 807.403, 125.984}},
      {Scheduler::lcm, 8, 5, {1000, 967.923, 926.403, 870.551, 791.397, 670.515, 463.096, 24.414}},
      {Scheduler::euler, 1, 5, {1000}},
  };
  for (const Timesteps& t : known) {
    const std::vector<double> got = diffusers::noise_timesteps(t.scheduler, t.steps, t.shift);
    ASSERT_EQ(got.size(), t.expected.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], t.expected[i], 0.0006) << t.steps << " " << i;
  }
}

// --- what a run's numbers are, and what stages follow from them ---

TEST(RunSizes, AreTheSameThereAndBack) {
  RunSizes run;
  run.batch = 2;
  run.latent = {16, 21, 90, 160};
  run.temporal_compression = 4;
  run.spatial_compression = 16;
  run.seq_len = 75'600;
  run.prompt_tokens = 61;
  run.steps = 40;
  run.high_noise_steps = 13;
  run.residency = 1;
  const RunValues values = run.values();
  EXPECT_EQ(values, (RunValues{2, 16, 21, 90, 160, 4, 16, 75'600, 61, 40, 13, 1}));
  EXPECT_EQ(RunSizes::of(values).values(), values);
  EXPECT_EQ(run.frames(), 81);
  EXPECT_EQ(run.height(), 1440);
  EXPECT_EQ(run.width(), 2560);
}

std::vector<size_t> values_of(Role role, const CodeBase& code) {
  std::vector<size_t> out;
  for (const Dependence& d : dependences(role, code, {1, 2, 2}, false)) out.push_back(d.value);
  return out;
}

// Prompt tokens reach the official transformer, which gets its text unpadded; diffusers' pads it. A batch is made one
// video after another by the official pipeline.
TEST(Dependences, AreWhatAForwardReads) {
  using namespace run_value;
  EXPECT_THAT(values_of(Role::image_encoder, official_code()), ElementsAre());
  EXPECT_THAT(values_of(Role::text_encoder, official_code()), ElementsAre(batch));
  EXPECT_THAT(values_of(Role::transformer, official_code()),
              ElementsAre(batch, prompt_tokens, latent_frames, latent_height, latent_width));
  EXPECT_THAT(values_of(Role::transformer, diffusers_code()),
              ElementsAre(batch, latent_frames, latent_height, latent_width));
  EXPECT_THAT(values_of(Role::autoencoder, diffusers_code()),
              ElementsAre(batch, latent_frames, latent_height, latent_width));
  EXPECT_THAT(values_of(Role::sampling, official_code()),
              ElementsAre(prompt_tokens, residency, latent_frames, latent_height, latent_width, steps));
  EXPECT_THAT(values_of(Role::sampling, diffusers_code()),
              ElementsAre(prompt_tokens, residency, batch, latent_frames, latent_height, latent_width, steps));
}

// Attention is quadratic in the tokens, which are a product of the three sizes; a tiled picture is of no known form.
TEST(Dependences, SayTheirDegreeOnAGridOfPatches) {
  const auto of = [](Role role, bool tiling, size_t value) {
    for (const Dependence& d : dependences(role, diffusers_code(), {2, 4, 8}, tiling)) {
      if (d.value == value) return d;
    }
    return Dependence{99};
  };
  const Dependence frames = of(Role::transformer, false, run_value::latent_frames);
  EXPECT_EQ(frames.degree, 2);
  EXPECT_EQ(frames.from, 2);
  EXPECT_EQ(frames.step, 2);
  const Dependence height = of(Role::transformer, false, run_value::latent_height);
  EXPECT_EQ(height.from, 4);
  EXPECT_EQ(height.step, 4);
  const Dependence width = of(Role::transformer, false, run_value::latent_width);
  EXPECT_EQ(width.from, 8);
  EXPECT_EQ(width.step, 8);
  EXPECT_EQ(of(Role::autoencoder, false, run_value::latent_height).degree, 2);
  EXPECT_EQ(of(Role::autoencoder, true, run_value::latent_height).degree, -1);
  EXPECT_EQ(of(Role::sampling, false, run_value::latent_width).degree, 1);
  EXPECT_EQ(of(Role::sampling, false, run_value::steps).degree, 1);
  EXPECT_EQ(of(Role::sampling, false, run_value::prompt_tokens).degree, -1);
  EXPECT_EQ(of(Role::transformer, false, run_value::batch).degree, -1);
}

}  // namespace
}  // namespace modelmeter::wan
