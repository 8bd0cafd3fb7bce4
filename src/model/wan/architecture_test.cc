#include "model/wan/architecture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/yaml.h"
#include "model/data_files.h"
#include "model/wan/diffusers/dit.h"
#include "model/wan/official/dit.h"

namespace modelmeter::wan {
namespace {

using testing::HasSubstr;

Architecture read(const std::string& text) {
  const config::Node node = config::parse_yaml(text, "config.json");
  return read_architecture(config::View(node));
}

// The published config.json of Wan2.1-T2V-1.3B (its transformer/config.json in diffusers' format below).
constexpr char official_1_3b[] =
    R"({"_class_name": "WanModel", "dim": 1536, "eps": 1e-06, "ffn_dim": 8960, "freq_dim": 256, "in_dim": 16,
        "model_type": "t2v", "num_heads": 12, "num_layers": 30, "out_dim": 16, "text_len": 512})";
constexpr char diffusers_1_3b[] =
    R"({"_class_name": "WanTransformer3DModel", "added_kv_proj_dim": null, "attention_head_dim": 128,
        "cross_attn_norm": true, "eps": 1e-06, "ffn_dim": 8960, "freq_dim": 256, "image_dim": null, "in_channels": 16,
        "num_attention_heads": 12, "num_layers": 30, "out_channels": 16, "patch_size": [1, 2, 2],
        "qk_norm": "rms_norm_across_heads", "rope_max_seq_len": 1024, "text_dim": 4096})";

TEST(Architecture, ReadsBothFormatsToTheSame) {
  const Architecture a = read(official_1_3b), b = read(diffusers_1_3b);
  for (const Architecture& x : {a, b}) {
    EXPECT_EQ(x.model_type, "t2v");
    EXPECT_EQ(x.dim, 1536);
    EXPECT_EQ(x.ffn_dim, 8960);
    EXPECT_EQ(x.num_heads, 12);
    EXPECT_EQ(x.head_dim(), 128);
    EXPECT_EQ(x.num_layers, 30);
    EXPECT_EQ(x.in_dim, 16);
    EXPECT_EQ(x.out_dim, 16);
    EXPECT_EQ(x.text_dim, 4096);
    EXPECT_EQ(x.freq_dim, 256);
    EXPECT_EQ(x.patch_size, Shape({1, 2, 2}));
    EXPECT_TRUE(x.qk_norm);
    EXPECT_TRUE(x.cross_attn_norm);
    EXPECT_FALSE(x.image_conditioned());
  }
}

TEST(Architecture, TheMetadataThatComesWithModelmeterIsThe14B) {
  const config::Node node = read_data_file(MODELMETER_SOURCE_DIR "/models/wan2.1-t2v-14b/config.json");
  const Architecture a = read_architecture(config::View(node));
  EXPECT_EQ(a.dim, 5120);
  EXPECT_EQ(a.ffn_dim, 13824);
  EXPECT_EQ(a.num_heads, 40);
  EXPECT_EQ(a.num_layers, 40);
}

TEST(Architecture, KnowsWhatAnImageConditions) {
  EXPECT_TRUE(read(R"({"dim": 64, "ffn_dim": 8, "num_heads": 4, "num_layers": 1, "in_dim": 36})").image_conditioned());
  EXPECT_EQ(read(R"({"dim": 64, "ffn_dim": 8, "num_heads": 4, "num_layers": 1, "in_dim": 36})").model_type, "i2v");
  EXPECT_EQ(
      read(R"({"dim": 64, "ffn_dim": 8, "num_heads": 4, "num_layers": 1, "model_type": "flf2v"})").pos_embed_seq_len,
      514);
  EXPECT_EQ(
      read(R"({"num_attention_heads": 2, "attention_head_dim": 8, "ffn_dim": 8, "num_layers": 1, "image_dim": 1280,
                "added_kv_proj_dim": 16})")
          .model_type,
      "i2v");
}

TEST(Architecture, ReadsNormsAsTruthValuesNamesOrNull) {
  const auto qk_norm = [](const std::string& value) {
    return read(R"({"dim": 64, "ffn_dim": 8, "num_heads": 4, "num_layers": 1, "qk_norm": )" + value + "}").qk_norm;
  };
  EXPECT_TRUE(qk_norm("true"));
  EXPECT_FALSE(qk_norm("false"));
  EXPECT_FALSE(qk_norm("null"));
  EXPECT_TRUE(qk_norm("\"rms_norm_across_heads\""));
  EXPECT_THROW(qk_norm("\"layer_norm\""), Error);
  EXPECT_THROW(qk_norm("3"), Error);
}

