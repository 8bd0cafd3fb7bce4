// diffusers' layers against the modules that they are twins of: diffusers 0.42.1, models/transformers/
// {transformer_wan,transformer_wan_vace}.py, in bfloat16 but for what _keep_in_fp32_modules names.
//
// How a row was made: the module was built with these small sizes on fake CUDA tensors and called under
// tools/reference's recorder. From its record: how often each kernel runs, the result, parameters, FLOPs of
// torch.utils.flop_counter, bytes read and written, and live memory above the start, highest and at the end.
#include "testing/layers.h"

#include <gtest/gtest.h>

#include "model/wan/diffusers/dit.h"
#include "model/wan/diffusers/vace.h"

namespace modelmeter::wan::diffusers {
namespace {

using testing_calls::Bench;
using testing_calls::by_matrix_products;
using testing_calls::LayerCall;

const BuildContext bf16{DType::bfloat16};

Architecture small() {
  Architecture a;
  a.dim = 32;
  a.ffn_dim = 48;
  a.num_heads = 4;
  a.num_layers = 2;
  a.freq_dim = 16;
  a.text_dim = 24;
  a.text_len = 16;
  return a;
}

Architecture with_image() {
  Architecture a = small();
  a.image_dim = 20;
  return a;
}

// All that it returns stays.
Tensor condition(Bench& x, const Architecture& a, const Tensor& image, int64_t tokens) {
  const auto all = std::make_shared<WanTimeTextImageEmbedding::Result>(
      x.make<WanTimeTextImageEmbedding>(bf16, a)(x.a, x.b, image, tokens));
  x.kept = all;
  return all->temb;
}

Tensor block(Bench& x, const Architecture& a) {
  const RotaryEmbedding rotary{x.d, x.e};
  return x.make<WanTransformerBlock>(bf16, a)(x.a, x.b, x.c, rotary);
}

Tensor vace_block(Bench& x, bool first) {
  Tracer& tracer = Tracer::current();
  const Shape sizes{1, 12, 1, 8};
  const RotaryEmbedding rotary{tracer.input(sizes, DType::float32), tracer.input(sizes, DType::float32)};
  auto [hint, control] = x.make<WanVACETransformerBlock>(bf16, small(), first)(x.a, x.b, x.c, x.d, rotary);
  x.e = control;  // both are returned
  return hint;
}

Tensor model(Bench& x, const Architecture& a) {
  DiTInputs in{x.a, x.b, x.c, x.d, Tensor()};
  return x.make<WanTransformer3DModel>(bf16, a)(in);
}

Tensor vace_model(Bench& x, const Architecture& a) {
  DiTInputs in{x.a, x.b, x.c, Tensor(), x.d};
  return x.make<WanVACETransformer3DModel>(bf16, a)(in);
}

class DiffusersLayer : public testing::TestWithParam<LayerCall> {};

TEST_P(DiffusersLayer, IsTheModuleThatWasRecorded) { testing_calls::expect_recorded(GetParam()); }

// clang-format off
INSTANTIATE_TEST_SUITE_P(Layers, DiffusersLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"FP32LayerNorm(32, elementwise_affine=False)", "bf16[2,6,32]",
     [](Bench& x) { return x.make<FP32LayerNorm>(32, false)(x.a); },
     "2 _to_copy, 1 native_layer_norm",
     "bf16[2,6,32]", {0, 0, 3840, 3936, 3168, 768}},
    {"FP32LayerNorm(32)", "bf16[2,6,32]",
     [](Bench& x) { return x.make<FP32LayerNorm>(32, true)(x.a); },
     "2 _to_copy, 1 native_layer_norm",
     "bf16[2,6,32]", {64, 0, 4096, 3936, 3168, 768}},
    {"FeedForward(32, 48)", "bf16[2,6,32]",
     [](Bench& x) { return x.make<FeedForward>(bf16, 32, 48, 32)(x.a); },
     "2 addmm, 1 gelu",
     "bf16[2,6,32]", {3152, 73728, 9376, 3072, 2304, 768}},
    {"WanAttention with rotary embedding", "bf16[1,12,32] f32[1,12,1,8] f32[1,12,1,8]",
     [](Bench& x) {
       const RotaryEmbedding rotary{x.b, x.c};
       return x.make<WanAttention>(bf16, small(), false)(x.a, Tensor(), &rotary);
     },
     "2 _fused_rms_norm, 1 _scaled_dot_product_flash_attention, 2 add, 4 addmm, 4 copy_, 2 empty_like, 8 mul, 2 sub",
     "bf16[1,12,32]", {4288, 116736, 29312, 16440, 5376, 768}},
    {"WanAttention to the text", "bf16[2,12,32] bf16[2,16,32]",
     [](Bench& x) { return x.make<WanAttention>(bf16, small(), false)(x.a, x.b, nullptr); },
     "2 _fused_rms_norm, 1 _scaled_dot_product_flash_attention, 4 addmm",
     "bf16[2,12,32]", {4288, 278528, 24960, 12920, 8704, 1536}},
    {"WanAttention to the text by matrix products", "bf16[1,12,32] bf16[1,16,32]",
     [](Bench& x) { return x.make<WanAttention>(bf16, small(), false)(x.a, x.b, nullptr); },
     "2 _fused_rms_norm, 1 _softmax, 5 _to_copy, 4 addmm, 1 all, 2 bmm, 1 clone, 1 eq, 2 mul, 1 where, 1 zeros",
     "bf16[1,12,32]", {4288, 139264, 44468, 29348, 19252, 768}, by_matrix_products()},
    {"WanAttention to text and image", "bf16[1,12,32] bf16[1,519,32]",
     [](Bench& x) { return x.make<WanAttention>(bf16, small(), true)(x.a, x.b, nullptr); },
     "3 _fused_rms_norm, 2 _scaled_dot_product_flash_attention, 1 add, 6 addmm",
     "bf16[1,12,32]", {6432, 2972160, 184320, 106812, 101120, 768}},
    {"Timesteps(16)", "i64[3]",
     [](Bench& x) { return x.make<Timesteps>(16)(x.a); },
     "1 _to_copy, 1 arange, 2 cat, 1 cos, 1 div, 1 exp, 3 mul, 1 sin",
     "f32[3,16]", {0, 0, 836, 908, 512, 192}},
    {"WanTimeTextImageEmbedding", "i64[2] bf16[2,16,24]",
     [](Bench& x) { return condition(x, small(), Tensor(), 0); },
     "2 _to_copy, 5 addmm, 1 arange, 2 cat, 1 cos, 1 div, 1 exp, 1 gelu, 3 mul, 2 silu, 1 sin",
     "bf16[2,32]", {9792, 145408, 30168, 8584, 5120, 2944}},
    {"WanTimeTextImageEmbedding with a time step per token", "f32[24] bf16[2,16,24]",
     [](Bench& x) { return condition(x, small(), Tensor(), 12); },
     "1 _to_copy, 5 addmm, 1 arange, 2 cat, 1 cos, 1 div, 1 exp, 1 gelu, 3 mul, 2 silu, 1 sin",
     "bf16[2,12,32]", {9792, 483328, 47840, 33920, 16384, 12800}},
    {"WanTimeTextImageEmbedding with an image", "i64[1] bf16[1,16,24] bf16[1,7,20]",
     [](Bench& x) { return condition(x, with_image(), x.c, 0); },
     "6 _to_copy, 7 addmm, 1 arange, 2 cat, 1 cos, 1 div, 1 exp, 2 gelu, 3 mul, 2 native_layer_norm, 2 silu, 1 sin",
     "bf16[1,32]", {10988, 87264, 33620, 9116, 3832, 1920}},
    {"WanTimeTextImageEmbedding with two images", "i64[1] bf16[1,16,24] bf16[2,7,20]",
     [](Bench& x) { Architecture a = with_image(); a.pos_embed_seq_len = 14; return condition(x, a, x.c, 0); },
     "6 _to_copy, 1 add, 7 addmm, 1 arange, 2 cat, 1 cos, 1 div, 1 exp, 2 gelu, 3 mul, 2 native_layer_norm, 2 silu, "
     "1 sin",
     "bf16[1,32]", {11268, 101824, 39220, 14436, 6688, 2368}},
    {"WanRotaryPosEmbed(8)", "bf16[1,16,2,4,6]",
     [](Bench& x) {
       const RotaryEmbedding both = x.make<WanRotaryPosEmbed>(small())(x.a);
       x.b = both[1];
       return both[0];
     },
     "2 cat",
     "f32[1,12,1,8]", {0, 0, 144, 768, 768, 768}},
    {"WanRotaryPosEmbed(14), patches of 2 x 2 x 2", "bf16[1,16,4,4,6]",
     [](Bench& x) {
       Architecture a = small();
       a.dim = 56;
       a.patch_size = {2, 2, 2};
       const RotaryEmbedding both = x.make<WanRotaryPosEmbed>(a)(x.a);
       x.b = both[1];
       return both[0];
     },
     "2 cat",
     "f32[1,12,1,14]", {0, 0, 256, 1344, 1344, 1344}},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(Blocks, DiffusersLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"WanTransformerBlock", "bf16[1,12,32] bf16[1,16,32] bf16[1,6,32] f32[1,12,1,8] f32[1,12,1,8]",
     [](Bench& x) { return block(x, small()); },
     "4 _fused_rms_norm, 2 _scaled_dot_product_flash_attention, 12 _to_copy, 10 add, 10 addmm, 4 copy_, 2 "
     "empty_like, 1 gelu, 12 mul, 3 native_layer_norm, 2 sub",
     "bf16[1,12,32]", {11984, 329728, 91680, 58784, 8448, 768}},
    {"WanTransformerBlock without cross_attn_norm",
     "bf16[1,12,32] bf16[1,16,32] bf16[1,6,32] f32[1,12,1,8] f32[1,12,1,8]",
     [](Bench& x) { Architecture a = small(); a.cross_attn_norm = false; return block(x, a); },
     "4 _fused_rms_norm, 2 _scaled_dot_product_flash_attention, 12 _to_copy, 10 add, 10 addmm, 4 copy_, 2 "
     "empty_like, 1 gelu, 12 mul, 2 native_layer_norm, 2 sub",
     "bf16[1,12,32]", {11920, 329728, 89888, 57152, 8448, 768}},
    {"WanTransformerBlock of an image", "bf16[1,12,32] bf16[1,519,32] bf16[1,6,32] f32[1,12,1,8] f32[1,12,1,8]",
     [](Bench& x) { return block(x, with_image()); },
     "5 _fused_rms_norm, 3 _scaled_dot_product_flash_attention, 12 _to_copy, 11 add, 12 addmm, 4 copy_, 2 "
     "empty_like, 1 gelu, 12 mul, 3 native_layer_norm, 2 sub",
     "bf16[1,12,32]", {14128, 3162624, 259232, 159124, 104192, 768}},
    {"WanTransformerBlock with a time step per token",
     "bf16[1,12,32] bf16[1,16,32] bf16[1,12,6,32] f32[1,12,1,8] f32[1,12,1,8]",
     [](Bench& x) { return block(x, small()); },
     "4 _fused_rms_norm, 2 _scaled_dot_product_flash_attention, 12 _to_copy, 10 add, 10 addmm, 4 copy_, 2 "
     "empty_like, 1 gelu, 12 mul, 3 native_layer_norm, 2 sub",
     "bf16[1,12,32]", {11984, 329728, 115616, 78496, 18432, 768}},
    {"WanTransformerBlock by matrix products", "bf16[1,12,32] bf16[1,16,32] bf16[1,6,32] f32[1,12,1,8] f32[1,12,1,8]",
     [](Bench& x) { return block(x, small()); },
     "4 _fused_rms_norm, 2 _softmax, 22 _to_copy, 10 add, 10 addmm, 2 all, 4 bmm, 2 clone, 4 copy_, 2 empty_like, 2 "
     "eq, 1 gelu, 16 mul, 3 native_layer_norm, 2 sub, 2 where, 2 zeros",
     "bf16[1,12,32]", {11984, 329728, 141512, 100120, 22324, 768}, by_matrix_products()},
    {"WanVACETransformerBlock, the first", "bf16[1,12,32] bf16[1,16,32] bf16[1,12,32] bf16[1,6,32]",
     [](Bench& x) { return vace_block(x, true); },
     "4 _fused_rms_norm, 2 _scaled_dot_product_flash_attention, 12 _to_copy, 11 add, 12 addmm, 4 copy_, 2 "
     "empty_like, 1 gelu, 12 mul, 3 native_layer_norm, 2 sub",
     "bf16[1,12,32]", {14096, 378880, 98976, 61088, 8448, 1536}},
    {"WanVACETransformerBlock", "bf16[1,12,32] bf16[1,16,32] bf16[1,12,32] bf16[1,6,32]",
     [](Bench& x) { return vace_block(x, false); },
     "4 _fused_rms_norm, 2 _scaled_dot_product_flash_attention, 12 _to_copy, 10 add, 11 addmm, 4 copy_, 2 "
     "empty_like, 1 gelu, 12 mul, 3 native_layer_norm, 2 sub",
     "bf16[1,12,32]", {13040, 354304, 94560, 59552, 8448, 1536}},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(Models, DiffusersLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"WanTransformer3DModel", "bf16[2,16,2,4,6] i64[2] bf16[2,16,24]",
     [](Bench& x) { return model(x, small()); },
     "8 _fused_rms_norm, 4 _scaled_dot_product_flash_attention, 28 _to_copy, 23 add, 1 add_, 26 addmm, 1 arange, 4 "
     "cat, 2 clone, 1 convolution, 8 copy_, 1 cos, 1 div, 4 empty_like, 1 exp, 3 gelu, 28 mul, 7 native_layer_norm, "
     "2 silu, 1 sin, 4 sub",
     "bf16[2,16,2,4,6]", {38016, 1660928, 379112, 269928, 22144, 3072}},
    {"WanTransformer3DModel with a time step per token", "bf16[1,16,2,4,6] f32[1,12] bf16[1,16,24]",
     [](Bench& x) { return model(x, small()); },
     "8 _fused_rms_norm, 4 _scaled_dot_product_flash_attention, 27 _to_copy, 23 add, 1 add_, 26 addmm, 1 arange, 4 "
     "cat, 2 clone, 1 convolution, 8 copy_, 1 cos, 1 div, 4 empty_like, 1 exp, 3 gelu, 28 mul, 7 native_layer_norm, "
     "2 silu, 1 sin, 4 sub",
     "bf16[1,16,2,4,6]", {38016, 999424, 293056, 191776, 26368, 1536}},
    {"WanTransformer3DModel, patches of 2 x 2 x 2 to 8 channels", "bf16[1,16,2,4,6] i64[1] bf16[1,16,24]",
     [](Bench& x) { Architecture a = small(); a.patch_size = {2, 2, 2}; a.out_dim = 8; return model(x, a); },
     "8 _fused_rms_norm, 4 _scaled_dot_product_flash_attention, 28 _to_copy, 23 add, 1 add_, 26 addmm, 1 arange, 4 "
     "cat, 2 clone, 1 convolution, 8 copy_, 1 cos, 1 div, 4 empty_like, 1 exp, 3 gelu, 28 mul, 7 native_layer_norm, "
     "2 silu, 1 sin, 4 sub",
     "bf16[1,8,2,4,6]", {40064, 532480, 170204, 75076, 7680, 768}},
    {"WanTransformer3DModel of an image", "bf16[1,36,2,4,6] i64[1] bf16[1,512,24] bf16[1,7,20]",
     [](Bench& x) { Architecture a = with_image(); a.in_dim = 36; return model(x, a); },
     "10 _fused_rms_norm, 6 _scaled_dot_product_flash_attention, 32 _to_copy, 25 add, 1 add_, 32 addmm, 1 arange, 5 "
     "cat, 2 clone, 1 convolution, 8 copy_, 1 cos, 1 div, 4 empty_like, 1 exp, 4 gelu, 28 mul, 9 native_layer_norm, "
     "2 silu, 1 sin, 4 sub",
     "bf16[1,16,2,4,6]", {46060, 8349920, 701156, 469348, 139840, 1536}},
    {"WanVACETransformer3DModel", "bf16[1,16,2,4,6] i64[1] bf16[1,16,24] bf16[1,12,2,4,6]",
     [](Bench& x) {
       Architecture a = small();
       a.num_layers = 3;
       a.vace_layers = {0, 2};
       a.vace_in_dim = 12;
       return vace_model(x, a);
     },
     "20 _fused_rms_norm, 10 _scaled_dot_product_flash_attention, 64 _to_copy, 56 add, 2 add_, 59 addmm, 1 arange, "
     "5 cat, 11 clone, 2 convolution, 20 copy_, 1 cos, 1 div, 10 empty_like, 1 exp, 6 gelu, 66 mul, 16 "
     "native_layer_norm, 1 new_ones, 1 new_zeros, 2 silu, 1 sin, 10 sub",
     "bf16[1,16,2,4,6]", {78704, 1930240, 541664, 334856, 13764, 1536}},
}));
// clang-format on

}  // namespace
}  // namespace modelmeter::wan::diffusers
