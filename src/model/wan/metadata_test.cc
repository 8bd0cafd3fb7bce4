// The hf node and what it names, with the files that the published pipelines have (Wan-AI/Wan2.1-T2V-14B-Diffusers and
// its like): model_index.json, transformer/config.json, scheduler/scheduler_config.json.
#include "model/wan/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "config/yaml.h"
#include "cost/rollup.h"
#include "model/registry.h"
#include "testing/wan_groups.h"

namespace modelmeter::wan {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// transformer/config.json of Wan2.1-T2V-14B, of its 1.3B and of the image-to-video model.
constexpr char t2v_14b[] = R"({"_class_name": "WanTransformer3DModel", "added_kv_proj_dim": null,
  "attention_head_dim": 128, "cross_attn_norm": true, "eps": 1e-06, "ffn_dim": 13824, "freq_dim": 256,
  "image_dim": null, "in_channels": 16, "num_attention_heads": 40, "num_layers": 40, "out_channels": 16,
  "patch_size": [1, 2, 2], "qk_norm": "rms_norm_across_heads", "rope_max_seq_len": 1024, "text_dim": 4096})";

std::string with(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}
std::string t2v_1_3b() {
  const std::string heads = with(t2v_14b, R"("num_attention_heads": 40)", R"("num_attention_heads": 12)");
  return with(with(heads, R"("ffn_dim": 13824)", R"("ffn_dim": 8960)"), R"("num_layers": 40)", R"("num_layers": 30)");
}
std::string i2v_14b() {
  const std::string image = with(t2v_14b, R"("image_dim": null)", R"("image_dim": 1280)");
  return with(with(image, R"("added_kv_proj_dim": null)", R"("added_kv_proj_dim": 5120)"), R"("in_channels": 16)",
              R"("in_channels": 36)");
}

Metadata read(const std::string& hf) {
  const config::Node node = config::parse_yaml("{model_id: id, model_variant: entry, " + hf + "}", "hf.yaml");
  return Metadata::read(config::View(node, "hf"), {});
}
Metadata read(const std::string& variant, const std::string& config) {
  return read("variant: " + variant + ", config: " + config);
}

