#include "model/model_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "config/yaml.h"
#include "layer/linear.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class ModelFilesTest : public testing::Test {
 protected:
  ModelFilesTest() : root_(fs::temp_directory_path() / ("modelmeter-files-" + std::to_string(::getpid()))) {
    fs::create_directories(root_);
  }
  ~ModelFilesTest() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  void write(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << text;
  }
  // A safetensors file: the length of its header in 8 bytes, little-endian, and the header.
  void write_safetensors(const std::string& name, const std::string& header, const std::string& data = "") {
    std::string text;
    for (size_t i = 0; i < 8; ++i) text += static_cast<char>(header.size() >> (8 * i) & 0xff);
    write(name, text + header + data);
  }
  ModelFiles find(const std::string& name) const {
    const config::Node node = config::Node::string((root_ / name).string());
    return find_model(config::View(node, "hf.config_path"), {});
  }
  std::string error(const std::string& name) const {
    try {
      find(name);
      return "no error";
    } catch (const Error& error) {
      return error.what();
    }
  }
  std::string relative(const std::string& path) const { return fs::relative(path, root_).string(); }

  fs::path root_;
};

TEST_F(ModelFilesTest, AConfigIsTakenAsItIs) {
  write("a.json", R"({"dim": 8})");
  const ModelFiles files = find("a.json");
  EXPECT_EQ(relative(files.config_path), "a.json");
  EXPECT_EQ(files.config.find("dim")->as_int(), 8);
  EXPECT_FALSE(files.pipeline);
  EXPECT_FALSE(files.weights);
}

// In a folder: config.json, then diffusers' transformer, then Wan2.2's first expert.
TEST_F(ModelFilesTest, AFolderHasItsConfigInOneOfThreePlaces) {
  write("m/high_noise_model/config.json", R"({"dim": 3})");
  EXPECT_EQ(relative(find("m").config_path), "m/high_noise_model/config.json");
  write("m/transformer/config.json", R"({"dim": 2})");
  EXPECT_EQ(relative(find("m").config_path), "m/transformer/config.json");
  write("m/config.json", R"({"dim": 1})");
  EXPECT_EQ(relative(find("m").config_path), "m/config.json");
}

TEST_F(ModelFilesTest, AFolderWithoutOneSaysWhatIsThere) {
  write("m/tokenizer.json", "{}");
  write("m/b.json", "{}");
  EXPECT_THAT(error("m"), HasSubstr("is a folder without config.json, transformer/config.json or model_index.json"));
  EXPECT_THAT(error("m"), HasSubstr("there are: b.json, tokenizer.json"));
}

TEST_F(ModelFilesTest, APipelineBringsTheFilesThatItsIndexNames) {
  write("p/model_index.json", R"({"_class_name": "WanPipeline", "vae": ["diffusers", "AutoencoderKLWan"],
      "text_encoder": ["transformers", "UMT5EncoderModel"], "transformer_2": [null, null],
      "scheduler": ["diffusers", "UniPCMultistepScheduler"]})");
  EXPECT_THAT(error("p"), HasSubstr("is the index of a pipeline (WanPipeline), and transformer/config.json is not"));
  write("p/transformer/config.json", R"({"dim": 8})");
  write("p/vae/config.json", R"({"z_dim": 16})");
  write("p/scheduler/scheduler_config.json", R"({"flow_shift": 3})");
  for (const char* path : {"p", "p/model_index.json"}) {
    const ModelFiles files = find(path);
    EXPECT_EQ(relative(files.config_path), "p/transformer/config.json");
    ASSERT_TRUE(files.pipeline);
    EXPECT_EQ(files.pipeline->class_name, "WanPipeline");
    EXPECT_EQ(files.pipeline->vae->find("z_dim")->as_int(), 16);
    EXPECT_TRUE(files.pipeline->scheduler);
    EXPECT_FALSE(files.pipeline->transformer_2);
    EXPECT_FALSE(files.pipeline->image_encoder);
    EXPECT_THAT(files.pipeline->missing, ElementsAre("text_encoder/config.json"));
  }
}

TEST_F(ModelFilesTest, AnIndexOfWeightsIsReadBesideItsConfig) {
  write("w/model.safetensors.index.json",
        R"({"metadata": {"total_size": 24.0}, "weight_map": {"weight": "a.safetensors", "bias": "b.safetensors"}})");
  EXPECT_THAT(error("w/model.safetensors.index.json"),
              HasSubstr("is an index of weights (2 tensors, 24 bytes): it gives no model's sizes"));
  write("w/config.json", R"({"dim": 8})");
  const ModelFiles files = find("w/model.safetensors.index.json");
  EXPECT_EQ(relative(files.config_path), "w/config.json");
  ASSERT_TRUE(files.weights);
  EXPECT_FALSE(files.weights->has_shapes);
  EXPECT_EQ(files.weights->total_size, 24);  // a float in some files
  EXPECT_EQ(files.weights->tensors.size(), 2u);
}

