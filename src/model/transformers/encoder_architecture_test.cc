#include "model/transformers/encoder_architecture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/yaml.h"
#include "model/transformers/clip.h"
#include "model/transformers/umt5.h"

namespace modelmeter::transformers {
namespace {

using testing::HasSubstr;

// What a group says, over `a`.
template <class A>
A read(const std::string& text, A a = {}) {
  const config::Node node = config::parse_yaml(text, "encoder.yaml");
  const config::View view(node, "encoder");
  read_architecture(view, a);
  check_architecture(view, a);
  return a;
}

template <class A>
A published(const std::string& text, A a = {}) {
  const config::Node node = config::parse_yaml(text, "config.json");
  read_published(config::View(node), a);
  return a;
}

template <class F>
std::string error_of(const F& f) {
  try {
    f();
    return "no error";
  } catch (const Error& error) {
    return error.message();
  }
}

using Text = TextEncoderArchitecture;
using Image = ImageEncoderArchitecture;

// text_encoder/config.json of Wan-AI/Wan2.1-T2V-14B-Diffusers.
constexpr char umt5_xxl[] = R"({"architectures": ["UMT5EncoderModel"], "classifier_dropout": 0.0, "d_ff": 10240,
  "d_kv": 64, "d_model": 4096, "decoder_start_token_id": 0, "dense_act_fn": "gelu_new", "dropout_rate": 0.1,
  "eos_token_id": 1, "feed_forward_proj": "gated-gelu", "initializer_factor": 1.0, "is_encoder_decoder": true,
  "is_gated_act": true, "layer_norm_epsilon": 1e-06, "model_type": "umt5", "num_decoder_layers": 24, "num_heads": 64,
  "num_layers": 24, "output_past": true, "pad_token_id": 0, "relative_attention_max_distance": 128,
  "relative_attention_num_buckets": 32, "scalable_attention": true, "tie_word_embeddings": false,
  "tokenizer_class": "T5Tokenizer", "torch_dtype": "bfloat16", "transformers_version": "4.48.0", "use_cache": true,
  "vocab_size": 256384})";