// transformer/config.json of the first releases of diffusers with Wan: the image branch follows from the width of its
// keys. 16,394,878,784 parameters: WanTransformer3DModel of diffusers 0.42.1 on the meta device, with image_dim 1280.
TEST(Architecture, TheFirstDiffusersFilesImplyTheImageBranch) {
  const Architecture a = read(
      R"({"_class_name": "WanxTransformer3DModel", "num_attention_heads": 40, "attention_head_dim": 128,
          "ffn_dim": 13824, "num_layers": 40, "in_channels": 36, "out_channels": 16, "freq_dim": 256, "text_dim": 4096,
          "qk_norm": true, "added_kv_proj_dim": 5120, "add_img_emb": true, "window_size": [-1, -1]})");
  EXPECT_EQ(a.image_dim, 1280);
  EXPECT_EQ(a.task(), "i2v");
  EXPECT_EQ(a.format, KeyNames::published);
  EXPECT_EQ(diffusers::WanTransformer3DModel(BuildContext{DType::bfloat16}, a).parameter_count(), 16'394'878'784);
}

TEST(Architecture, WhatIsOffOrSaysNothingIsPassedOver) {
  EXPECT_EQ(read(R"({"_class_name": "WanModel", "_diffusers_version": "0.30.0", "_source": "somewhere", "dim": 64,
                     "ffn_dim": 8, "num_heads": 4, "num_layers": 1, "use_cfg_emb": true, "add_control_adapter": false,
                     "in_dim_ref_conv": null, "inject_layers": [], "window_size": [-1, -1]})")
                .dim,
            64);
  // Files of other code that kept the official keys under diffusers' class.
  EXPECT_EQ(read(R"({"_class_name": "WanTransformer3DModel", "dim": 64, "ffn_dim": 8, "num_heads": 4,
                     "num_layers": 1})")
                .format,
            KeyNames::original);
}

TEST(Architecture, SaysWhatItsSizesMake) {
  const auto task = [](const std::string& more) {
    return read(R"({"num_attention_heads": 2, "attention_head_dim": 8, "ffn_dim": 8, "num_layers": 2)" + more + "}")
        .task();
  };
  EXPECT_EQ(task(""), "t2v");
  EXPECT_EQ(task(R"(, "in_channels": 36, "out_channels": 16)"), "i2v");   // Wan2.2: no image branch
  EXPECT_EQ(task(R"(, "in_channels": 100, "out_channels": 48)"), "i2v");  // the same of Wan2.2's autoencoder
  EXPECT_EQ(task(R"(, "in_channels": 48, "out_channels": 48)"), "ti2v");
  EXPECT_EQ(task(R"(, "vace_layers": [0])"), "vace");
  EXPECT_EQ(task(R"(, "in_channels": 36, "image_dim": 8, "added_kv_proj_dim": 16, "pos_embed_seq_len": 514)"), "flf2v");
}

struct Broken {
  const char* text;
  const char* message;
  int line;
};

