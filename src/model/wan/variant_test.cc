// Sources: wan/configs and generate.py of Wan-Video/Wan2.1 @9737cba and Wan2.2 @42bf4cf (WAN_CONFIGS, SUPPORTED_SIZES,
// _validate_args).
#include "model/wan/variant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/yaml.h"

namespace modelmeter::wan {
namespace {

using testing::HasSubstr;

const Variant& named(const std::string& name) {
  const config::Node node = config::Node::string(name);
  return variant_named(config::View(node, "hf.variant"));
}

struct Published {
  const char* name;
  const char* task;
  int64_t dim, ffn_dim, num_heads, num_layers;
  double boundary;
  const char* label;
};

TEST(Variants, HaveTheSizesOfTheOfficialConfigs) {
  const Published published[] = {
      {"t2v-14B", "t2v", 5120, 13824, 40, 40, 0, "wan2.1-t2v-14b"},
      {"t2v-1.3B", "t2v", 1536, 8960, 12, 30, 0, "wan2.1-t2v-1.3b"},
      {"t2i-14B", "t2i", 5120, 13824, 40, 40, 0, "wan2.1-t2i-14b"},
      {"i2v-14B", "i2v", 5120, 13824, 40, 40, 0, "wan2.1-i2v-14b"},
      {"flf2v-14B", "flf2v", 5120, 13824, 40, 40, 0, "wan2.1-flf2v-14b"},
      {"vace-1.3B", "vace", 1536, 8960, 12, 30, 0, "wan2.1-vace-1.3b"},
      {"vace-14B", "vace", 5120, 13824, 40, 40, 0, "wan2.1-vace-14b"},
      {"t2v-A14B", "t2v", 5120, 13824, 40, 40, 0.875, "wan2.2-t2v-a14b"},
      {"i2v-A14B", "i2v", 5120, 13824, 40, 40, 0.9, "wan2.2-i2v-a14b"},
      {"ti2v-5B", "ti2v", 3072, 14336, 24, 30, 0, "wan2.2-ti2v-5b"},
  };
  for (const Published& p : published) {
    const Variant& v = named(p.name);
    EXPECT_STREQ(name_of(v.task), p.task);
    EXPECT_EQ(v.dim, p.dim) << p.name;
    EXPECT_EQ(v.ffn_dim, p.ffn_dim) << p.name;
    EXPECT_EQ(v.num_heads, p.num_heads) << p.name;
    EXPECT_EQ(v.num_layers, p.num_layers) << p.name;
    EXPECT_EQ(v.boundary, p.boundary) << p.name;
    EXPECT_EQ(v.label(), p.label);
  }
}

// vae_stride of wan/configs: (4, 8, 8), and (4, 16, 16) of ti2v-5B, whose latents have 48 channels.
TEST(Variants, HaveTheAutoencoderOfTheirConfig) {
  for (const char* name : {"t2v-14B", "t2v-1.3B", "vace-14B", "t2v-A14B", "i2v-A14B"}) {
    EXPECT_EQ(named(name).latent_channels(), 16) << name;
    EXPECT_EQ(named(name).vae_stride(), (Shape{4, 8, 8})) << name;
  }
  EXPECT_EQ(named("ti2v-5B").latent_channels(), 48);
  EXPECT_EQ(named("ti2v-5B").vae_stride(), (Shape{4, 16, 16}));
}

TEST(Variants, AnUnknownOneGetsASuggestion) {
  try {
    named("t2v-14b");
    FAIL() << "t2v-14b is known";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "hf.variant: there is no variant 't2v-14b'");
    EXPECT_THAT(error.what(), HasSubstr("t2v-14B"));
  }
}

struct Video {
  const char* variant;
  VideoSize size;
  const char* refusal;  // part of it; "" where it is accepted
};

// SUPPORTED_SIZES, written width*height; generate.py's frames are 4n + 1, and 1 for t2i.
TEST(Generate, AcceptsTheSupportedSizesAndNoOthers) {
  const Video videos[] = {
      {"t2v-14B", {81, 720, 1280}, ""},
      {"t2v-14B", {81, 1280, 720}, ""},
      {"t2v-14B", {5, 480, 832}, ""},
      {"t2v-14B", {1, 832, 480}, ""},
      {"t2v-14B", {81, 1024, 1024}, "allowed: 720 x 1280, 1280 x 720, 480 x 832, 832 x 480"},
      {"t2v-14B", {80, 720, 1280}, "takes 4n + 1 frames, not 80"},
      {"t2v-14B", {83, 720, 1280}, "takes 4n + 1 frames, not 83"},
      {"t2v-1.3B", {81, 480, 832}, ""},
      {"t2v-1.3B",
       {81, 720, 1280},
       "t2v-1.3B does not support 720 x 1280 (height x width); allowed: 480 x 832, 832 x 480"},
      {"t2i-14B", {1, 1024, 1024}, ""},
      {"t2i-14B", {1, 480, 832}, ""},
      {"t2i-14B", {5, 1024, 1024}, "makes one frame, not 5"},
      {"i2v-14B", {81, 832, 480}, ""},
      {"flf2v-14B", {81, 720, 1280}, ""},
      {"vace-1.3B", {81, 832, 480}, ""},
      {"vace-1.3B", {81, 720, 1280}, "vace-1.3B does not support"},
      {"vace-14B", {81, 720, 1280}, ""},
      {"t2v-A14B", {81, 720, 1280}, ""},
      {"i2v-A14B", {81, 480, 832}, ""},
      {"ti2v-5B", {121, 704, 1280}, ""},
      {"ti2v-5B", {121, 1280, 704}, ""},
      {"ti2v-5B", {121, 720, 1280}, "ti2v-5B does not support 720 x 1280"},
  };
  for (const Video& v : videos) {
    const std::string reason = refused_by_generate(named(v.variant), v.size);
    if (*v.refusal == '\0') {
      EXPECT_EQ(reason, "") << v.variant;
    } else {
      EXPECT_THAT(reason, HasSubstr(v.refusal));
    }
  }
}

TEST(Variants, WithoutANameFollowFromTheModelType) {
  EXPECT_EQ(variant_of("t2v").name, "t2v-14B");
  EXPECT_EQ(variant_of("i2v").name, "i2v-14B");
  EXPECT_EQ(variant_of("flf2v").name, "flf2v-14B");
  EXPECT_EQ(variant_of("vace").name, "vace-14B");
  EXPECT_EQ(variant_of("ti2v").name, "ti2v-5B");
}

TEST(Variants, MakeWhatATransformerOfTheirTaskMakes) {
  EXPECT_TRUE(named("t2i-14B").makes("t2v"));
  EXPECT_FALSE(named("t2i-14B").makes("t2i"));
  EXPECT_TRUE(named("vace-1.3B").makes("vace"));
  EXPECT_FALSE(named("t2v-14B").makes("i2v"));
  EXPECT_EQ(variants_making("t2v"), "t2v-14B, t2v-1.3B, t2i-14B, t2v-A14B");
  EXPECT_EQ(variants_making("ti2v"), "ti2v-5B");
  EXPECT_EQ(variants_making("s2v"), "");
}

Architecture sizes_of(const Variant& v) {
  Architecture a;
  a.dim = v.dim;
  a.ffn_dim = v.ffn_dim;
  a.num_heads = v.num_heads;
  a.num_layers = v.num_layers;
  a.out_dim = v.latent_channels();
  return a;
}

TEST(Variants, AreFoundByEverySizeOfTheirs) {
  const Architecture published = sizes_of(named("t2v-1.3B"));
  EXPECT_EQ(variant_of_sizes(published, Task::t2v, Generation::wan2_1)->name, "t2v-1.3B");
  EXPECT_EQ(variant_of_sizes(published, Task::i2v, Generation::wan2_1), nullptr);
  EXPECT_EQ(variant_of_sizes(published, Task::t2v, Generation::wan2_2), nullptr);
  for (int64_t Architecture::* size :
       {&Architecture::dim, &Architecture::ffn_dim, &Architecture::num_heads, &Architecture::num_layers,
        &Architecture::out_dim, &Architecture::freq_dim, &Architecture::text_dim}) {
    Architecture other = published;
    other.*size *= 2;
    EXPECT_EQ(variant_of_sizes(other, Task::t2v, Generation::wan2_1), nullptr);
  }
  for (bool Architecture::* norm : {&Architecture::qk_norm, &Architecture::cross_attn_norm}) {
    Architecture other = published;
    other.*norm = false;
    EXPECT_FALSE(named("t2v-1.3B").has_sizes_of(other));
  }
  Architecture patches = published;
  patches.patch_size = {1, 4, 4};
  EXPECT_FALSE(named("t2v-1.3B").has_sizes_of(patches));
}

// vace_layers of the published config.json files: every fifth of 40 blocks, every second of 30.
TEST(Variants, OfVaceHaveTheirBlocks) {
  Architecture large = sizes_of(named("vace-14B")), small = sizes_of(named("vace-1.3B"));
  EXPECT_FALSE(named("vace-14B").has_sizes_of(large));
  large.vace_layers = {0, 5, 10, 15, 20, 25, 30, 35};
  EXPECT_TRUE(named("vace-14B").has_sizes_of(large));
  small.vace_layers = {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28};
  EXPECT_TRUE(named("vace-1.3B").has_sizes_of(small));
  small.vace_layers.pop_back();
  EXPECT_FALSE(named("vace-1.3B").has_sizes_of(small));
}

}  // namespace
}  // namespace modelmeter::wan
