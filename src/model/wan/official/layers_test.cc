// The official code's layers against the modules that they are twins of: Wan-Video/Wan2.1 @9737cba, wan/modules/
// {model,vace_model,t5,clip}.py; of the second generation Wan2.2 @42bf4cf, wan/modules/model.py.
//
// How a row was made: the module was built with these small sizes on fake CUDA tensors and called under
// tools/reference's recorder, as the pipeline calls it (the transformer under autocast(bfloat16) over float32 weights,
// the image encoder under autocast(float16)). From its record: how often each kernel runs, the result, parameters,
// FLOPs of torch.utils.flop_counter, bytes read and written, and live memory above the start, highest and at the end.
#include "testing/layers.h"

#include <gtest/gtest.h>

#include "model/wan/official/attention.h"
#include "model/wan/official/clip.h"
#include "model/wan/official/dit2_2.h"
#include "model/wan/official/t5.h"
#include "model/wan/official/vace.h"

namespace modelmeter::wan::official {
namespace {

using testing_calls::Bench;
using testing_calls::LayerCall;
using testing_calls::under_autocast;

const BuildContext f32{DType::float32}, bf16{DType::bfloat16}, f16{DType::float16};

Architecture small(bool qk_norm = true) {
  Architecture a;
  a.dim = 32;
  a.ffn_dim = 48;
  a.num_heads = 4;
  a.num_layers = 2;
  a.freq_dim = 16;
  a.text_dim = 24;
  a.text_len = 16;
  a.qk_norm = qk_norm;
  return a;
}

TextEncoderArchitecture text() {
  TextEncoderArchitecture a;
  a.vocab = 100;
  a.dim = 32;
  a.dim_attn = 24;
  a.dim_ffn = 40;
  a.num_heads = 4;
  a.num_layers = 2;
  a.num_buckets = 8;
  return a;
}

ImageEncoderArchitecture image() {
  ImageEncoderArchitecture a;
  a.image_size = 28;
  a.patch_size = 14;
  a.dim = 32;
  a.mlp_ratio = 3;
  a.out_dim = 20;
  a.num_heads = 4;
  a.num_layers = 3;
  return a;
}

// What WanModel.forward hands to its blocks: the lengths on the host, the rotary embedding's table on the device.
struct Arguments {
  Arguments(const std::vector<GridSize>& grids, Tensor context) {
    Tracer& tracer = Tracer::current();
    freqs = tracer.input({1024, 4}, DType::complex128);
    const auto samples = static_cast<int64_t>(grids.size());
    block = {tracer.host({samples}, DType::int64), grids, &freqs, {1024, 4}, std::move(context)};
  }
  Tensor freqs;
  BlockArguments block;
};
const std::vector<GridSize> one_grid = {{2, 2, 3}};

Tensor attend(Bench& x, const std::vector<GridSize>& grids, bool qk_norm) {
  const Arguments args(grids, Tensor());
  return x.make<WanSelfAttention>(f32, small(qk_norm))(x.a, args.block);
}

Tensor block(Bench& x, const Architecture& a) {
  const Arguments args(one_grid, x.c);
  return x.make<WanAttentionBlock>(f32, a)(x.a, x.b, args.block);
}

Tensor vace_block(Bench& x, int64_t number) {
  const Arguments args(one_grid, x.d);
  auto [control, hint] = x.make<VaceWanAttentionBlock>(f32, small(), number)(x.a, x.b, x.c, args.block);
  x.e = hint;  // both are returned
  return control;
}

Tensor base_block(Bench& x, const Tensor& hint) {
  const Arguments args(one_grid, x.d);
  return x.make<BaseWanAttentionBlock>(f32, small())(x.a, x.c, args.block, hint);
}

Tensor model(Bench& x, const Architecture& a, int64_t seq_len) {
  DiTInputs in;
  in.x = {x.a};
  in.t = x.b;
  in.context = {x.c};
  in.seq_len = seq_len;
  return x.make<WanModel>(f32, a)(in)[0];
}

Tensor model_2_2(Bench& x, const Architecture& a, int64_t seq_len) {
  DiTInputs in;
  in.x = {x.a};
  in.t = x.b;
  in.context = {x.c};
  if (x.d.defined()) in.y = {x.d};
  in.seq_len = seq_len;
  return x.make<WanModel2_2>(f32, a)(in)[0];
}

class OfficialLayer : public testing::TestWithParam<LayerCall> {};

TEST_P(OfficialLayer, IsTheModuleThatWasRecorded) { testing_calls::expect_recorded(GetParam()); }

// clang-format off
INSTANTIATE_TEST_SUITE_P(DiffusionTransformer, OfficialLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"WanRMSNorm(32)", "f32[2,6,32]",
     [](Bench& x) { return x.make<WanRMSNorm>(f32, 32)(x.a); },
     "1 add, 1 mean, 2 mul, 1 pow, 1 rsqrt",
     "f32[2,6,32]", {32, 0, 6416, 4752, 3072, 1536}, under_autocast()},
    {"WanRMSNorm(32) in bf16", "bf16[2,6,32]",
     [](Bench& x) { return x.make<WanRMSNorm>(f32, 32)(x.a); },
     "2 _to_copy, 1 add, 1 mean, 2 mul, 1 pow, 1 rsqrt",
     "f32[2,6,32]", {32, 0, 7952, 7056, 3120, 1536}, under_autocast()},
    {"WanLayerNorm(32)", "f32[2,6,32]",
     [](Bench& x) { return x.make<WanLayerNorm>(f32, 32, false)(x.a); },
     "1 native_layer_norm",
     "f32[2,6,32]", {0, 0, 1536, 1632, 1632, 1536}, under_autocast()},
    {"WanLayerNorm(32, elementwise_affine) in bf16", "bf16[2,6,32]",
     [](Bench& x) { return x.make<WanLayerNorm>(f32, 32, true)(x.a); },
     "2 _to_copy, 1 native_layer_norm",
     "bf16[2,6,32]", {64, 0, 4096, 3936, 3168, 768}, under_autocast()},
    {"WanSelfAttention(32, 4)", "f32[1,12,32]",
     [](Bench& x) { return attend(x, {{2, 2, 3}}, true); },
     "1 _flash_attention_forward, 25 _to_copy, 2 add, 4 addmm, 7 cat, 1 cumsum, 2 mean, 6 mul, 1 new_zeros, 2 pow, "
     "2 rsqrt, 2 stack",
     "bf16[1,12,32]", {4288, 116736, 88428, 64280, 13824, 768}, under_autocast()},
    {"WanSelfAttention(32, 4, qk_norm=False)", "f32[1,12,32]",
     [](Bench& x) { return attend(x, {{2, 2, 3}}, false); },
     "1 _flash_attention_forward, 21 _to_copy, 4 addmm, 7 cat, 1 cumsum, 2 mul, 1 new_zeros, 2 stack",
     "bf16[1,12,32]", {4224, 116736, 70988, 50168, 12288, 768}, under_autocast()},
    {"WanSelfAttention(32, 4) of two samples, padded", "f32[2,16,32]",
     [](Bench& x) { return attend(x, {{2, 2, 3}, {1, 2, 4}}, true); },
     "1 _flash_attention_forward, 27 _to_copy, 2 add, 4 addmm, 7 cat, 8 copy_, 1 cumsum, 2 mean, 8 mul, 4 "
     "new_empty, 1 new_zeros, 2 pow, 2 rsqrt, 2 stack",
     "bf16[2,16,32]", {4288, 327680, 173668, 140360, 35328, 2048}, under_autocast()},
    {"WanT2VCrossAttention(32, 4)", "bf16[2,12,32] bf16[2,16,32]",
     [](Bench& x) { return x.make<WanT2VCrossAttention>(f32, small())(x.a, x.b); },
     "1 _flash_attention_forward, 18 _to_copy, 2 add, 4 addmm, 2 cat, 2 cumsum, 2 mean, 4 mul, 2 new_zeros, 2 pow, "
     "2 rsqrt",
     "bf16[2,12,32]", {4288, 278528, 86776, 58752, 17472, 1536}, under_autocast()},
    {"WanT2VCrossAttention(32, 4, qk_norm=False)", "f32[1,12,32] bf16[1,16,32]",
     [](Bench& x) { return x.make<WanT2VCrossAttention>(f32, small(false))(x.a, x.b); },
     "1 _flash_attention_forward, 11 _to_copy, 4 addmm, 2 cat, 2 cumsum, 2 new_zeros",
     "bf16[1,12,32]", {4224, 139264, 33336, 13832, 6464, 768}, under_autocast()},
    {"WanI2VCrossAttention(32, 4)", "bf16[1,12,32] bf16[1,519,32]",
     [](Bench& x) { return x.make<WanI2VCrossAttention>(f32, small())(x.a, x.b); },
     "2 _flash_attention_forward, 29 _to_copy, 4 add, 6 addmm, 4 cat, 4 cumsum, 3 mean, 6 mul, 4 new_zeros, 3 pow, "
     "3 rsqrt",
     "bf16[1,12,32]", {6432, 2972160, 596308, 435060, 167424, 768}, under_autocast()},
    {"WanI2VCrossAttention(32, 4, qk_norm=False)", "bf16[1,12,32] bf16[1,769,32]",
     [](Bench& x) { return x.make<WanI2VCrossAttention>(f32, small(false))(x.a, x.b); },
     "2 _flash_attention_forward, 16 _to_copy, 1 add, 6 addmm, 4 cat, 4 cumsum, 4 new_zeros",
     "bf16[1,12,32]", {6336, 4380160, 239600, 115472, 103616, 768}, under_autocast()},
    {"WanAttentionBlock of text", "f32[1,12,32] f32[1,6,32] bf16[1,16,32]",
     [](Bench& x) { return block(x, small()); },
     "2 _flash_attention_forward, 49 _to_copy, 12 add, 10 addmm, 9 cat, 3 cumsum, 1 gelu, 4 mean, 14 mul, 3 "
     "native_layer_norm, 3 new_zeros, 4 pow, 4 rsqrt, 2 stack",
     "f32[1,12,32]", {11984, 329728, 193236, 128560, 16128, 1536}, under_autocast()},
    {"WanAttentionBlock without cross_attn_norm", "f32[1,12,32] f32[1,6,32] bf16[1,16,32]",
     [](Bench& x) { Architecture a = small(); a.cross_attn_norm = false; return block(x, a); },
     "2 _flash_attention_forward, 49 _to_copy, 12 add, 10 addmm, 9 cat, 3 cumsum, 1 gelu, 4 mean, 14 mul, 2 "
     "native_layer_norm, 3 new_zeros, 4 pow, 4 rsqrt, 2 stack",
     "f32[1,12,32]", {11920, 329728, 191444, 126928, 16128, 1536}, under_autocast()},
    {"WanAttentionBlock of an image, first in bf16", "bf16[1,12,32] f32[1,6,32] bf16[1,519,32]",
     [](Bench& x) { Architecture a = small(); a.image_dim = 24; return block(x, a); },
     "3 _flash_attention_forward, 63 _to_copy, 14 add, 12 addmm, 11 cat, 5 cumsum, 1 gelu, 5 mean, 16 mul, 3 "
     "native_layer_norm, 5 new_zeros, 5 pow, 5 rsqrt, 2 stack",
     "f32[1,12,32]", {14128, 3162624, 735648, 533836, 172032, 1536}, under_autocast()},
    {"Head", "f32[2,12,32] f32[2,32]",
     [](Bench& x) { return x.make<Head>(f32, small())(x.a, x.b); },
     "3 add, 1 addmm, 1 mul, 1 native_layer_norm",
     "f32[2,12,64]", {2176, 98304, 22016, 16320, 9728, 6144}, under_autocast()},
    {"Head of patches 2 x 2 x 2 to 8 channels", "f32[1,12,32] f32[1,32]",
     [](Bench& x) {
       Architecture a = small();
       a.patch_size = {2, 2, 2};
       a.out_dim = 8;
       return x.make<Head>(f32, a)(x.a, x.b);
     },
     "3 add, 1 addmm, 1 mul, 1 native_layer_norm",
     "f32[1,12,64]", {2176, 49152, 15360, 8160, 4864, 3072}, under_autocast()},
    {"MLPProj", "f16[1,7,24]",
     [](Bench& x) { Architecture a = small(); a.image_dim = 24; return x.make<MLPProj>(f32, a)(x.a); },
     "7 _to_copy, 2 addmm, 1 gelu, 2 native_layer_norm",
     "f32[1,7,32]", {1512, 18816, 12880, 7504, 2544, 896}, under_autocast()},
    {"MLPProj of two images", "f16[4,7,24]",
     [](Bench& x) {
       Architecture a = small();
       a.image_dim = 24;
       a.pos_embed_seq_len = 14;
       return x.make<MLPProj>(f32, a)(x.a);
     },
     "6 _to_copy, 1 add, 2 addmm, 1 gelu, 2 native_layer_norm",
     "f32[2,14,32]", {1848, 75264, 26320, 21616, 11872, 3584}, under_autocast()},
    {"WanModel", "f32[16,2,4,6] i64[1] bf16[5,24]",
     [](Bench& x) { return model(x, small(), 12); },
     "4 _flash_attention_forward, 113 _to_copy, 27 add, 1 add_, 26 addmm, 22 cat, 1 clone, 1 convolution, 1 cos, 6 "
     "cumsum, 1 div, 1 empty, 1 fill_, 3 gelu, 8 mean, 30 mul, 7 native_layer_norm, 1 neg, 8 new_zeros, 9 pow, 8 "
     "rsqrt, 2 silu, 1 sin, 5 stack",
     "f32[16,2,4,6]", {38016, 830464, 478208, 294816, 85120, 3072}, under_autocast()},
    {"WanModel padded to 16 tokens", "f32[16,2,4,6] i64[1] bf16[5,24]",
     [](Bench& x) { return model(x, small(), 16); },
     "4 _flash_attention_forward, 113 _to_copy, 27 add, 1 add_, 26 addmm, 18 cat, 1 clone, 1 convolution, 8 copy_, "
     "1 cos, 6 cumsum, 1 div, 1 empty, 1 fill_, 3 gelu, 8 mean, 30 mul, 7 native_layer_norm, 1 neg, 4 new_empty, 8 "
     "new_zeros, 9 pow, 8 rsqrt, 2 silu, 1 sin, 5 stack",
     "f32[16,2,4,6]", {38016, 1039360, 537632, 349344, 90496, 3072}, under_autocast()},
    {"WanModel of 8 channels, patches of 2 x 2 x 2", "f32[8,2,4,6] i64[1] bf16[5,24]",
     [](Bench& x) {
       Architecture a = small();
       a.in_dim = a.out_dim = 8;
       a.patch_size = {2, 2, 2};
       return model(x, a, 6);
     },
     "4 _flash_attention_forward, 113 _to_copy, 27 add, 1 add_, 26 addmm, 22 cat, 1 clone, 1 convolution, 1 cos, 6 "
     "cumsum, 1 div, 1 empty, 1 fill_, 3 gelu, 8 mean, 30 mul, 7 native_layer_norm, 1 neg, 8 new_zeros, 9 pow, 8 "
     "rsqrt, 2 silu, 1 sin, 5 stack",
     "f32[8,2,4,6]", {38016, 507904, 363984, 191904, 78400, 1536}, under_autocast()},
    {"WanModel of 1 layer, heads of 14", "f32[16,2,4,6] i64[1] bf16[16,24]",
     [](Bench& x) {
       Architecture a = small();
       a.dim = 56;
       a.num_layers = 1;
       a.freq_dim = 10;
       return model(x, a, 12);
     },
     "2 _flash_attention_forward, 64 _to_copy, 15 add, 1 add_, 16 addmm, 13 cat, 1 clone, 1 convolution, 1 cos, 3 "
     "cumsum, 1 div, 1 empty, 1 fill_, 2 gelu, 4 mean, 16 mul, 4 native_layer_norm, 1 neg, 5 new_zeros, 5 pow, 4 "
     "rsqrt, 2 silu, 1 sin, 3 stack",
     "f32[16,2,4,6]", {66640, 1216992, 594220, 301328, 147616, 3072}, under_autocast()},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(VACE, OfficialLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"VaceWanAttentionBlock(block_id=0)", "bf16[1,12,32] bf16[1,12,32] f32[1,6,32] bf16[1,16,32]",
     [](Bench& x) { return vace_block(x, 0); },
     "2 _flash_attention_forward, 57 _to_copy, 13 add, 12 addmm, 9 cat, 3 cumsum, 1 gelu, 4 mean, 14 mul, 3 "
     "native_layer_norm, 3 new_zeros, 4 pow, 4 rsqrt, 2 stack",
     "f32[1,12,32]", {14096, 378880, 212820, 139696, 16896, 2304}, under_autocast()},
    {"VaceWanAttentionBlock(block_id=1)", "f32[1,12,32] bf16[1,12,32] f32[1,6,32] bf16[1,16,32]",
     [](Bench& x) { return vace_block(x, 1); },
     "2 _flash_attention_forward, 52 _to_copy, 12 add, 11 addmm, 9 cat, 3 cumsum, 1 gelu, 4 mean, 14 mul, 3 "
     "native_layer_norm, 3 new_zeros, 4 pow, 4 rsqrt, 2 stack",
     "f32[1,12,32]", {13040, 354304, 201876, 132208, 16128, 2304}, under_autocast()},
    {"BaseWanAttentionBlock with a hint", "f32[1,12,32] bf16[1,12,32] f32[1,6,32] bf16[1,16,32]",
     [](Bench& x) { return base_block(x, x.b); },
     "2 _flash_attention_forward, 49 _to_copy, 13 add, 10 addmm, 9 cat, 3 cumsum, 1 gelu, 4 mean, 15 mul, 3 "
     "native_layer_norm, 3 new_zeros, 4 pow, 4 rsqrt, 2 stack",
     "f32[1,12,32]", {11984, 329728, 196308, 130864, 16128, 1536}, under_autocast()},
    {"BaseWanAttentionBlock without one", "f32[1,12,32] bf16[1,12,32] f32[1,6,32] bf16[1,16,32]",
     [](Bench& x) { return base_block(x, Tensor()); },
     "2 _flash_attention_forward, 49 _to_copy, 12 add, 10 addmm, 9 cat, 3 cumsum, 1 gelu, 4 mean, 14 mul, 3 "
     "native_layer_norm, 3 new_zeros, 4 pow, 4 rsqrt, 2 stack",
     "f32[1,12,32]", {11984, 329728, 193236, 128560, 16128, 1536}, under_autocast()},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(TextEncoder, OfficialLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"T5LayerNorm(32)", "bf16[2,6,32]",
     [](Bench& x) { return x.make<T5LayerNorm>(bf16, 32)(x.a); },
     "2 _to_copy, 1 add, 1 mean, 2 mul, 1 pow, 1 rsqrt",
     "bf16[2,6,32]", {32, 0, 7120, 6288, 3072, 768}},
    {"T5LayerNorm(32) in f32", "f32[2,6,32]",
     [](Bench& x) { return x.make<T5LayerNorm>(f32, 32)(x.a); },
     "1 add, 1 mean, 2 mul, 1 pow, 1 rsqrt",
     "f32[2,6,32]", {32, 0, 6416, 4752, 3072, 1536}},
    {"GELU", "bf16[2,6,32]",
     [](Bench& x) { return x.make<T5GELU>()(x.a); },
     "2 add, 4 mul, 1 pow, 1 tanh",
     "bf16[2,6,32]", {0, 0, 7680, 6144, 2304, 768}},
    {"T5FeedForward(32, 40)", "bf16[2,6,32]",
     [](Bench& x) { return x.make<T5FeedForward>(bf16, text())(x.a); },
     "2 add, 3 mm, 5 mul, 1 pow, 1 tanh",
     "bf16[2,6,32]", {3840, 92160, 21696, 11328, 4800, 768}},
    {"T5Attention(32, 24, 4)", "bf16[2,6,32] i64[2,6] bf16[1,4,6,6]",
     [](Bench& x) { return x.make<T5Attention>(bf16, text())(x.a, x.b, x.c); },
     "1 _softmax, 2 _to_copy, 1 add, 1 add_, 2 bmm, 4 clone, 1 eq, 1 masked_fill_, 4 mm, 1 new_zeros",
     "bf16[2,6,32]", {3072, 80640, 19212, 11148, 5184, 768}},
    {"T5Attention of one sample", "bf16[1,6,32] i64[1,6] bf16[1,4,6,6]",
     [](Bench& x) { return x.make<T5Attention>(bf16, text())(x.a, x.b, x.c); },
     "1 _softmax, 2 _to_copy, 1 add, 1 add_, 2 bmm, 1 clone, 1 eq, 1 masked_fill_, 4 mm, 1 new_zeros",
     "bf16[1,6,32]", {3072, 40320, 11958, 4710, 2592, 384}},
    {"T5Attention of one token", "bf16[2,1,32] i64[2,1] bf16[1,4,1,1]",
     [](Bench& x) { return x.make<T5Attention>(bf16, text())(x.a, x.b, x.c); },
     "1 _softmax, 2 _to_copy, 1 add, 1 add_, 1 bmm, 1 eq, 1 masked_fill_, 4 mm, 1 mul, 1 new_zeros",
     "bf16[2,1,32]", {3072, 12384, 7098, 674, 544, 128}},
    {"T5RelativeEmbedding(8, 4)", "",
     [](Bench& x) { return x.make<T5RelativeEmbedding>(bf16, text())(6, 7); },
     "3 _to_copy, 1 abs, 1 add, 1 add_, 2 arange, 1 clone, 2 div, 1 embedding, 1 full_like, 1 gt, 1 log, 1 lt, 1 "
     "minimum, 2 mul, 1 sub, 1 where",
     "bf16[1,4,6,7]", {32, 0, 6068, 5060, 2016, 336}},
    {"T5SelfAttention with its own positions", "bf16[2,6,32] i64[2,6]",
     [](Bench& x) { return x.make<T5SelfAttention>(bf16, text())(x.a, x.b, Tensor()); },
     "1 _softmax, 9 _to_copy, 1 abs, 8 add, 2 add_, 2 arange, 2 bmm, 5 clone, 2 div, 1 embedding, 1 eq, 1 "
     "full_like, 1 gt, 1 log, 1 lt, 1 masked_fill_, 2 mean, 1 minimum, 7 mm, 11 mul, 1 new_zeros, 3 pow, 2 rsqrt, 1 "
     "sub, 1 tanh, 1 where",
     "bf16[2,6,32]", {7008, 172800, 63428, 40932, 6624, 768}},
    {"T5SelfAttention with shared positions", "bf16[2,6,32] i64[2,6] bf16[1,4,6,6]",
     [](Bench& x) {
       TextEncoderArchitecture a = text();
       a.shared_pos = true;
       return x.make<T5SelfAttention>(bf16, a)(x.a, x.b, x.c);
     },
     "1 _softmax, 6 _to_copy, 7 add, 1 add_, 2 bmm, 4 clone, 1 eq, 1 masked_fill_, 2 mean, 7 mm, 9 mul, 1 "
     "new_zeros, 3 pow, 2 rsqrt, 1 tanh",
     "bf16[2,6,32]", {6976, 172800, 58220, 36588, 6336, 768}},
    {"T5Encoder", "i64[2,6] i64[2,6]",
     [](Bench& x) { return x.make<T5Encoder>(bf16, text())(x.a, x.b); },
     "2 _softmax, 20 _to_copy, 2 abs, 17 add, 4 add_, 4 arange, 4 bmm, 10 clone, 4 div, 3 embedding, 2 eq, 2 "
     "full_like, 2 gt, 2 log, 2 lt, 2 masked_fill_, 5 mean, 2 minimum, 14 mm, 24 mul, 2 new_zeros, 7 pow, 5 rsqrt, "
     "2 sub, 2 tanh, 2 where",
     "bf16[2,6,32]", {17248, 345600, 134840, 88920, 7392, 768}},
    {"T5Encoder with shared positions", "i64[1,6] i64[1,6]",
     [](Bench& x) {
       TextEncoderArchitecture a = text();
       a.shared_pos = true;
       return x.make<T5Encoder>(bf16, a)(x.a, x.b);
     },
     "2 _softmax, 17 _to_copy, 1 abs, 16 add, 3 add_, 2 arange, 4 bmm, 3 clone, 2 div, 2 embedding, 2 eq, 1 "
     "full_like, 1 gt, 1 log, 1 lt, 2 masked_fill_, 5 mean, 1 minimum, 14 mm, 22 mul, 2 new_zeros, 7 pow, 5 rsqrt, "
     "1 sub, 2 tanh, 1 where",
     "bf16[1,6,32]", {17216, 172800, 79964, 42732, 3840, 384}},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(ImageEncoder, OfficialLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"QuickGELU", "f16[2,6,32]",
     [](Bench& x) { return x.make<ClipActivation>(ClipActivationOptions{true})(x.a); },
     "2 mul, 1 sigmoid",
     "f16[2,6,32]", {0, 0, 3072, 2304, 1536, 768}, under_autocast(DType::float16)},
    {"LayerNorm", "f16[2,6,32]",
     [](Bench& x) { return x.make<ClipLayerNorm>(f16, 32)(x.a); },
     "4 _to_copy, 1 native_layer_norm",
     "f16[2,6,32]", {64, 0, 4224, 4192, 3424, 768}, under_autocast(DType::float16)},
    {"SelfAttention(32, 4)", "f16[2,5,32]",
     [](Bench& x) { return x.make<ClipSelfAttention>(f16, image())(x.a); },
     "1 _flash_attention_forward, 2 _to_copy, 2 addmm, 2 cat, 2 cumsum, 2 new_zeros",
     "f16[2,5,32]", {4224, 88320, 11736, 3456, 3200, 640}, under_autocast(DType::float16)},
    {"AttentionBlock with gelu", "f16[2,5,32]",
     [](Bench& x) { return x.make<ClipAttentionBlock>(f16, image())(x.a); },
     "1 _flash_attention_forward, 10 _to_copy, 2 add, 4 addmm, 2 cat, 2 cumsum, 1 gelu, 2 native_layer_norm, 2 "
     "new_zeros",
     "f16[2,5,32]", {10624, 211200, 38488, 16288, 5120, 640}, under_autocast(DType::float16)},
    {"AttentionBlock with quick_gelu", "f16[2,5,32]",
     [](Bench& x) {
       ImageEncoderArchitecture a = image();
       a.activation = "quick_gelu";
       return x.make<ClipAttentionBlock>(f16, a)(x.a);
     },
     "1 _flash_attention_forward, 10 _to_copy, 2 add, 4 addmm, 2 cat, 2 cumsum, 2 mul, 2 native_layer_norm, 2 "
     "new_zeros, 1 sigmoid",
     "f16[2,5,32]", {10624, 211200, 44248, 20128, 7040, 640}, under_autocast(DType::float16)},
    {"VisionTransformer", "f32[2,3,28,28]",
     [](Bench& x) { return x.make<VisionTransformer>(f16, image())(x.a); },
     "2 _flash_attention_forward, 25 _to_copy, 5 add, 8 addmm, 5 cat, 1 convolution, 4 cumsum, 2 gelu, 5 "
     "native_layer_norm, 4 new_zeros",
     "f16[2,5,32]", {51648, 723456, 147952, 47312, 9920, 640}, under_autocast(DType::float16)},
    {"VisionTransformer without pre_norm", "f32[1,3,28,28]",
     [](Bench& x) {
       ImageEncoderArchitecture a = image();
       a.pre_norm = false;
       return x.make<VisionTransformer>(f16, a)(x.a);
     },
     "2 _flash_attention_forward, 21 _to_copy, 5 add, 1 add_, 8 addmm, 5 cat, 1 convolution, 4 cumsum, 2 gelu, 4 "
     "native_layer_norm, 4 new_zeros",
     "f16[1,5,32]", {51616, 361728, 113296, 22704, 4960, 320}, under_autocast(DType::float16)},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(SecondGeneration, OfficialLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"WanAttentionBlock with a time step per token", "f32[1,12,32] f32[1,12,6,32] bf16[1,16,32]",
     [](Bench& x) { return block(x, small()); },
     "2 _flash_attention_forward, 49 _to_copy, 12 add, 10 addmm, 9 cat, 3 cumsum, 1 gelu, 4 mean, 14 mul, 3 "
     "native_layer_norm, 3 new_zeros, 4 pow, 4 rsqrt, 2 stack",
     "f32[1,12,32]", {11984, 329728, 212948, 139824, 24576, 1536}, under_autocast()},
    {"Head with a time step per token", "f32[1,12,32] f32[1,12,32]",
     [](Bench& x) { return x.make<Head>(f32, small())(x.a, x.b); },
     "3 add, 1 addmm, 1 mul, 1 native_layer_norm",
     "f32[1,12,64]", {2176, 49152, 20992, 12384, 7680, 3072}, under_autocast()},
    {"WanModel of a time step", "f32[16,2,4,6] i64[1] bf16[5,24]",
     [](Bench& x) { return model_2_2(x, small(), 12); },
     "4 _flash_attention_forward, 113 _to_copy, 27 add, 1 add_, 26 addmm, 22 cat, 1 clone, 1 convolution, 1 cos, 6 "
     "cumsum, 1 div, 1 empty, 1 fill_, 3 gelu, 8 mean, 30 mul, 7 native_layer_norm, 1 neg, 8 new_zeros, 9 pow, 8 "
     "rsqrt, 2 silu, 1 sin, 5 stack",
     "f32[16,2,4,6]", {38016, 999424, 533912, 339960, 103424, 3072}, under_autocast()},
    {"WanModel of a time step per token, padded", "f32[16,2,4,6] f32[1,14] bf16[5,24]",
     [](Bench& x) { return model_2_2(x, small(), 14); },
     "4 _flash_attention_forward, 113 _to_copy, 27 add, 1 add_, 26 addmm, 18 cat, 1 clone, 1 convolution, 8 copy_, "
     "1 cos, 6 cumsum, 1 div, 1 empty, 1 fill_, 3 gelu, 8 mean, 30 mul, 7 native_layer_norm, 1 neg, 4 new_empty, 8 "
     "new_zeros, 9 pow, 8 rsqrt, 2 silu, 1 sin, 5 stack",
     "f32[16,2,4,6]", {38016, 1133568, 573800, 375432, 109440, 3072}, under_autocast()},
    {"WanModel of an image", "f32[16,2,4,6] i64[1] bf16[5,24] f32[20,2,4,6]",
     [](Bench& x) { Architecture a = small(); a.in_dim = 36; return model_2_2(x, a, 12); },
     "4 _flash_attention_forward, 113 _to_copy, 27 add, 1 add_, 26 addmm, 23 cat, 1 clone, 1 convolution, 1 cos, 6 "
     "cumsum, 1 div, 1 empty, 1 fill_, 3 gelu, 8 mean, 30 mul, 7 native_layer_norm, 1 neg, 8 new_zeros, 9 pow, 8 "
     "rsqrt, 2 silu, 1 sin, 5 stack",
     "f32[16,2,4,6]", {40576, 1060864, 561944, 353912, 103424, 3072}, under_autocast()},
}));
// clang-format on

}  // namespace
}  // namespace modelmeter::wan::official
