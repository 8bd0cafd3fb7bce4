#include "model/wan/vae_architecture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/yaml.h"
#include "model/wan/diffusers/vae.h"
#include "model/wan/official/autoencoder.h"

namespace modelmeter::wan {
namespace {

using testing::HasSubstr;
using Ints = std::vector<int64_t>;
using Bools = std::vector<bool>;

VaeArchitecture read(const std::string& text, KeyNames names, VaeArchitecture a = {}) {
  const config::Node node = config::parse_yaml(text, "vae.yaml");
  read_architecture(config::View(node, "vae"), names, a);
  return a;
}

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
  EXPECT_EQ(official::WanVAE(f32, {}).parameter_count(), 126'892'531);
  EXPECT_EQ(official::WanVAE(f32, VaeArchitecture::wan2_2()).parameter_count(), 704'688'668);
  EXPECT_EQ(diffusers::AutoencoderKLWan(f32, {}).parameter_count(), 126'892'531);
  EXPECT_EQ(diffusers::AutoencoderKLWan(f32, VaeArchitecture::wan2_2()).parameter_count(), 704'688'668);
}

// Each level but the last halves the sides; patches of 2 halve them once more.
TEST(VaeArchitecture, CompressesByItsLevels) {
  VaeArchitecture a;
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
      read("{dim: 32, z_dim: 8, dim_mult: [1, 3], num_res_blocks: 1, temperal_downsample: [true]}", KeyNames::original);
  const VaeArchitecture theirs = read(
      "{base_dim: 32, z_dim: 8, dim_mult: [1, 3], num_res_blocks: 1, temperal_downsample: [true], patch_size: 2,"
      " in_channels: 12, out_channels: 13, decoder_base_dim: 48}",
      KeyNames::published);
  for (const VaeArchitecture& a : {ours, theirs}) {
    EXPECT_EQ(a.dim, 32);
    EXPECT_EQ(a.z_dim, 8);
    EXPECT_EQ(a.dim_mult, (Ints{1, 3}));
    EXPECT_EQ(a.num_res_blocks, 1);
    EXPECT_EQ(a.temporal_downsample, (Bools{true}));
  }
  EXPECT_EQ(ours.decoder_dim, 32);  // Wan2.1's has one width
  EXPECT_EQ(theirs.decoder_dim, 48);
  EXPECT_EQ(theirs.patch_size, 2);
  EXPECT_EQ(theirs.in_channels, 12);
  EXPECT_EQ(theirs.out_channels, 13);
}

TEST(VaeArchitecture, IsResidualStartsFromTheOtherGeneration) {
  const VaeArchitecture second = read("{is_residual: true, dim: 80}", KeyNames::original);
  EXPECT_EQ(second.dim, 80);
  EXPECT_EQ(second.decoder_dim, 256);
  EXPECT_EQ(second.z_dim, 48);
  const VaeArchitecture first = read("{is_residual: false}", KeyNames::original, VaeArchitecture::wan2_2());
  EXPECT_EQ(first.dim, 96);
  EXPECT_EQ(first.z_dim, 16);
  EXPECT_EQ(read("{is_residual: true, dec_dim: 64}", KeyNames::original).decoder_dim, 64);
}

TEST(VaeArchitecture, SizesThatDoNotGoTogetherAreErrors) {
  const auto error = [](const std::string& text) { return error_of([&] { read(text, KeyNames::original); }); };
  EXPECT_THAT(error("{dim: 0}"), HasSubstr("vae.dim: expected a number above 0"));
  EXPECT_THAT(error("{dec_dim: 64}"), HasSubstr("has one width, dim"));
  EXPECT_EQ(error("{dim: 64, dec_dim: 64}"), "no error");
  EXPECT_THAT(error("{dim_mult: []}"), HasSubstr("at least one level"));
  EXPECT_THAT(error("{dim_mult: [1, 0, 4, 4]}"), HasSubstr("numbers above 0"));
  EXPECT_THAT(error("{dim_mult: [1, 2]}"), HasSubstr("a value for each level of dim_mult but the last"));
  EXPECT_THAT(error("{dim: 1000000, dim_mult: [1, 2147, 4, 2148]}"),
              HasSubstr("a level of more than 2147483647 channels"));
  EXPECT_THAT(error("{num_res_blocks: 10001}"), HasSubstr("at most 10000"));
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

TEST(VaeArchitecture, APublishedFileWithoutIsResidualIsTheFirstGeneration) {
  EXPECT_EQ(published("{}", VaeArchitecture::wan2_2()).dim, 96);
  EXPECT_EQ(published(R"({"is_residual": true})").dim, 160);
}

TEST(VaeArchitecture, IsWrittenWithTheNamesOfItsReader) {
  EXPECT_EQ(json_of(VaeArchitecture(), KeyNames::original).dump(),
            R"({"dim":96,"dec_dim":96,"z_dim":16,"dim_mult":[1,2,4,4],"num_res_blocks":2,)"
            R"("temperal_downsample":[false,true,true]})");
  const auto second = json_of(VaeArchitecture::wan2_2(), KeyNames::published);
  EXPECT_EQ(second["base_dim"], 160);
  EXPECT_EQ(second["decoder_base_dim"], 256);
  EXPECT_EQ(second["is_residual"], true);
  EXPECT_EQ(second["patch_size"], 2);
  EXPECT_EQ(second["in_channels"], 12);
  EXPECT_FALSE(json_of(VaeArchitecture::wan2_2(), KeyNames::original).contains("patch_size"));
}

}  // namespace
}  // namespace modelmeter::wan