TEST_F(ModelFilesTest, ASafetensorsHeaderHasShapesAndBytes) {
  write_safetensors("w/model.safetensors",
                    R"({"__metadata__": {"format": "pt"}, "weight": {"dtype": "F32", "shape": [2, 3],
                        "data_offsets": [0, 24]}, "bias": {"dtype": "F32", "shape": [2], "data_offsets": [24, 32]}})");
  write("w/config.json", R"({"dim": 8})");
  const ModelFiles files = find("w/model.safetensors");
  ASSERT_TRUE(files.weights);
  EXPECT_TRUE(files.weights->has_shapes);
  EXPECT_EQ(files.weights->total_size, 32);
  ASSERT_EQ(files.weights->tensors.size(), 2u);
  EXPECT_EQ(files.weights->tensors[0].name, "weight");
  EXPECT_EQ(files.weights->tensors[0].dtype, "F32");
  EXPECT_THAT(files.weights->tensors[0].sizes, ElementsAre(2, 3));
}

TEST_F(ModelFilesTest, ABrokenSafetensorsFileIsAnError) {
  write("w/config.json", "{}");
  write("w/short.safetensors", "abc");
  EXPECT_THAT(error("w/short.safetensors"), HasSubstr("does not begin with the length of a header"));
  write("w/cut.safetensors", std::string("\x10\0\0\0\0\0\0\0{}", 10));
  EXPECT_THAT(error("w/cut.safetensors"), HasSubstr("the file ends within its header of 16 bytes"));
  write("w/huge.safetensors", std::string("\0\0\0\0\0\1\0\0{}", 10));
  EXPECT_THAT(error("w/huge.safetensors"), HasSubstr("no safetensors file"));
}

TEST_F(ModelFilesTest, ASafetensorsHeaderThatLiesIsAnError) {
  write("w/config.json", "{}");
  const auto refused = [&](const std::string& tensor, const std::string& data = "") {
    write_safetensors("w/model.safetensors", R"({"weight": {"dtype": "F32", )" + tensor + "}}", data);
    return error("w/model.safetensors");
  };
  EXPECT_THAT(refused(R"("shape": [2, 3], "data_offsets": [0, 20])"),
              HasSubstr("'weight' has 24 bytes, [2, 3] of F32, but its data_offsets [0, 20] are 20 apart"));
  EXPECT_THAT(refused(R"("shape": [2, 3], "data_offsets": [24, 0])"), HasSubstr("has data_offsets [24, 0]"));
  EXPECT_THAT(refused(R"("shape": [2, -3], "data_offsets": [0, 24])"), HasSubstr("has the sizes [2, -3]"));
  EXPECT_THAT(refused(R"("shape": [4611686018427387904, 3], "data_offsets": [0, 24])"), HasSubstr("has the sizes"));
  EXPECT_THAT(refused(R"("shape": [2, 3], "data_offsets": [0, 24])", "only some"),
              HasSubstr("ends at 24 of the data, which end at 9: the file is cut"));
}

TEST(WhatItIs, TellsFilesByTheirKeys) {
  const auto what = [](const std::string& text) { return what_it_is(config::parse_yaml(text, "config.json")); };
  EXPECT_EQ(what(R"({"_class_name": "UniPCMultistepScheduler"})"),
            "the config of a scheduler (UniPCMultistepScheduler)");
  EXPECT_EQ(what(R"({"num_train_timesteps": 1000})"), "the config of a scheduler");
  EXPECT_EQ(what(R"({"_class_name": "AutoencoderKLWan"})"), "the config of an autoencoder (AutoencoderKLWan)");
  EXPECT_EQ(what(R"({"architectures": ["UMT5EncoderModel"]})"), "the config of a text encoder (UMT5EncoderModel)");
  EXPECT_EQ(what(R"({"model_type": "mt5"})"), "the config of a text encoder");
  EXPECT_EQ(what(R"({"model_type": "clip_vision_model"})"), "the config of an image encoder");
  EXPECT_EQ(what(R"({"tokenizer_class": "T5Tokenizer"})"), "the config of a tokenizer");
  EXPECT_EQ(what(R"({"image_mean": [0.5]})"), "the config of an image processor");
  EXPECT_EQ(what(R"({"peft_type": "LORA"})"), "the config of an adapter (LoRA)");
  EXPECT_EQ(what(R"({"language_config": {}})"), "the config of a model that reads pages");
  EXPECT_EQ(what(R"({"dim": 8})"), "");
  EXPECT_EQ(what("[]"), "");
}

