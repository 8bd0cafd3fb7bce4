// The autoencoders' layers against the modules that they are twins of: Wan-Video/Wan2.1 @9737cba, wan/modules/vae.py;
// Wan2.2 @42bf4cf, wan/modules/vae2_2.py; diffusers 0.42.1, autoencoder_kl_wan.py (class names that begin with Wan, and
// AutoencoderKLWan).
//
// How a row was made: the module was built with these small sizes on fake CUDA tensors and called under
// tools/reference's recorder. "Chunks of [1, 4]" are one frame and then four of the input, through a feature cache that
// is kept. From its record: how often each kernel runs, the result, parameters, FLOPs of torch.utils.flop_counter,
// bytes read and written, and live memory above the start, highest and at the end.
#include "model/wan/vae_layers.h"

#include <gtest/gtest.h>

#include "model/wan/diffusers/vae.h"
#include "model/wan/official/autoencoder.h"
#include "testing/layers.h"

namespace modelmeter::wan {
namespace {

using testing_calls::Bench;
using testing_calls::by_matrix_products;
using testing_calls::LayerCall;

const BuildContext f32{DType::float32}, bf16{DType::bfloat16};

VaeArchitecture small() {
  VaeArchitecture a;
  a.dim = a.decoder_dim = 8;
  a.z_dim = 4;
  a.dim_mult = {1, 2, 2};
  a.num_res_blocks = 1;
  a.temporal_downsample = {false, true};
  return a;
}

VaeArchitecture small_2_2() {
  VaeArchitecture a = small();
  a.decoder_dim = 16;
  a.in_channels = a.out_channels = 12;
  a.patch_size = 2;
  a.is_residual = true;
  return a;
}

diffusers::VaeOptions tiles(int64_t height, int64_t width, int64_t stride_height, int64_t stride_width) {
  return {true, false, height, width, stride_height, stride_width};
}

// The frames of x.a, cut into chunks of these lengths, through one layer and a cache that stays with the bench.
template <class Call>
Tensor run_chunks(Bench& x, const std::vector<int64_t>& lengths, const BaseLayer& layer, Call call) {
  const auto cache = std::make_shared<FeatCache>(count_conv3d(layer));
  x.kept = cache;
  Tensor out;
  int64_t start = 0;
  for (const int64_t length : lengths) {
    cache->index = 0;
    out = call(x.a.slice(2, start, start + length), *cache, start == 0);
    start += length;
  }
  return out;
}

template <class Layer, class... Args>
Tensor chunks(Bench& x, const std::vector<int64_t>& lengths, const BuildContext& context, const Args&... args) {
  const Layer& layer = x.make<Layer>(context, args...);
  return run_chunks(x, lengths, layer,
                    [&](const Tensor& chunk, FeatCache& cache, bool) { return layer(chunk, cache); });
}
// Of layers that are told which chunk is the first.
template <class Layer, class... Args>
Tensor chunks_first(Bench& x, const std::vector<int64_t>& lengths, const BuildContext& context, const Args&... args) {
  const Layer& layer = x.make<Layer>(context, args...);
  return run_chunks(x, lengths, layer,
                    [&](const Tensor& chunk, FeatCache& cache, bool first) { return layer(chunk, cache, first); });
}

// The mean of what encode() returns, all of which stays.
Tensor encoded(Bench& x, const diffusers::AutoencoderKLWan& autoencoder) {
  const auto all = std::make_shared<diffusers::GaussianDistribution>(autoencoder.encode(x.a));
  x.kept = all;
  return all->mean;
}

class VaeLayer : public testing::TestWithParam<LayerCall> {};

TEST_P(VaeLayer, IsTheModuleThatWasRecorded) { testing_calls::expect_recorded(GetParam()); }

// clang-format off
INSTANTIATE_TEST_SUITE_P(NormsAndResamplingWithinAFrame, VaeLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"RMS_norm(8, images=False)", "f32[1,8,2,3,4]",
     [](Bench& x) { return x.make<VaeRmsNorm>(f32, official_vae_names, 8, false)(x.a); },
     "1 add, 1 clamp_min, 1 div, 1 linalg_vector_norm, 2 mul",
     "f32[1,8,2,3,4]", {8, 0, 4064, 3264, 1536, 768}},
    {"RMS_norm(8) of images", "f32[2,8,3,4]",
     [](Bench& x) { return x.make<VaeRmsNorm>(f32, official_vae_names, 8, true)(x.a); },
     "1 add, 1 clamp_min, 1 div, 1 linalg_vector_norm, 2 mul",
     "f32[2,8,3,4]", {8, 0, 4064, 3264, 1536, 768}},
    {"WanRMS_norm(8, images=False) in bf16", "bf16[1,8,2,3,4]",
     [](Bench& x) { return x.make<VaeRmsNorm>(bf16, diffusers_vae_names, 8, false)(x.a); },
     "2 _to_copy, 1 add, 1 clamp_min, 1 div, 1 linalg_vector_norm, 2 mul",
     "bf16[1,8,2,3,4]", {8, 0, 4048, 3264, 1632, 384}},
    {"WanRMS_norm(8, images=False)", "f32[1,8,2,3,4]",
     [](Bench& x) { return x.make<VaeRmsNorm>(f32, diffusers_vae_names, 8, false)(x.a); },
     "1 add, 1 clamp_min, 1 div, 1 linalg_vector_norm, 2 mul",
     "f32[1,8,2,3,4]", {8, 0, 4064, 3264, 2304, 768}},
    {"Upsample", "f32[2,8,3,4]",
     [](Bench& x) { return x.make<VaeUpsample>(UpsampleOptions{"Upsample"})(x.a); },
     "1 _upsample_nearest_exact2d",
     "f32[2,8,6,8]", {0, 0, 768, 3072, 3072, 3072}},
    {"WanUpsample in bf16", "bf16[2,8,3,4]",
     [](Bench& x) { return x.make<VaeUpsample>(UpsampleOptions{"WanUpsample"})(x.a); },
     "2 _to_copy, 1 _upsample_nearest_exact2d",
     "bf16[2,8,6,8]", {0, 0, 4224, 5376, 4608, 1536}},
    {"ZeroPad2d((0, 1, 0, 1))", "f32[2,8,3,4]",
     [](Bench& x) { return x.make<ZeroPad2d>(ZeroPadOptions{})(x.a); },
     "1 copy_, 1 fill_, 1 new_empty",
     "f32[2,8,4,5]", {0, 0, 768, 2048, 1280, 1280}},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(CausalConvolutions, VaeLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"CausalConv3d(8, 6, 3, padding=1)", "f32[1,8,2,3,4]",
     [](Bench& x) { return x.make<CausalConv3d>(f32, "CausalConv3d", conv_3x3x3(8, 6))(x.a); },
     "1 add_, 1 convolution, 1 copy_, 1 fill_, 1 new_empty",
     "f32[1,6,2,3,4]", {1302, 62208, 10392, 5760, 4416, 576}},
    {"CausalConv3d(8, 6, 1)", "f32[1,8,2,3,4]",
     [](Bench& x) { return x.make<CausalConv3d>(f32, "CausalConv3d", conv_1x1x1(8, 6))(x.a); },
     "1 add_, 1 clone, 1 convolution",
     "f32[1,6,2,3,4]", {54, 2304, 2328, 1920, 1344, 576}},
    {"CausalConv3d behind two frames", "f32[1,8,2,3,4] f32[1,8,2,3,4]",
     [](Bench& x) { return x.make<CausalConv3d>(f32, "CausalConv3d", conv_3x3x3(8, 6))(x.a, x.b); },
     "1 add_, 1 cat, 1 convolution, 1 copy_, 1 fill_, 1 new_empty",
     "f32[1,6,2,3,4]", {1302, 62208, 12696, 8064, 5376, 576}},
    {"CausalConv3d behind one frame", "f32[1,8,2,3,4] f32[1,8,1,3,4]",
     [](Bench& x) { return x.make<CausalConv3d>(f32, "CausalConv3d", conv_3x3x3(8, 6))(x.a, x.b); },
     "1 add_, 1 cat, 1 convolution, 1 copy_, 1 fill_, 1 new_empty",
     "f32[1,6,2,3,4]", {1302, 62208, 11928, 7296, 4992, 576}},
    {"CausalConv3d(8, 6, 1) has no use for what is kept", "f32[1,8,2,3,4] f32[1,8,2,3,4]",
     [](Bench& x) { return x.make<CausalConv3d>(f32, "CausalConv3d", conv_1x1x1(8, 6))(x.a, x.b); },
     "1 add_, 1 clone, 1 convolution",
     "f32[1,6,2,3,4]", {54, 2304, 2328, 1920, 1344, 576}},
    {"CausalConv3d(8, 8, (3, 1, 1), stride=(2, 1, 1))", "f32[1,8,5,3,4]",
     [](Bench& x) {
       return x.make<CausalConv3d>(f32, "CausalConv3d", CausalConvOptions{8, 8, {3, 1, 1}, {2, 1, 1}})(x.a);
     },
     "1 add_, 1 clone, 1 convolution",
     "f32[1,8,2,3,4]", {200, 9216, 5408, 3456, 2688, 768}},
    {"CausalConv3d(8, 16, (3, 1, 1), padding=(1, 0, 0))", "f32[1,8,1,3,4]",
     [](Bench& x) {
       return x.make<CausalConv3d>(f32, "CausalConv3d", CausalConvOptions{8, 16, {3, 1, 1}, {1, 1, 1}, {1, 0, 0}})(x.a);
     },
     "1 add_, 1 convolution, 1 copy_, 1 fill_, 1 new_empty",
     "f32[1,16,1,3,4]", {400, 9216, 3904, 3072, 1920, 768}},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(ResamplingChunkByChunk, VaeLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"Resample(8, 'upsample2d'), chunks of [2]", "f32[1,8,2,4,6]",
     [](Bench& x) { return chunks<VaeResample>(x, {2}, f32, official_vae_names, 8, 4, ResampleMode::upsample2d); },
     "1 _upsample_nearest_exact2d, 1 add_, 1 clone, 1 convolution",
     "f32[1,4,2,8,12]{-,96,384,12,1}", {292, 110592, 13456, 13824, 9216, 3072}},
    {"Resample(8, 'upsample3d'), chunks of [1]", "f32[1,8,1,4,6]",
     [](Bench& x) { return chunks<VaeResample>(x, {1}, f32, official_vae_names, 8, 4, ResampleMode::upsample3d); },
     "1 _upsample_nearest_exact2d, 1 add_, 1 convolution",
     "f32[1,4,1,8,12]", {692, 55296, 6544, 6144, 4608, 1536}},
    {"Resample(8, 'upsample3d'), chunks of [1, 1]", "f32[1,8,2,4,6]",
     [](Bench& x) { return chunks<VaeResample>(x, {1, 1}, f32, official_vae_names, 8, 4, ResampleMode::upsample3d); },
     "2 _upsample_nearest_exact2d, 3 add_, 1 cat, 3 clone, 3 convolution, 1 copy_, 1 fill_, 1 new_empty, 1 stack, 1 "
     "zeros_like",
     "f32[1,4,2,8,12]{-,96,384,12,1}", {692, 184320, 30816, 31488, 13824, 4608}},
    {"Resample(8, 'upsample3d'), chunks of [1, 1, 1]", "f32[1,8,3,4,6]",
     [](Bench& x) {
       return chunks<VaeResample>(x, {1, 1, 1}, f32, official_vae_names, 8, 4, ResampleMode::upsample3d);
     },
     "3 _upsample_nearest_exact2d, 5 add_, 3 cat, 6 clone, 5 convolution, 1 copy_, 1 fill_, 1 new_empty, 2 stack, 1 "
     "zeros_like",
     "f32[1,4,2,8,12]{-,96,384,12,1}", {692, 313344, 58160, 56832, 15360, 4608}},
    {"Resample(8, 'downsample2d'), chunks of [2]", "f32[1,8,2,4,6]",
     [](Bench& x) { return chunks<VaeResample>(x, {2}, f32, official_vae_names, 8, 8, ResampleMode::downsample2d); },
     "1 add_, 1 convolution, 1 copy_, 1 fill_, 1 new_empty",
     "f32[1,8,2,2,3]{-,6,48,3,1}", {584, 13824, 6496, 4544, 2624, 384}},
    {"Resample(8, 'downsample3d'), chunks of [1]", "f32[1,8,1,4,6]",
     [](Bench& x) { return chunks<VaeResample>(x, {1}, f32, official_vae_names, 8, 8, ResampleMode::downsample3d); },
     "1 add_, 1 clone, 1 convolution, 1 copy_, 1 fill_, 1 new_empty",
     "f32[1,8,1,2,3]", {784, 6912, 4608, 2464, 1312, 384}},
    {"Resample(8, 'downsample3d'), chunks of [1, 4]", "f32[1,8,5,4,6]",
     [](Bench& x) {
       return chunks<VaeResample>(x, {1, 4}, f32, official_vae_names, 8, 8, ResampleMode::downsample3d);
     },
     "3 add_, 1 cat, 3 clone, 3 convolution, 2 copy_, 2 fill_, 2 new_empty",
     "f32[1,8,2,2,3]", {784, 39168, 19520, 14432, 5632, 576}},
    {"Resample(8, 'downsample3d'), chunks of [1, 4, 4]", "f32[1,8,9,4,6]",
     [](Bench& x) {
       return chunks<VaeResample>(x, {1, 4, 4}, f32, official_vae_names, 8, 8, ResampleMode::downsample3d);
     },
     "5 add_, 2 cat, 5 clone, 5 convolution, 3 copy_, 3 fill_, 3 new_empty",
     "f32[1,8,2,2,3]", {784, 71424, 34432, 26400, 5824, 576}},
    {"WanResample(8, 'upsample3d', upsample_out_dim=8) in bf16", "bf16[1,8,2,4,6]",
     [](Bench& x) {
       return chunks<VaeResample>(x, {1, 1}, bf16, diffusers_vae_names, 8, 8, ResampleMode::upsample3d);
     },
     "4 _to_copy, 2 _upsample_nearest_exact2d, 3 add_, 1 cat, 2 clone, 3 convolution, 1 copy_, 1 fill_, 1 "
     "new_empty, 1 stack, 1 zeros_like",
     "bf16[1,8,2,8,12]{-,96,768,12,1}", {984, 350208, 30784, 32256, 12288, 3840}},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(ResidualBlocks, VaeLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"ResidualBlock(8, 8), chunks of [1]", "f32[1,8,1,3,4]",
     [](Bench& x) { return chunks<official::ResidualBlock>(x, {1}, f32, 8, 8); },
     "3 add, 2 add_, 2 clamp_min, 2 clone, 2 convolution, 2 copy_, 2 div, 2 fill_, 2 linalg_vector_norm, 4 mul, 2 "
     "new_empty, 2 silu",
     "f32[1,8,1,3,4]", {3488, 82944, 27584, 13248, 4416, 1152}},
    {"ResidualBlock(8, 8), chunks of [1, 1]", "f32[1,8,2,3,4]",
     [](Bench& x) { return chunks<official::ResidualBlock>(x, {1, 1}, f32, 8, 8); },
     "6 add, 4 add_, 4 cat, 4 clamp_min, 4 clone, 4 convolution, 4 copy_, 4 div, 4 fill_, 4 linalg_vector_norm, 8 "
     "mul, 4 new_empty, 4 silu",
     "f32[1,8,1,3,4]", {3488, 165888, 59008, 30336, 6336, 1920}},
    {"ResidualBlock(8, 8), chunks of [1, 1, 1]", "f32[1,8,3,3,4]",
     [](Bench& x) { return chunks<official::ResidualBlock>(x, {1, 1, 1}, f32, 8, 8); },
     "9 add, 6 add_, 8 cat, 6 clamp_min, 6 clone, 6 convolution, 6 copy_, 6 div, 6 fill_, 6 linalg_vector_norm, 12 "
     "mul, 6 new_empty, 6 silu",
     "f32[1,8,1,3,4]", {3488, 248832, 91968, 48960, 7104, 1920}},
    {"ResidualBlock(8, 8), chunks of [1, 4]", "f32[1,8,5,3,4]",
     [](Bench& x) { return chunks<official::ResidualBlock>(x, {1, 4}, f32, 8, 8); },
     "6 add, 4 add_, 2 cat, 4 clamp_min, 4 clone, 4 convolution, 4 copy_, 4 div, 4 fill_, 4 linalg_vector_norm, 8 "
     "mul, 4 new_empty, 4 silu",
     "f32[1,8,4,3,4]", {3488, 414720, 87616, 57792, 11520, 3072}},
    {"ResidualBlock(8, 6)", "f32[1,8,2,3,4]",
     [](Bench& x) { return chunks<official::ResidualBlock>(x, {1, 1}, f32, 8, 6); },
     "6 add, 6 add_, 4 cat, 4 clamp_min, 6 clone, 6 convolution, 4 copy_, 4 div, 4 fill_, 4 linalg_vector_norm, 8 "
     "mul, 4 new_empty, 4 silu",
     "f32[1,6,1,3,4]", {2348, 111168, 47776, 28032, 6048, 1632}},
    {"WanResidualBlock(8, 8) in bf16", "bf16[1,8,2,3,4]",
     [](Bench& x) { return chunks<diffusers::WanResidualBlock>(x, {1, 1}, bf16, 8, 8); },
     "8 _to_copy, 6 add, 4 add_, 4 cat, 4 clamp_min, 4 clone, 4 convolution, 4 copy_, 4 div, 4 fill_, 4 "
     "linalg_vector_norm, 8 mul, 4 new_empty, 4 silu",
     "bf16[1,8,1,3,4]", {3488, 165888, 33536, 18432, 3168, 960}},
    {"WanResidualBlock(8, 6)", "f32[1,8,2,3,4]",
     [](Bench& x) { return chunks<diffusers::WanResidualBlock>(x, {1, 1}, f32, 8, 6); },
     "6 add, 6 add_, 4 cat, 4 clamp_min, 6 clone, 6 convolution, 4 copy_, 4 div, 4 fill_, 4 linalg_vector_norm, 8 "
     "mul, 4 new_empty, 4 silu",
     "f32[1,6,1,3,4]", {2348, 111168, 47776, 28032, 6048, 1632}},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(Attention, VaeLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"AttentionBlock(8)", "f32[1,8,2,3,4]",
     [](Bench& x) { return x.make<VaeAttentionBlock>(f32, official_vae_names, 8)(x.a); },
     "1 _scaled_dot_product_efficient_attention, 2 add, 2 add_, 1 clamp_min, 2 clone, 2 convolution, 1 div, 1 "
     "linalg_vector_norm, 2 mul",
     "f32[1,8,2,3,4]{-,1,96,32,8}", {296, 21504, 16736, 14032, 5376, 768}},
    {"WanAttentionBlock(8) in bf16", "bf16[2,8,1,3,4]",
     [](Bench& x) { return x.make<VaeAttentionBlock>(bf16, diffusers_vae_names, 8)(x.a); },
     "1 _scaled_dot_product_flash_attention, 2 _to_copy, 2 add, 2 add_, 1 clamp_min, 1 clone, 2 convolution, 1 div, "
     "1 linalg_vector_norm, 2 mul",
     "bf16[2,8,1,3,4]{96,1,-,32,8}", {296, 21504, 10000, 8376, 2688, 384}},
    {"WanAttentionBlock(8) by matrix products", "f32[1,8,1,3,4]",
     [](Bench& x) { return x.make<VaeAttentionBlock>(f32, diffusers_vae_names, 8)(x.a); },
     "1 _softmax, 2 add, 2 add_, 1 all, 2 bmm, 1 clamp_min, 1 clone, 2 convolution, 1 div, 1 eq, 1 "
     "linalg_vector_norm, 4 mul, 1 where, 1 zeros",
     "f32[1,8,1,3,4]{-,1,-,32,8}", {296, 10752, 11808, 9280, 3664, 384}, by_matrix_products()},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(Wan22sShortcutsAndPatches, VaeLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"AvgDown3D(8, 16, 2, 2)", "f32[1,8,3,4,6]",
     [](Bench& x) { return x.make<AvgDown3D>(ShortcutOptions{8, 16, 2, 2})(x.a); },
     "1 clone, 1 copy_, 1 fill_, 1 mean, 1 new_empty",
     "f32[1,16,2,2,3]", {0, 0, 8448, 9216, 6144, 768}},
    {"AvgDown3D(8, 16, 1, 2)", "f32[1,8,2,4,6]",
     [](Bench& x) { return x.make<AvgDown3D>(ShortcutOptions{8, 16, 1, 2})(x.a); },
     "2 clone, 1 mean",
     "f32[1,16,2,2,3]", {0, 0, 4608, 3840, 3072, 768}},
    {"AvgDown3D(8, 8, 1)", "f32[1,8,2,4,6]",
     [](Bench& x) { return x.make<AvgDown3D>(ShortcutOptions{8, 8, 1, 1})(x.a); },
     "1 clone, 1 mean",
     "f32[1,8,2,4,6]", {0, 0, 3072, 3072, 3072, 1536}},
    {"DupUp3D(8, 4, 2, 2), first chunk", "f32[1,8,1,4,6]",
     [](Bench& x) { return x.make<DupUp3D>(ShortcutOptions{8, 4, 2, 2})(x.a, true); },
     "2 clone",
     "f32[1,4,1,8,12]{-,192,-,12,1}", {0, 0, 3840, 6144, 6144, 3072}},
    {"DupUp3D(8, 4, 2, 2)", "f32[1,8,2,4,6]",
     [](Bench& x) { return x.make<DupUp3D>(ShortcutOptions{8, 4, 2, 2})(x.a, false); },
     "2 clone",
     "f32[1,4,4,8,12]", {0, 0, 7680, 12288, 12288, 6144}},
    {"DupUp3D(8, 8, 1, 2)", "f32[1,8,2,4,6]",
     [](Bench& x) { return x.make<DupUp3D>(ShortcutOptions{8, 8, 1, 2})(x.a, false); },
     "2 clone",
     "f32[1,8,2,8,12]", {0, 0, 7680, 12288, 12288, 6144}},
    {"patchify(2)", "f32[1,3,2,4,6]",
     [](Bench& x) { return patchify(x.a, 2); },
     "1 clone",
     "f32[1,12,2,2,3]", {0, 0, 576, 576, 576, 576}},
    {"patchify(1)", "f32[1,3,2,4,6]",
     [](Bench& x) { return patchify(x.a, 1); },
     "",
     "f32[1,3,2,4,6]", {0, 0, 0, 0, 0, 0}},
    {"unpatchify(2)", "f32[1,12,2,2,3]",
     [](Bench& x) { return unpatchify(x.a, 2); },
     "1 clone",
     "f32[1,3,2,4,6]", {0, 0, 576, 576, 576, 576}},
    {"Down_ResidualBlock(8, 16), in time too", "f32[1,8,5,4,6]",
     [](Bench& x) { return chunks<official::DownResidualBlock>(x, {1, 4}, f32, 8, 16, 2, true, true); },
     "14 add, 13 add_, 5 cat, 8 clamp_min, 18 clone, 13 convolution, 11 copy_, 8 div, 11 fill_, 8 "
     "linalg_vector_norm, 2 mean, 16 mul, 11 new_empty, 8 silu",
     "f32[1,16,2,2,3]", {27560, 5993472, 678592, 451264, 54528, 11904}},
    {"Down_ResidualBlock(8, 8), the last", "f32[1,8,2,4,6]",
     [](Bench& x) { return chunks<official::DownResidualBlock>(x, {1, 1}, f32, 8, 8, 2, false, false); },
     "14 add, 8 add_, 8 cat, 8 clamp_min, 12 clone, 8 convolution, 8 copy_, 8 div, 8 fill_, 8 linalg_vector_norm, 2 "
     "mean, 16 mul, 8 new_empty, 8 silu",
     "f32[1,8,1,4,6]", {6976, 663552, 178688, 118272, 16128, 6912}},
    {"Up_ResidualBlock(16, 8), in time too", "f32[1,16,3,4,6]",
     [](Bench& x) { return chunks_first<official::UpResidualBlock>(x, {1, 1, 1}, f32, 16, 8, 2, true, true); },
     "3 _upsample_nearest_exact2d, 21 add, 20 add_, 19 cat, 12 clamp_min, 29 clone, 20 convolution, 13 copy_, 12 "
     "div, 13 fill_, 12 linalg_vector_norm, 24 mul, 13 new_empty, 12 silu, 2 stack, 1 zeros_like",
     "f32[1,8,2,8,12]{-,96,768,12,1}", {9832, 1852416, 472736, 358656, 36096, 15360}},
    {"Up_ResidualBlock(8, 8), the last", "f32[1,8,2,4,6]",
     [](Bench& x) { return chunks_first<official::UpResidualBlock>(x, {1, 1}, f32, 8, 8, 2, false, false); },
     "12 add, 8 add_, 8 cat, 8 clamp_min, 10 clone, 8 convolution, 8 copy_, 8 div, 8 fill_, 8 linalg_vector_norm, "
     "16 mul, 8 new_empty, 8 silu",
     "f32[1,8,1,4,6]", {6976, 663552, 172544, 113664, 15360, 6912}},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(CodersChunkByChunk, VaeLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"Encoder3d", "f32[1,3,5,16,16]",
     [](Bench& x) { return chunks<official::Encoder3d>(x, {1, 4}, f32, small()); },
     "2 _scaled_dot_product_efficient_attention, 36 add, 35 add_, 13 cat, 24 clamp_min, 33 clone, 35 convolution, "
     "28 copy_, 24 div, 28 fill_, 24 linalg_vector_norm, 48 mul, 28 new_empty, 22 silu",
     "f32[1,8,2,4,4]", {64648, 22470656, 2801680, 2283056, 230656, 67584}},
    {"Decoder3d", "f32[1,4,3,4,4]",
     [](Bench& x) { return chunks<official::Decoder3d>(x, {1, 1, 1}, f32, small()); },
     "3 _scaled_dot_product_efficient_attention, 6 _upsample_nearest_exact2d, 81 add, 71 add_, 57 cat, 54 "
     "clamp_min, 69 clone, 71 convolution, 55 copy_, 54 div, 55 fill_, 54 linalg_vector_norm, 108 mul, 55 "
     "new_empty, 51 silu, 2 stack, 1 zeros_like",
     "f32[1,3,2,16,16]", {94379, 44324864, 6137156, 4895216, 259072, 135680}},
    {"WanEncoder3d", "f32[1,3,5,16,16]",
     [](Bench& x) { return chunks<diffusers::WanEncoder3d>(x, {1, 4}, f32, small()); },
     "2 _scaled_dot_product_efficient_attention, 36 add, 35 add_, 13 cat, 24 clamp_min, 33 clone, 35 convolution, "
     "28 copy_, 24 div, 28 fill_, 24 linalg_vector_norm, 48 mul, 28 new_empty, 22 silu",
     "f32[1,8,2,4,4]", {64648, 22470656, 2801680, 2283056, 230656, 67584}},
    {"WanDecoder3d", "f32[1,4,3,4,4]",
     [](Bench& x) { return chunks_first<diffusers::WanDecoder3d>(x, {1, 1, 1}, f32, small()); },
     "3 _scaled_dot_product_efficient_attention, 6 _upsample_nearest_exact2d, 81 add, 71 add_, 57 cat, 54 "
     "clamp_min, 69 clone, 71 convolution, 55 copy_, 54 div, 55 fill_, 54 linalg_vector_norm, 108 mul, 55 "
     "new_empty, 51 silu, 2 stack, 1 zeros_like",
     "f32[1,3,2,16,16]", {94379, 44324864, 6137156, 4895216, 275456, 135680}},
    {"WanVAE.decode of two samples", "f32[4,3,4,4] f32[4] f32[4]",
     [](Bench& x) {
       const TensorList videos = x.make<official::WanVAE>(f32, small()).decode({x.a, x.a});
       x.d = videos[1];
       return videos[0];
     },
     "6 _scaled_dot_product_efficient_attention, 12 _upsample_nearest_exact2d, 164 add, 144 add_, 118 cat, 2 "
     "clamp_, 108 clamp_min, 140 clone, 144 convolution, 110 copy_, 110 div, 110 fill_, 108 linalg_vector_norm, 216 "
     "mul, 110 new_empty, 102 silu, 4 stack, 2 zeros_like",
     "f32[3,5,16,16]", {159119, 88652800, 12362088, 9877984, 285184, 30720}},
    {"WanVAE.encode, a frame too many", "f32[3,6,16,16] f32[4] f32[4]",
     [](Bench& x) { return x.make<official::WanVAE>(f32, small()).encode({x.a})[0]; },
     "2 _scaled_dot_product_efficient_attention, 36 add, 36 add_, 14 cat, 24 clamp_min, 34 clone, 36 convolution, "
     "28 copy_, 24 div, 28 fill_, 24 linalg_vector_norm, 49 mul, 28 new_empty, 22 silu, 1 sub",
     "f32[4,3,4,4]", {159119, 22476800, 2809680, 2290736, 230656, 768}},
    {"Wan2_2_VAE.decode", "f32[4,3,4,4] f32[4] f32[4]",
     [](Bench& x) { return x.make<official::WanVAE>(f32, small_2_2()).decode({x.a})[0]; },
     "3 _scaled_dot_product_efficient_attention, 6 _upsample_nearest_exact2d, 88 add, 72 add_, 59 cat, 1 clamp_, 54 "
     "clamp_min, 92 clone, 72 convolution, 55 copy_, 55 div, 55 fill_, 54 linalg_vector_norm, 108 mul, 55 "
     "new_empty, 51 silu, 2 stack, 1 zeros_like",
     "f32[3,5,32,32]", {472120, 225777152, 17791232, 12608752, 954368, 61440}},
    {"Wan2_2_VAE.encode", "f32[3,5,32,32] f32[4] f32[4]",
     [](Bench& x) { return x.make<official::WanVAE>(f32, small_2_2()).encode({x.a})[0]; },
     "2 _scaled_dot_product_efficient_attention, 42 add, 36 add_, 14 cat, 24 clamp_min, 50 clone, 36 convolution, "
     "29 copy_, 24 div, 29 fill_, 24 linalg_vector_norm, 6 mean, 49 mul, 29 new_empty, 22 silu, 1 sub",
     "f32[4,3,4,4]", {472120, 27453440, 3371552, 2784832, 343296, 768}},
    {"AutoencoderKLWan.decode", "f32[2,4,3,4,4]",
     [](Bench& x) { return x.make<diffusers::AutoencoderKLWan>(f32, small()).decode(x.a); },
     "3 _scaled_dot_product_efficient_attention, 6 _upsample_nearest_exact2d, 81 add, 72 add_, 59 cat, 1 clamp, 54 "
     "clamp_min, 70 clone, 72 convolution, 55 copy_, 54 div, 55 fill_, 54 linalg_vector_norm, 108 mul, 55 "
     "new_empty, 51 silu, 2 stack, 1 zeros_like",
     "f32[2,3,5,16,16]", {159119, 88652800, 11232596, 9874864, 570880, 30720}},
    {"AutoencoderKLWan.encode in bf16", "bf16[1,3,5,16,16]",
     [](Bench& x) { return encoded(x, x.make<diffusers::AutoencoderKLWan>(bf16, small())); },
     "2 _scaled_dot_product_flash_attention, 48 _to_copy, 36 add, 36 add_, 14 cat, 1 clamp, 24 clamp_min, 34 clone, "
     "36 convolution, 28 copy_, 24 div, 2 exp, 28 fill_, 24 linalg_vector_norm, 49 mul, 28 new_empty, 22 silu",
     "bf16[1,4,3,4,4]", {159119, 22476800, 1762968, 1435128, 125184, 1920}},
    {"AutoencoderKLWan(is_residual).decode", "f32[1,4,3,4,4]",
     [](Bench& x) { return x.make<diffusers::AutoencoderKLWan>(f32, small_2_2()).decode(x.a); },
     "3 _scaled_dot_product_efficient_attention, 6 _upsample_nearest_exact2d, 87 add, 72 add_, 59 cat, 1 clamp, 54 "
     "clamp_min, 92 clone, 72 convolution, 55 copy_, 54 div, 55 fill_, 54 linalg_vector_norm, 108 mul, 55 "
     "new_empty, 51 silu, 2 stack, 1 zeros_like",
     "f32[1,3,5,32,32]", {472120, 225777152, 17789664, 12607216, 953600, 61440}},
    {"AutoencoderKLWan(is_residual).encode", "f32[1,3,5,32,32]",
     [](Bench& x) { return encoded(x, x.make<diffusers::AutoencoderKLWan>(f32, small_2_2())); },
     "2 _scaled_dot_product_efficient_attention, 42 add, 36 add_, 14 cat, 1 clamp, 24 clamp_min, 50 clone, 36 "
     "convolution, 29 copy_, 24 div, 2 exp, 29 fill_, 24 linalg_vector_norm, 6 mean, 49 mul, 29 new_empty, 22 silu",
     "f32[1,4,3,4,4]", {472120, 27453440, 3373056, 2786368, 343296, 3840}},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(SlicesAndTiles, VaeLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"slices: decode", "f32[2,4,2,4,4]",
     [](Bench& x) {
       diffusers::VaeOptions o;
       o.slicing = true;
       return x.make<diffusers::AutoencoderKLWan>(f32, small(), o).decode(x.a);
     },
     "4 _scaled_dot_product_efficient_attention, 8 _upsample_nearest_exact2d, 108 add, 96 add_, 59 cat, 2 clamp, 72 "
     "clamp_min, 90 clone, 96 convolution, 74 copy_, 72 div, 74 fill_, 72 linalg_vector_norm, 144 mul, 74 "
     "new_empty, 68 silu, 2 stack, 2 zeros_like",
     "f32[2,3,3,16,16]", {159119, 53921792, 7418192, 5783360, 257536, 18432}},
    {"slices: encode", "f32[2,3,5,16,16]",
     [](Bench& x) {
       diffusers::VaeOptions o;
       o.slicing = true;
       return encoded(x, x.make<diffusers::AutoencoderKLWan>(f32, small(), o));
     },
     "4 _scaled_dot_product_efficient_attention, 72 add, 72 add_, 29 cat, 1 clamp, 48 clamp_min, 68 clone, 72 "
     "convolution, 56 copy_, 48 div, 2 exp, 56 fill_, 48 linalg_vector_norm, 97 mul, 56 new_empty, 44 silu",
     "f32[2,4,3,4,4]{384,48,16,4,1}", {159119, 44953600, 5625440, 4587616, 232192, 7680}},
    {"tiles of 16, every 12: decode", "f32[1,4,3,10,13]",
     [](Bench& x) { return x.make<diffusers::AutoencoderKLWan>(f32, small(), tiles(16, 16, 12, 12)).decode(x.a); },
     "60 _scaled_dot_product_efficient_attention, 120 _upsample_nearest_exact2d, 1744 add, 1480 add_, 1165 cat, 1 "
     "clamp, 1080 clamp_min, 1437 clone, 1480 convolution, 1224 copy_, 1080 div, 1100 fill_, 1080 "
     "linalg_vector_norm, 2408 mul, 1100 new_empty, 1020 silu, 40 stack, 20 zeros_like",
     "f32[1,3,5,40,52]", {159119, 612191008, 93829864, 69603352, 587520, 124800}},
    {"tiles of 16, every 12: encode", "f32[1,3,5,40,52]",
     [](Bench& x) { return encoded(x, x.make<diffusers::AutoencoderKLWan>(f32, small(), tiles(16, 16, 12, 12))); },
     "40 _scaled_dot_product_efficient_attention, 751 add, 740 add_, 285 cat, 1 clamp, 480 clamp_min, 698 clone, "
     "740 convolution, 591 copy_, 480 div, 2 exp, 560 fill_, 480 linalg_vector_norm, 1023 mul, 560 new_empty, 440 "
     "silu",
     "f32[1,4,3,10,13]", {159119, 310393408, 42563744, 32198368, 248320, 31200}},
    {"tiles of 16 x 24, every 8 x 20: decode", "f32[1,4,3,10,13]",
     [](Bench& x) { return x.make<diffusers::AutoencoderKLWan>(f32, small(), tiles(16, 24, 8, 20)).decode(x.a); },
     "45 _scaled_dot_product_efficient_attention, 90 _upsample_nearest_exact2d, 1351 add, 1110 add_, 876 cat, 1 "
     "clamp, 810 clamp_min, 1080 clone, 1110 convolution, 961 copy_, 810 div, 825 fill_, 810 linalg_vector_norm, "
     "1892 mul, 825 new_empty, 765 silu, 30 stack, 15 zeros_like",
     "f32[1,3,5,40,52]", {159119, 748236096, 102609660, 83610240, 639360, 124800}},
    {"tiles of 16 x 24, every 8 x 20: encode", "f32[1,3,5,40,52]",
     [](Bench& x) { return encoded(x, x.make<diffusers::AutoencoderKLWan>(f32, small(), tiles(16, 24, 8, 20))); },
     "30 _scaled_dot_product_efficient_attention, 574 add, 555 add_, 216 cat, 1 clamp, 360 clamp_min, 525 clone, "
     "555 convolution, 454 copy_, 360 div, 2 exp, 420 fill_, 360 linalg_vector_norm, 789 mul, 420 new_empty, 330 "
     "silu",
     "f32[1,4,3,10,13]", {159119, 379524096, 46416720, 38605104, 362112, 31200}},
    {"tiles as large as the picture: decode", "f32[1,4,3,4,6]",
     [](Bench& x) { return x.make<diffusers::AutoencoderKLWan>(f32, small(), tiles(16, 24, 12, 20)).decode(x.a); },
     "3 _scaled_dot_product_efficient_attention, 6 _upsample_nearest_exact2d, 81 add, 72 add_, 59 cat, 1 clamp, 54 "
     "clamp_min, 70 clone, 72 convolution, 55 copy_, 54 div, 55 fill_, 54 linalg_vector_norm, 108 mul, 55 "
     "new_empty, 51 silu, 2 stack, 1 zeros_like",
     "f32[1,3,5,16,24]", {159119, 66526464, 8621204, 7321328, 425856, 23040}},
    {"tiles as large as the picture: encode", "f32[1,3,5,16,24]",
     [](Bench& x) { return encoded(x, x.make<diffusers::AutoencoderKLWan>(f32, small(), tiles(16, 24, 12, 20))); },
     "2 _scaled_dot_product_efficient_attention, 36 add, 36 add_, 14 cat, 1 clamp, 24 clamp_min, 34 clone, 36 "
     "convolution, 28 copy_, 24 div, 2 exp, 28 fill_, 24 linalg_vector_norm, 49 mul, 28 new_empty, 22 silu",
     "f32[1,4,3,4,6]", {159119, 33752064, 3917040, 3395824, 342528, 5760}},
}));
// clang-format on

}  // namespace
}  // namespace modelmeter::wan