template <class F>
std::string error_of(const F& f) {
  try {
    f();
    return "no error";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Metadata, WithoutAFileIsThePublishedVariant) {
  const Metadata m = read("variant: i2v-A14B");
  EXPECT_EQ(m.variant->name, "i2v-A14B");
  EXPECT_TRUE(m.known_variant);
  EXPECT_FALSE(m.has_transformer);
  EXPECT_EQ(m.architecture.generation, Generation::wan2_2);
  EXPECT_EQ(m.model_id, "id");
  EXPECT_EQ(m.model_variant, "entry");
  EXPECT_THAT(m.notes, IsEmpty());
}

TEST(Metadata, AFileOfTheEntrysModelKeepsItsLabels) {
  const Metadata m = read("t2v-14B", t2v_14b);
  EXPECT_EQ(m.architecture.dim, 5120);
  EXPECT_EQ(m.architecture.num_layers, 40);
  EXPECT_EQ(m.model_variant, "entry");
  EXPECT_THAT(m.notes, ElementsAre(HasSubstr("may as well be of wan2.2-t2v-a14b: the sizes are the same")));
}

TEST(Metadata, AFileOfAnotherPublishedModelIsNamedAsThat) {
  const Metadata m = read("t2v-14B", t2v_1_3b());
  EXPECT_EQ(m.variant->name, "t2v-1.3B");
  EXPECT_EQ(m.model_id, "Wan-AI/Wan2.1-T2V-1.3B");
  EXPECT_EQ(m.model_variant, "wan2.1-t2v-1.3b");
  EXPECT_THAT(m.notes,
              ElementsAre("hf.config is not of entry: it has the sizes of wan2.1-t2v-1.3b, and the report says "
                          "so"));
}

TEST(Metadata, AFileOfNoPublishedModelIsNamedByItsSizes) {
  const Metadata m = read("t2v-14B", with(t2v_14b, R"("num_layers": 40)", R"("num_layers": 5)"));
  EXPECT_EQ(m.variant->name, "t2v-14B");
  EXPECT_EQ(m.model_variant, "wan-t2v-5120x5");
  EXPECT_EQ(m.model_id, "hf.config");
  EXPECT_THAT(m.notes, ElementsAre(HasSubstr("of no published model: width 5120, 5 layers, 40 heads, MLP 13824; sizes "
                                             "of videos are checked as for entry")));
}

TEST(Metadata, AFileForAnotherTaskIsAMistake) {
  EXPECT_THAT(error_of([] { read("t2v-14B", i2v_14b()); }),
              HasSubstr("hf.config: these sizes are of a i2v transformer, and the entry is t2v-14B"));
  EXPECT_THAT(error_of([] { read("t2v-14B", i2v_14b()); }), HasSubstr("entries for it are those of i2v-14B"));
  EXPECT_THAT(error_of([] { read("i2v-14B", t2v_14b); }), HasSubstr("these sizes are of a t2v transformer"));
  EXPECT_EQ(error_of([] { read("i2v-14B", i2v_14b()); }), "no error");
}

// Wan2.1's has the branch (added_kv_proj_dim), Wan2.2's has not.
TEST(Metadata, TheImageBranchIsThatOfTheGeneration) {
  const std::string without = with(t2v_14b, R"("in_channels": 16)", R"("in_channels": 36)");
  EXPECT_THAT(error_of([&] { read("i2v-14B", without); }),
              HasSubstr("the file gives no image branch (added_kv_proj_dim), which i2v-14B has"));
  EXPECT_THAT(error_of([&] { read("i2v-14B", without); }), HasSubstr("it is of the other generation: i2v-A14B"));
  EXPECT_THAT(error_of([] { read("i2v-A14B", i2v_14b()); }),
              HasSubstr("the file gives an image branch, which i2v-A14B has not"));
  EXPECT_THAT(error_of([] { read("i2v-A14B", i2v_14b()); }), HasSubstr("it is of the other generation: i2v-14B"));
  EXPECT_EQ(read("i2v-A14B", without).architecture.image_dim, 0);
}

TEST(Metadata, TheGenerationIsGivenOrTheVariants) {
  EXPECT_EQ(read("generation: wan2.2").architecture.generation, Generation::wan2_2);
  EXPECT_EQ(read("generation: wan2.1").architecture.generation, Generation::wan2_1);
  EXPECT_EQ(read("generation: wan2.2, variant: t2v-A14B").architecture.generation, Generation::wan2_2);
  EXPECT_THAT(error_of([] { read("generation: wan2.1, variant: t2v-A14B"); }),
              HasSubstr("hf.generation: t2v-A14B is of the other generation"));
  EXPECT_THAT(error_of([] { read("generation: wan3"); }), HasSubstr("hf.generation"));
}

TEST(Metadata, SizesComeFromOnePlace) {
  EXPECT_THAT(error_of([] { read("config: {dim: 8}, config_path: x"); }),
              HasSubstr("hf.config: stands in place of config_path, which is given too"));
  EXPECT_THAT(error_of([] { read("variants: t2v-14B"); }), HasSubstr("variants"));
}

class PipelineTest : public testing::Test {
 protected:
  PipelineTest() : root_(fs::temp_directory_path() / ("modelmeter-pipeline-" + std::to_string(::getpid()))) {
    write("transformer/config.json", t2v_14b);
    index("");
  }
  ~PipelineTest() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  void write(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  void index(const std::string& more, const std::string& klass = "WanPipeline") {
    write("model_index.json", R"({"_class_name": ")" + klass +
                                  R"(", "transformer": ["diffusers", "WanTransformer3DModel"],
        "scheduler": ["diffusers", "UniPCMultistepScheduler"])" +
                                  more + "}");
  }
  void scheduler(const std::string& klass, const std::string& more = "") {
    write("scheduler/scheduler_config.json", R"({"_class_name": ")" + klass + "\"" + more + "}");
  }
  Metadata read_folder(const std::string& variant = "t2v-14B") {
    return read("variant: " + variant + ", config_path: " + root_.string());
  }
  std::string error(const std::string& variant = "t2v-14B") {
    return error_of([&] { read_folder(variant); });
  }

  fs::path root_;
};