// UMT5EncoderModel of google/umt5-xxl and CLIPVisionModel of the I2V pipelines, on the meta device with transformers
// 5.23.0 (sum of p.numel()).
TEST(EncoderArchitectures, PublishedOnesHaveTheirModelsParameters) {
  EXPECT_EQ(UMT5EncoderModel(BuildContext{DType::bfloat16}, published<Text>(umt5_xxl)).parameter_count(),
            5'680'910'336);
  EXPECT_EQ(CLIPVisionModel(BuildContext{DType::float32}, {}).parameter_count(), 630'766'080);
  EXPECT_EQ(Image().tokens(), 257);
  EXPECT_EQ(published<Text>(umt5_xxl).head_dim(), 64);
  EXPECT_EQ(Text().head_dim(), 0);
  EXPECT_EQ(Image().head_dim(), 80);
}

TEST(TextEncoder, ReadsBothNamesOfEachSize) {
  const Text ours = read<Text>(
      "{vocab: 100, dim: 32, dim_attn: 24, dim_ffn: 40, num_heads: 4, num_layers: 2, num_buckets: 8, shared_pos: true}");
  const Text theirs = read<Text>(
      "{vocab_size: 100, d_model: 32, d_kv: 6, d_ff: 40, num_heads: 4, num_layers: 2,"
      " relative_attention_num_buckets: 8}");
  for (const Text& a : {ours, theirs}) {
    EXPECT_EQ(a.vocab, 100);
    EXPECT_EQ(a.dim, 32);
    EXPECT_EQ(a.dim_attn, 24);
    EXPECT_EQ(a.dim_ffn, 40);
    EXPECT_EQ(a.num_heads, 4);
    EXPECT_EQ(a.num_layers, 2);
    EXPECT_EQ(a.num_buckets, 8);
    EXPECT_EQ(a.head_dim(), 6);
  }
  EXPECT_TRUE(ours.shared_pos);
  EXPECT_FALSE(theirs.shared_pos);
}

// Of a file that has their number only: UMT5Config has a width for each. A group has the width of all.
TEST(TextEncoder, HeadsOfAFileAreAsWideAsBefore) {
  const Text xxl = published<Text>(umt5_xxl);
  EXPECT_EQ(published<Text>(R"({"num_heads": 8})", xxl).dim_attn, 8 * 64);
  EXPECT_EQ(read<Text>("{num_heads: 8}", xxl).dim_attn, 4096);
  EXPECT_THAT(error_of([&] { read<Text>("{num_heads: 3}", xxl); }), HasSubstr("3 heads do not divide the width 4096"));
}

TEST(ImageEncoder, ReadsBothNamesOfEachSize) {
  const Image ours = read<Image>(
      "{image_size: 28, patch_size: 7, dim: 32, mlp_ratio: 3, out_dim: 20, num_heads: 4, num_layers: 2,"
      " pre_norm: false, activation: quick_gelu}");
  const Image theirs = read<Image>(
      "{image_size: 28, patch_size: 7, hidden_size: 32, intermediate_size: 96, projection_dim: 20,"
      " num_attention_heads: 4, num_hidden_layers: 2, hidden_act: quick_gelu}");
  for (const Image& a : {ours, theirs}) {
    EXPECT_EQ(a.image_size, 28);
    EXPECT_EQ(a.tokens(), 17);
    EXPECT_EQ(a.dim, 32);
    EXPECT_EQ(a.mlp_ratio, 3);
    EXPECT_EQ(a.out_dim, 20);
    EXPECT_EQ(a.head_dim(), 8);
    EXPECT_EQ(a.num_layers, 2);
    EXPECT_EQ(a.activation, "quick_gelu");
  }
  EXPECT_FALSE(ours.pre_norm);
}

TEST(ImageEncoder, SizesThatDoNotGoTogetherAreErrors) {
  const auto error = [](const std::string& text) { return error_of([&] { read<Image>(text); }); };
  EXPECT_THAT(error("{intermediate_size: 1281}"), HasSubstr("a multiple of the width 1280"));
  EXPECT_THAT(error("{num_attention_heads: 7}"), HasSubstr("7 heads do not divide the width 1280"));
  EXPECT_THAT(error("{patch_size: 15}"), HasSubstr("patches of 15 do not divide an image of 224"));
  EXPECT_THAT(error("{hidden_act: relu}"), HasSubstr("hidden_act: unknown value 'relu'"));
}

std::string with(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST(TextEncoder, ReadsThePublishedFile) {
  const Text a = published<Text>(umt5_xxl);
  EXPECT_EQ(json_of(a, KeyNames::original).dump(),
            R"({"vocab":256384,"dim":4096,"dim_attn":4096,"dim_ffn":10240,"num_heads":64,"num_layers":24,)"
            R"("num_buckets":32,"shared_pos":false})");
}

TEST(TextEncoder, ASizeWithTwoNamesIsGivenOnce) {
  const auto error = [](const std::string& text) { return error_of([&] { read<Text>(text); }); };
  EXPECT_THAT(error("{dim: 32, d_model: 32}"), HasSubstr("encoder.d_model: is encoder.dim by its other name"));
  EXPECT_THAT(error("{num_heads: 4, dim_attn: 24, d_kv: 6}"), HasSubstr("encoder.d_kv: is encoder.dim_attn by its"));
  EXPECT_THAT(error_of([] { read<Image>("{mlp_ratio: 4, intermediate_size: 5120}"); }),
              HasSubstr("encoder.intermediate_size: is encoder.mlp_ratio by its other name"));
}

TEST(TextEncoder, TheFirstSizeThatIsMissingIsNamed) {
  const auto error = [](const std::string& text) {
    return error_of([&] {
      const config::Node node = config::parse_yaml(text, "encoder.yaml");
      require_sizes(config::View(node, "encoder"), read<Text>(text));
    });
  };
  const std::string all = "{vocab: 1, dim: 2, dim_attn: 4, dim_ffn: 4, num_heads: 2, num_layers: 2}";
  EXPECT_EQ(error(all), "no error");
  for (const char* size : {"vocab: 1", "dim: 2", "dim_attn: 4", "dim_ffn: 4", "num_heads: 2", "num_layers: 2"}) {
    const std::string key = std::string(size).substr(0, std::string(size).find(':'));
    const std::string rest = std::string(all).replace(all.find(size), std::string(size).size(), "num_buckets: 32");
    EXPECT_THAT(error(rest), HasSubstr(key + " is not given")) << rest;
  }
}

TEST(TextEncoder, RefusesWhatIsNoGatedUmt5) {
  const auto error = [](const std::string& from, const std::string& to) {
    return error_of([&] { published<Text>(with(umt5_xxl, from, to)); });
  };
  EXPECT_THAT(error(R"("model_type": "umt5")", R"("model_type": "t5")"), HasSubstr("model_type"));
  EXPECT_THAT(error("gated-gelu", "relu"), HasSubstr("feed_forward_proj"));
  EXPECT_THAT(error("gelu_new", "relu"), HasSubstr("dense_act_fn"));
  EXPECT_THAT(error(R"("use_cache": true)", R"("lora_rank": 8)"), HasSubstr("lora_rank: unknown key"));
}

TEST(ImageEncoder, RefusesAnotherModelsFile) {
  EXPECT_EQ(published<Image>(R"({"model_type": "clip_vision_model", "hidden_size": 640, "intermediate_size": 2560,
                               "num_channels": 3, "attention_dropout": 0.0})")
                .dim,
            640);
  EXPECT_THAT(error_of([] { published<Image>(R"({"model_type": "siglip_vision_model"})"); }), HasSubstr("model_type"));
  EXPECT_THAT(error_of([] { published<Image>(R"({"num_channels": 1})"); }), HasSubstr("num_channels: expected 3"));
}

TEST(EncoderArchitectures, AreWrittenWithTheNamesOfTheirReader) {
  EXPECT_EQ(json_of(published<Text>(umt5_xxl), KeyNames::published).dump(),
            R"({"vocab_size":256384,"d_model":4096,"d_kv":64,"d_ff":10240,"num_layers":24,"num_heads":64})");
  EXPECT_EQ(json_of(Image(), KeyNames::published)["intermediate_size"], 5120);
  EXPECT_EQ(json_of(Image(), KeyNames::original)["mlp_ratio"], 4);
}

}  // namespace
}  // namespace modelmeter::transformers