TEST(PublishedKeys, ThatSwitchNothingOnArePassedOver) {
  const auto error = [](const std::string& text) -> std::string {
    const config::Node node = config::parse_yaml(text, "config.json");
    try {
      require_known_published_keys(config::View(node), {"dim"}, "the format");
      return "no error";
    } catch (const Error& e) {
      return e.message();
    }
  };
  EXPECT_EQ(error(R"({"dim": 8, "_name_or_path": "x", "a": null, "b": false, "c": [], "d": {}})"), "no error");
  EXPECT_THAT(error(R"({"dim": 8, "a": true})"), HasSubstr("a: unknown key"));
  EXPECT_THAT(error(R"({"dim": 8, "a": 0})"), HasSubstr("a: unknown key"));
  EXPECT_THAT(error(R"({"quantization_config": {"quant_method": "bitsandbytes"}})"),
              HasSubstr("neither or both of load_in_8bit and load_in_4bit"));
  EXPECT_EQ(error(R"({"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}})"), "no error");
}

// --- checkpoints against a layer: a Linear from 3 to 2, 8 parameters ---

WeightsListing listing(std::vector<WeightsListing::Tensor> tensors, bool shapes, int64_t bytes) {
  WeightsListing out;
  out.path = "/models/w.safetensors";
  out.has_shapes = shapes;
  out.total_size = bytes;
  out.tensors = std::move(tensors);
  return out;
}

std::string compared(const WeightsListing& weights) {
  const Linear layer(BuildContext{}, {3, 2});
  try {
    return compare_weights(weights, layer);
  } catch (const Error& error) {
    return error.message();
  }
}

TEST(CompareWeights, SaysWhatWasCompared) {
  EXPECT_EQ(
      compared(listing({{"weight", "F32", {2, 3}}, {"bias", "F32", {2}}}, true, 32)),
      "w.safetensors is a safetensors file (2 tensors, 32 bytes): the names and shapes are those of Linear, 4 bytes a "
      "parameter");
  EXPECT_THAT(compared(listing({{"weight", "", {}}, {"bias", "", {}}}, false, 16)),
              HasSubstr("the names are those of Linear, 2 bytes a parameter"));
  EXPECT_THAT(compared(listing({{"weight", "", {}}, {"bias", "", {}}}, false, 17)),
              HasSubstr("8 parameters in 17 bytes are neither 2 nor 4 each"));
  // One file of several: no bytes to compare.
  EXPECT_EQ(compared(listing({{"bias", "F32", {2}}}, true, 8)),
            "w.safetensors is a safetensors file (1 tensor, 8 bytes): the names and shapes are those of Linear");
}

TEST(CompareWeights, TheFirstDifferenceIsAnError) {
  EXPECT_THAT(compared(listing({{"scale", "F32", {2}}}, true, 8)), HasSubstr("'scale' is no parameter of Linear"));
  EXPECT_THAT(compared(listing({{"weight", "F32", {3, 2}}}, true, 24)),
              HasSubstr("'weight' is [3, 2], by config.json [2, 3]"));
  EXPECT_THAT(compared(listing({{"weight", "", {}}}, false, 24)), HasSubstr("'bias' is missing"));
}

// Published image-to-video checkpoints hold a norm that diffusers leaves out.
TEST(CompareWeights, WhatDiffusersLeavesOutIsPassedOver) {
  EXPECT_EQ(compared(listing({{"blocks.0.attn2.norm_added_q.weight", "", {}}, {"weight", "", {}}, {"bias", "", {}}},
                             false, 32)),
            "w.safetensors is an index of weights (3 tensors, 32 bytes): the names are those of Linear");
}

TEST(ChoiceOrAlias, TakesAnAliasForItsName) {
  const config::Node node = config::parse_yaml("attention: sdpa\nother: flash\nwrong: falsh\n", "r.yaml");
  const config::View view(node, "runtime");
  EXPECT_EQ(choice_or_alias(view, "attention", {"flash", "math"}, {{"sdpa", "flash"}}), "flash");
  EXPECT_EQ(choice_or_alias(view, "other", {"flash", "math"}, {{"sdpa", "flash"}}), "flash");
  EXPECT_THROW(choice_or_alias(view, "wrong", {"flash", "math"}, {{"sdpa", "flash"}}), Error);
}

}  // namespace
}  // namespace modelmeter