TEST_F(PipelineTest, ItsSchedulerSaysSolverAndShift) {
  const std::pair<const char*, Scheduler> classes[] = {{"UniPCMultistepScheduler", Scheduler::unipc},
                                                       {"DPMSolverMultistepScheduler", Scheduler::dpm_solver},
                                                       {"FlowMatchEulerDiscreteScheduler", Scheduler::euler},
                                                       {"FlowMatchLCMScheduler", Scheduler::lcm}};
  for (const auto& [klass, expected] : classes) {
    scheduler(klass);
    EXPECT_EQ(read_folder().scheduler, expected) << klass;
    EXPECT_FALSE(read_folder().shift) << klass;
  }
  scheduler("UniPCMultistepScheduler", R"(, "flow_shift": 3.0, "solver_order": 2, "thresholding": false)");
  EXPECT_EQ(read_folder().shift, 3.0);
  scheduler("FlowMatchEulerDiscreteScheduler", R"(, "shift": 8.0)");
  EXPECT_EQ(read_folder().shift, 8.0);
}

// A run of one step with a file's scheduler is that with runtime.scheduler; the official code has its own.
TEST_F(PipelineTest, ItsSchedulerIsThatOfDiffusersRuns) {
  scheduler("FlowMatchEulerDiscreteScheduler");
  const auto kernels = [&](const std::string& runtime) {
    const config::Node node = config::parse_yaml(
        "hf: {model_id: id, model_variant: entry, variant: t2v-14B, config_path: " + root_.string() + "}\nruntime: {" +
            runtime +
            ", attention: flash, allow_unsupported: true}\n"
            "workload: {profile_id: test, batch_size: 1, num_frames: 5, height: 32, width: 48, num_inference_steps: 2, "
            "text_len: 16, prompt_tokens: 5}\ntransformer: {block: {}}\nimage_encoder: {}\n" +
            testing_models::umt5_xxl + testing_models::wan2_1_vae +
            "model: {_target_: modelmeter.wan2_1.Wan2_1Model, stages: [diffusion, sampling]}\n",
        "test.yaml");
    Tracer tracer;
    build_model(config::View(node), {})->trace(tracer);
    return roll_up(tracer.trace()).total().kernels;
  };
  EXPECT_EQ(kernels("implementation: diffusers"), kernels("implementation: diffusers, scheduler: euler"));
  EXPECT_NE(kernels("implementation: diffusers"), kernels("implementation: diffusers, scheduler: unipc"));
  EXPECT_EQ(kernels("implementation: official"), kernels("implementation: official, scheduler: unipc"));
}

TEST_F(PipelineTest, SchedulersThatAreNotModelledAreErrors) {
  scheduler("DDIMScheduler");
  EXPECT_THAT(error(), HasSubstr("the scheduler DDIMScheduler is not modelled"));
  for (const char* key : {"use_dynamic_shifting", "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas",
                          "stochastic_sampling", "thresholding"}) {
    scheduler("UniPCMultistepScheduler", std::string(", \"") + key + "\": true");
    EXPECT_THAT(error(), HasSubstr(std::string(key) + ": is not modelled")) << key;
  }
  scheduler("UniPCMultistepScheduler", R"(, "solver_order": 3)");
  EXPECT_THAT(error(), HasSubstr("solver_order: order 2 is modelled"));
}

TEST_F(PipelineTest, FilesThatAreNotThereAreNoted) {
  const Metadata m = read_folder();
  EXPECT_FALSE(m.scheduler);
  EXPECT_THAT(m.notes, ElementsAre(HasSubstr("is named by model_index.json and is not there: taken as published"),
                                   HasSubstr("may as well be of wan2.2-t2v-a14b")));
}

TEST_F(PipelineTest, AnotherPipelineIsAnError) {
  index("", "WanVideoToVideoPipeline");
  EXPECT_THAT(error(), HasSubstr("the pipeline WanVideoToVideoPipeline is not modelled"));
  EXPECT_THAT(error(), HasSubstr("modelled: WanPipeline, WanImageToVideoPipeline, WanVACEPipeline"));
  index("", "WanVACEPipeline");
  EXPECT_EQ(error(), "no error");
}

TEST_F(PipelineTest, ExpertsAreAlikeAndShareABoundary) {
  index(R"(, "boundary_ratio": 0.875, "transformer_2": ["diffusers", "WanTransformer3DModel"])");
  write("transformer_2/config.json", t2v_14b);
  EXPECT_EQ(read_folder("t2v-A14B").boundary, 0.875);
  write("transformer_2/config.json", t2v_1_3b());
  EXPECT_THAT(error("t2v-A14B"), HasSubstr("transformer and transformer_2 have other sizes"));
}

}  // namespace
}  // namespace modelmeter::wan
