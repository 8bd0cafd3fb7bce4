#include "model/wan/vae_architecture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/yaml.h"
#include "model/wan/diffusers/vae.h"
#include "model/wan/official/autoencoder.h"
#include "testing/wan_groups.h"

namespace modelmeter::wan {
namespace {

using testing::HasSubstr;
using Ints = std::vector<int64_t>;
using Bools = std::vector<bool>;

// What a group says, over `a`.
VaeArchitecture read(const std::string& text, VaeArchitecture a = {}) {
  const config::Node node = config::parse_yaml(text, "vae.yaml");
  const config::View view(node, "vae");
  read_architecture(view, a);
  check_architecture(view, a);
  return a;
}

VaeArchitecture of_group(const std::string& text) {
  return read(text.substr(std::string("vae: ").size()));  // "vae: {dim: 96 …"
}
const VaeArchitecture wan2_1 = of_group(testing_models::wan2_1_vae), wan2_2 = of_group(testing_models::wan2_2_vae);

VaeArchitecture published(const std::string& text, VaeArchitecture a = {}) {
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

// AutoencoderKLWan of diffusers 0.42.1 on the meta device, with both generations' sizes (sum of p.numel()).
TEST(VaeArchitecture, PublishedOnesHaveTheirCheckpointsParameters) {
  const BuildContext f32{DType::float32};
  EXPECT_EQ(official::WanVAE(f32, wan2_1).parameter_count(), 126'892'531);
  EXPECT_EQ(official::WanVAE(f32, wan2_2).parameter_count(), 704'688'668);
  EXPECT_EQ(diffusers::AutoencoderKLWan(f32, wan2_1).parameter_count(), 126'892'531);
  EXPECT_EQ(diffusers::AutoencoderKLWan(f32, wan2_2).parameter_count(), 704'688'668);
}

// Each level but the last halves the sides; patches of 2 halve them once more.
TEST(VaeArchitecture, CompressesByItsLevels) {
  VaeArchitecture a = wan2_1;
  EXPECT_EQ(a.spatial_compression(), 8);
  EXPECT_EQ(a.temporal_compression(), 4);
  a.dim_mult = {1, 2, 4};
  a.temporal_downsample = {true, false};
  EXPECT_EQ(a.spatial_compression(), 4);
  EXPECT_EQ(a.temporal_compression(), 2);
  a.patch_size = 2;
  EXPECT_EQ(a.spatial_compression(), 8);
  a.temporal_downsample = {false, false};
  EXPECT_EQ(a.temporal_compression(), 1);
}

TEST(VaeArchitecture, ReadsBothNamesOfEachSize) {
  const VaeArchitecture ours =
      read("{dim: 32, dec_dim: 48, z_dim: 8, dim_mult: [1, 3], num_res_blocks: 1, temperal_downsample: [true]}");
  const VaeArchitecture theirs = read(
      "{base_dim: 32, z_dim: 8, dim_mult: [1, 3], num_res_blocks: 1, temperal_downsample: [true], patch_size: 2,"
      " in_channels: 12, out_channels: 12, decoder_base_dim: 48, is_residual: true}");
  for (const VaeArchitecture& a : {ours, theirs}) {
    EXPECT_EQ(a.dim, 32);
    EXPECT_EQ(a.decoder_dim, 48);
    EXPECT_EQ(a.z_dim, 8);
    EXPECT_EQ(a.dim_mult, (Ints{1, 3}));
    EXPECT_EQ(a.num_res_blocks, 1);
    EXPECT_EQ(a.temporal_downsample, (Bools{true}));
  }
  EXPECT_EQ(ours.patch_size, 1);
  EXPECT_EQ(ours.in_channels, 3);
  EXPECT_FALSE(ours.is_residual);
  EXPECT_EQ(theirs.patch_size, 2);
  EXPECT_EQ(theirs.in_channels, 12);
  EXPECT_EQ(theirs.out_channels, 12);
  EXPECT_TRUE(theirs.is_residual);
}

TEST(VaeArchitecture, HasOneWidthUnlessTwoAreGiven) {
  EXPECT_EQ(read("{dim: 64}").decoder_dim, 64);
  EXPECT_EQ(read("{dim: 64}", wan2_2).decoder_dim, 256);
  EXPECT_EQ(published(R"({"base_dim": 64})", wan2_2).decoder_dim, 64);  // a file says both, or one for both
}

TEST(VaeArchitecture, SizesThatDoNotGoTogetherAreErrors) {
  const auto error = [](const std::string& text) { return error_of([&] { read(text, wan2_1); }); };
  EXPECT_THAT(error("{dim: 0}"), HasSubstr("vae.dim: expected a number above 0"));
  EXPECT_THAT(error("{dim: 64, base_dim: 64}"), HasSubstr("vae.base_dim: is vae.dim by its other name"));
  EXPECT_THAT(error("{dim_mult: []}"), HasSubstr("at least one level"));
  EXPECT_THAT(error("{dim_mult: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}"), HasSubstr("at most 16 levels"));
  EXPECT_THAT(error("{dim_mult: [1, 0, 4, 4]}"), HasSubstr("numbers above 0"));
  EXPECT_THAT(error("{dim_mult: [1, 2]}"), HasSubstr("a value for each of the 2 levels of dim_mult but the last"));
  EXPECT_THAT(error("{temperal_downsample: [true]}"), HasSubstr("vae.temperal_downsample: temperal_downsample has a"));
  EXPECT_THAT(error("{dim: 1000000, dim_mult: [1, 2147, 4, 2148]}"),
              HasSubstr("vae.dim_mult: a level of more than 2147483647 channels"));
  EXPECT_EQ(error("{dim: 1000000, dim_mult: [1, 2147, 4, 2147]}"), "no error");
  EXPECT_THAT(error("{dec_dim: 1000000, dim_mult: [1, 2, 4, 2148]}"), HasSubstr("a level of more than"));
  EXPECT_THAT(error("{num_res_blocks: 257}"), HasSubstr("at most 256"));
  EXPECT_THAT(error("{patch_size: 2}"), HasSubstr("vae.patch_size: in_channels is 3: a video in patches of 2 x 2 "
                                                  "pixels has 12 channels"));
  EXPECT_THAT(error("{patch_size: 2, in_channels: 12}"), HasSubstr("vae.patch_size: out_channels is 3"));
  EXPECT_THAT(error("{out_channels: 12}"), HasSubstr("vae.out_channels: out_channels is 12"));
}

TEST(VaeArchitecture, TheFirstSizeThatIsMissingIsNamed) {
  const config::Node node = config::parse_yaml("{}", "vae.yaml");
  const auto error = [&](const VaeArchitecture& a) {
    return error_of([&] { require_sizes(config::View(node, "vae"), a); });
  };
  EXPECT_EQ(error(wan2_1), "no error");
  const auto without = [&](auto member) {
    VaeArchitecture a = wan2_1;
    a.*member = {};
    return error(a);
  };
  EXPECT_EQ(without(&VaeArchitecture::dim), "vae: dim is not given");
  EXPECT_EQ(without(&VaeArchitecture::decoder_dim), "vae: dec_dim is not given");
  EXPECT_EQ(without(&VaeArchitecture::z_dim), "vae: z_dim is not given");
  EXPECT_EQ(without(&VaeArchitecture::dim_mult), "vae: dim_mult is not given");
  EXPECT_EQ(without(&VaeArchitecture::num_res_blocks), "vae: num_res_blocks is not given");
}

// vae/config.json of Wan-AI/Wan2.1-T2V-14B-Diffusers, its statistics shortened to z_dim 2.
TEST(VaeArchitecture, PublishedFilesAreCheckedAgainstThemselves) {
  const std::string start = R"({"_class_name": "AutoencoderKLWan", "_diffusers_version": "0.33.0", "attn_scales": [],
      "base_dim": 96, "dim_mult": [1, 2, 4, 4], "dropout": 0.0, "num_res_blocks": 2, "z_dim": 2,
      "temperal_downsample": [false, true, true])";
  EXPECT_EQ(published(start + R"(, "latents_mean": [0.1, 0.2], "latents_std": [1, 2]})").z_dim, 2);
  const auto error = [&](const std::string& more) { return error_of([&] { published(start + more + "}"); }); };
  EXPECT_EQ(error(R"(, "scale_factor_spatial": 8, "scale_factor_temporal": 4)"), "no error");
  EXPECT_THAT(error(R"(, "scale_factor_spatial": 16)"), HasSubstr("the other sizes give 8"));
  EXPECT_THAT(error(R"(, "scale_factor_temporal": 8)"), HasSubstr("the other sizes give 4"));
  EXPECT_THAT(error(R"(, "latents_mean": [0.1])"), HasSubstr("a number for each of z_dim channels"));
  EXPECT_THAT(error(R"(, "latents_std": [1, 2, 3])"), HasSubstr("a number for each of z_dim channels"));
  EXPECT_THAT(error(R"(, "shift_factor": 2)"), HasSubstr("shift_factor: unknown key"));
  EXPECT_THAT(error_of([] { published(R"({"_class_name": "AutoencoderKL"})"); }), HasSubstr("unknown value"));
}

// AutoencoderKLWan.__init__: is_residual=False, in_channels=3, out_channels=3, patch_size=None.
TEST(VaeArchitecture, WhatAPublishedFileDoesNotSayOfPatchesIsTheClassDefault) {
  const VaeArchitecture a = published("{}", wan2_2);
  EXPECT_EQ(a.dim, 160);
  EXPECT_FALSE(a.is_residual);
  EXPECT_EQ(a.in_channels, 3);
  EXPECT_EQ(a.out_channels, 3);
  EXPECT_EQ(a.patch_size, 1);
}

TEST(VaeArchitecture, IsWrittenWithTheNamesOfItsReader) {
  EXPECT_EQ(json_of(wan2_1, KeyNames::original).dump(),
            R"({"dim":96,"dec_dim":96,"z_dim":16,"dim_mult":[1,2,4,4],"num_res_blocks":2,)"
            R"("temperal_downsample":[false,true,true]})");
  const auto second = json_of(wan2_2, KeyNames::published);
  EXPECT_EQ(second["base_dim"], 160);
  EXPECT_EQ(second["decoder_base_dim"], 256);
  EXPECT_EQ(second["is_residual"], true);
  EXPECT_EQ(second["patch_size"], 2);
  EXPECT_EQ(second["in_channels"], 12);
  EXPECT_EQ(json_of(wan2_2, KeyNames::original)["patch_size"], 2);  // a constant in the official code
  EXPECT_FALSE(json_of(wan2_1, KeyNames::published).contains("patch_size"));
}

}  // namespace
}  // namespace modelmeter::wan