TEST(Architecture, ErrorsNameFileLineAndField) {
  const std::vector<Broken> cases = {
      {"[]", "a model configuration", 1},
      {"{\n\"ffn_dim\": 8, \"num_heads\": 4, \"num_layers\": 1}", "dim", 1},
      {"{\n\"dim\": 64,\n\"num_heads\": 4, \"num_layers\": 1}", "ffn_dim", 1},
      {"{\"dim\": 64, \"ffn_dim\": 8, \"num_layers\": 1}", "num_heads", 1},
      {"{\"dim\": 64, \"ffn_dim\": 8, \"num_heads\": 4}", "num_layers", 1},
      {"{\"num_attention_heads\": 4, \"ffn_dim\": 8, \"num_layers\": 1}", "attention_head_dim", 1},
      {"{\"attention_head_dim\": 4, \"ffn_dim\": 8, \"num_layers\": 1}", "num_attention_heads", 1},
      {"{\n\"dim\": \"64\",\n\"ffn_dim\": 8, \"num_heads\": 4, \"num_layers\": 1}",
       "dim: expected an integer, got '64'", 2},
      {"{\"dim\": 64,\n\n\"ffn_dim\": 8.5, \"num_heads\": 4, \"num_layers\": 1}",
       "ffn_dim: expected an integer, got 8.5", 3},
      {"{\"dim\": 64, \"ffn_dim\": 8,\n\"num_heads\": 0, \"num_layers\": 1}", "num_heads is 0; it must be at least 1",
       2},
      {"{\"dim\": 64, \"ffn_dim\": 8, \"num_heads\": 4,\n\"num_layers\": -1}",
       "num_layers is -1; it must be at least 1", 2},
      {"{\"dim\": 64, \"ffn_dim\": 8, \"num_heads\": 5, \"num_layers\": 1}", "5 heads do not divide the width 64", 1},
      {"{\"dim\": 12, \"ffn_dim\": 8, \"num_heads\": 4, \"num_layers\": 1}", "the head size 3 is odd", 1},
      {"{\"dim\": 64, \"ffn_dim\": 8, \"num_heads\": 4, \"num_layers\": 1,\n\"freq_dim\": 255}", "freq_dim 255 is odd",
       1},
      {"{\"dim\": 64, \"ffn_dim\": 8, \"num_heads\": 4, \"num_layers\": 1,\n\"patch_size\": [1, 2]}",
       "patch_size: expected three", 2},
      {"{\"dim\": 64, \"ffn_dim\": 8, \"num_heads\": 4, \"num_layers\": 1,\n\"patch_size\": [1, 0, 2]}",
       "patch_size is 0", 2},
      {"{\"dim\": 64, \"ffn_dim\": 8, \"num_heads\": 4, \"num_layers\": 1,\n\"model_type\": \"t2w\"}",
       "model_type: the model type 't2w' is not modelled", 2},
      {"{\"dim\": 64, \"ffn_dim\": 8, \"num_heads\": 4, \"num_layers\": 1,\n\"cross_attn_norm\": 1}",
       "cross_attn_norm: expected", 2},
      {"{\n\"_class_name\": \"WanAnimateModel\", \"dim\": 64}", "the class WanAnimateModel is not modelled", 2},
      {"{\n\"_class_name\": \"UniPCMultistepScheduler\", \"flow_shift\": 3.0}",
       "this is the config of a scheduler (UniPCMultistepScheduler)", 2},
      {"{\n\"_class_name\": \"AutoencoderKLWan\", \"z_dim\": 16}", "the config of an autoencoder", 2},
      {"{\"model_type\": \"umt5\", \"d_model\": 4096}", "the config of a text encoder", 1},
      {"{\"architectures\": [\"DeepseekOCRForCausalLM\"], \"hidden_size\": 1280}",
       "the config of a model that reads pages", 1},
      {"{\"dim\": 64, \"ffn_dim\": 8, \"num_heads\": 4, \"num_layers\": 1,\n\"model_type\": \"s2v\"}",
       "the model type 's2v' is not modelled", 2},
      {"{\"dim\": 64, \"ffn_dim\": 8, \"num_heads\": 4, \"num_layers\": 1,\n\"local_attn_size\": 6}",
       "local_attn_size: unknown key", 2},
      {"{\"dim\": 64, \"ffn_dim\": 8, \"num_heads\": 4, \"num_layers\": 1,\n\"window_size\": [8, 8]}",
       "attention within a window", 2},
      {"{\"dim\": 64, \"ffn_dim\": 8, \"num_heads\": 4, \"num_layers\": 1,\n\"quantization_config\": {\"quant_method\": "
       "\"eetq\"}}",
       "quantised (eetq)", 2},
      {"{\"_class_name\": \"WanModel\", \"dim\": 64, \"ffn_dim\": 8, \"num_heads\": 4, \"num_layers\": 1,\n"
       "\"vace_layers\": [0]}",
       "WanModel has no VACE blocks", 2},
      {"{\"_class_name\": \"VaceWanModel\", \"dim\": 64, \"ffn_dim\": 8, \"num_heads\": 4, \"num_layers\": 1}",
       "vace_layers: missing", 1},
      {"{\"dim\": 64, \"ffn_dim\": 8, \"num_heads\": 4, \"num_layers\": 1,\n\"vace_layers\": [0, 1]}",
       "the transformer has 1 blocks", 2},
      {"{\"num_attention_heads\": 4, \"attention_head_dim\": 4, \"ffn_dim\": 8, \"num_layers\": 1,\n\"image_dim\": 8}",
       "without added_kv_proj_dim", 2},
      {"{\"num_attention_heads\": 4, \"attention_head_dim\": 4, \"ffn_dim\": 8, \"num_layers\": 1,\n"
       "\"added_kv_proj_dim\": 8}",
       "8 is not the transformer's width 16", 2},
      {"{\"num_attention_heads\": 4, \"attention_head_dim\": 4, \"ffn_dim\": 8, \"num_layers\": 1,\n"
       "\"inject_sample_info\": true}",
       "inject_sample_info: unknown key", 2},
  };
  for (const Broken& broken : cases) {
    try {
      read(broken.text);
      ADD_FAILURE() << "accepted: " << broken.text;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 1) << broken.text;
      EXPECT_THAT(error.message(), HasSubstr(broken.message));
      EXPECT_EQ(error.span().file, "config.json") << error.what();
      EXPECT_EQ(error.span().line, broken.line) << error.what();
    }
  }
}

TEST(Architecture, ASizeThatOverflowsIsAnError) {
  EXPECT_THROW(
      read(R"({"num_attention_heads": 4000000000, "attention_head_dim": 4000000000, "ffn_dim": 8, "num_layers": 1})"),
      Error);
}

// --- parameters: the figures of the published checkpoints ---

Architecture wan(int64_t dim, int64_t ffn_dim, int64_t num_heads, int64_t num_layers) {
  Architecture a;
  a.dim = dim;
  a.ffn_dim = ffn_dim;
  a.num_heads = num_heads;
  a.num_layers = num_layers;
  return a;
}

Architecture i2v_14b() {
  Architecture a = wan(5120, 13824, 40, 40);
  a.model_type = "i2v";
  a.in_dim = 36;
  a.image_dim = 1280;
  return a;
}

Architecture flf2v_14b() {
  Architecture a = i2v_14b();
  a.model_type = "flf2v";
  a.pos_embed_seq_len = 514;
  return a;
}

TEST(ParameterTotals, AreThoseOfTheCheckpoints) {
  const auto official = [](const Architecture& a) {
    return official::WanModel(BuildContext{DType::float32}, a).parameter_count();
  };
  EXPECT_EQ(official(wan(5120, 13824, 40, 40)), 14'288'491'584);
  EXPECT_EQ(official(wan(1536, 8960, 12, 30)), 1'418'996'800);
  EXPECT_EQ(official(i2v_14b()), 16'394'878'784);
  EXPECT_EQ(official(flf2v_14b()), 16'395'536'704);
  Architecture ti2v = wan(3072, 14336, 24, 30);
  ti2v.model_type = "ti2v";
  ti2v.in_dim = ti2v.out_dim = 48;
  EXPECT_EQ(official(ti2v), 4'999'787'712);
}

TEST(ParameterTotals, OfDiffusersAreTheSameWeights) {
  const auto diffusers = [](const Architecture& a) {
    return diffusers::WanTransformer3DModel(BuildContext{DType::bfloat16}, a).parameter_count();
  };
  EXPECT_EQ(diffusers(wan(5120, 13824, 40, 40)), 14'288'491'584);
  EXPECT_EQ(diffusers(wan(1536, 8960, 12, 30)), 1'418'996'800);
  EXPECT_EQ(diffusers(i2v_14b()), 16'394'878'784);
}

TEST(ParameterTotals, OfOneBlock) {
  const int64_t one = official::WanModel(BuildContext{DType::float32}, wan(5120, 13824, 40, 1)).parameter_count();
  const int64_t two = official::WanModel(BuildContext{DType::float32}, wan(5120, 13824, 40, 2)).parameter_count();
  EXPECT_EQ(two - one, 351'394'304);
}

TEST(ParameterTotals, NamesAreThoseOfTheCheckpoint) {
  std::vector<std::string> names;
  official::WanModel(BuildContext{DType::float32}, wan(64, 128, 4, 1))
      .for_each_parameter([&](const std::string& name, const TensorSpec&) { names.push_back(name); });
  for (const char* name : {"patch_embedding.weight", "text_embedding.0.weight", "time_embedding.2.bias",
                           "time_projection.1.weight", "blocks.0.modulation", "blocks.0.self_attn.q.weight",
                           "blocks.0.self_attn.norm_k.weight", "blocks.0.norm3.weight", "blocks.0.cross_attn.o.bias",
                           "blocks.0.ffn.2.weight", "head.head.weight", "head.modulation"}) {
    EXPECT_THAT(names, testing::Contains(name));
  }
}

}  // namespace
}  // namespace modelmeter::wan
