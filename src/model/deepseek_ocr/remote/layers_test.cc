// DeepSeek-OCR's layers against the modules that they are twins of: the model's remote code (deepencoder.py,
// modeling_deepseekv2.py) with transformers 4.46.3, in bfloat16.
//
// How a row was made: the module was built with these small sizes on fake CUDA tensors and called under
// tools/reference's recorder. From its record: how often each kernel runs, the result, parameters, FLOPs of
// torch.utils.flop_counter, bytes read and written, and live memory above the start, highest and at the end.
// Counts of tokens per expert, which the code reads back, were given to it.
#include "testing/layers.h"

#include <gtest/gtest.h>

#include "model/deepseek_ocr/remote/clip.h"
#include "model/deepseek_ocr/remote/decoder.h"
#include "model/deepseek_ocr/remote/sam.h"

namespace modelmeter::deepseek_ocr::remote {
namespace {

using testing_calls::Bench;
using testing_calls::LayerCall;
using testing_calls::under_autocast;

const BuildContext bf16{DType::bfloat16};

SamArchitecture sam() {
  SamArchitecture a;
  a.img_size = 16;
  a.patch_size = 4;
  a.embed_dim = 32;
  a.depth = 4;
  a.num_heads = 4;
  a.mlp_ratio = 3;
  a.window_size = 3;
  a.global_attn_indexes = {1, 3};
  return a;
}

ClipArchitecture clip() {
  ClipArchitecture a;
  a.num_layers = 2;
  a.hidden_size = 32;
  a.num_attention_heads = 4;
  a.ffn_hidden_size = 48;
  a.image_size = 28;
  return a;
}

DecoderArchitecture decoder() {
  DecoderArchitecture a;
  a.hidden_size = 32;
  a.intermediate_size = 48;
  a.moe_intermediate_size = 24;
  a.num_hidden_layers = 2;
  a.num_attention_heads = a.num_key_value_heads = 4;
  a.n_routed_experts = 5;
  a.num_experts_per_tok = 2;
  a.n_shared_experts = 2;
  return a;
}

DecoderArchitecture two_kv_heads() {
  DecoderArchitecture a = decoder();
  a.num_key_value_heads = 2;
  return a;
}

Tensor gate(Bench& x, const DecoderArchitecture& a) {
  const torch::TopK best = x.make<MoEGate>(bf16, a)(x.a);
  x.b = best.indices;  // both are returned
  return best.values;
}

// x.a at positions x.b behind `cached` tokens; x.c is the mask of eager attention.
Tensor layer(Bench& x, const DecoderArchitecture& a, AttentionImplementation implementation, bool moe, int64_t cached) {
  const auto cache = std::make_shared<DynamicCache>();
  x.kept = cache;
  if (cached > 0) {
    const Shape sizes{x.a.size(0), a.num_key_value_heads, cached, a.head_dim()};
    cache->key_cache = {Tracer::current().consumed_input(sizes, DType::bfloat16)};
    cache->value_cache = {Tracer::current().consumed_input(sizes, DType::bfloat16)};
  }
  LayerArguments args{x.c, x.b, cache.get(), {}};
  if (moe) args.tokens_per_expert = even_routing(x.a.size(0) * x.a.size(1) * a.num_experts_per_tok, a.n_routed_experts);
  return x.make<DeepseekV2DecoderLayer>(bf16, a, implementation, moe)(x.a, args, 0);
}

class RemoteLayer : public testing::TestWithParam<LayerCall> {};

TEST_P(RemoteLayer, IsTheModuleThatWasRecorded) { testing_calls::expect_recorded(GetParam()); }

// clang-format off
INSTANTIATE_TEST_SUITE_P(FirstImageEncoder, RemoteLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"LayerNorm2d(6)", "bf16[1,6,4,5]",
     [](Bench& x) { return x.make<LayerNorm2d>(bf16, LayerNorm2dOptions{6})(x.a); },
     "2 add, 1 div, 2 mean, 1 mul, 1 pow, 1 sqrt, 2 sub",
     "bf16[1,6,4,5]", {12, 0, 2144, 1600, 800, 240}},
    {"LayerNorm2d(6) under autocast", "bf16[1,6,4,5]",
     [](Bench& x) { return x.make<LayerNorm2d>(bf16, LayerNorm2dOptions{6})(x.a); },
     "1 _to_copy, 2 add, 1 div, 2 mean, 1 mul, 1 pow, 1 sqrt, 2 sub",
     "f32[1,6,4,5]", {12, 0, 3464, 3160, 1560, 480}, under_autocast()},
    {"MLPBlock", "bf16[2,4,5,32]",
     [](Bench& x) { return x.make<MLPBlock>(bf16, sam())(x.a); },
     "2 addmm, 1 gelu",
     "bf16[2,4,5,32]", {6272, 491520, 30464, 17920, 15360, 2560}},
    {"PatchEmbed", "bf16[2,3,16,16]",
     [](Bench& x) { return x.make<PatchEmbed>(bf16, sam())(x.a); },
     "1 add_, 1 convolution",
     "bf16[2,4,4,32]{512,4,1,16}", {1568, 98304, 8256, 4096, 2048, 2048}},
    {"Attention in a window of 3 x 3", "bf16[2,3,3,32]",
     [](Bench& x) { return x.make<Attention>(bf16, sam(), 3)(x.a); },
     "1 _scaled_dot_product_efficient_attention, 2 _to_copy, 3 add, 2 addmm, 4 arange, 2 bmm, 4 clone, 1 copy_, 1 "
     "fill_, 2 index, 4 mul, 1 new_empty, 2 sub",
     "bf16[2,3,3,32]", {4304, 175104, 26448, 17728, 12544, 1152}},
    {"Attention over 6 x 6 with a table for 4 x 4", "bf16[1,6,6,32]",
     [](Bench& x) { return x.make<Attention>(bf16, sam(), 4)(x.a); },
     "1 _scaled_dot_product_efficient_attention, 6 _to_copy, 3 add, 2 addmm, 4 arange, 2 bmm, 4 clone, 1 copy_, 1 "
     "fill_, 2 index, 4 mul, 1 new_empty, 2 sub, 2 upsample_linear1d",
     "bf16[1,6,6,32]", {4336, 488448, 61952, 59408, 34576, 2304}},
    {"Attention under autocast", "bf16[1,4,4,32]",
     [](Bench& x) { return x.make<Attention>(bf16, sam(), 4)(x.a); },
     "1 _scaled_dot_product_efficient_attention, 2 _to_copy, 3 add, 2 addmm, 4 arange, 2 bmm, 4 clone, 2 index, 4 "
     "mul, 2 sub",
     "bf16[1,4,4,32]", {4336, 172032, 23488, 12496, 8192, 1024}, under_autocast()},
    {"Block in windows that fit", "bf16[1,6,6,32]",
     [](Bench& x) { return x.make<Block>(bf16, sam(), 3)(x.a); },
     "1 _scaled_dot_product_efficient_attention, 2 _to_copy, 5 add, 4 addmm, 4 arange, 2 bmm, 6 clone, 1 copy_, 1 "
     "fill_, 1 gelu, 2 index, 4 mul, 2 native_layer_norm, 1 new_empty, 2 sub",
     "bf16[1,6,6,32]", {10704, 792576, 90800, 65248, 27376, 2304}},
    {"Block in windows that do not fit", "bf16[2,4,5,32]",
     [](Bench& x) { return x.make<Block>(bf16, sam(), 3)(x.a); },
     "1 _scaled_dot_product_efficient_attention, 2 _to_copy, 5 add, 4 addmm, 4 arange, 2 bmm, 7 clone, 2 copy_, 2 "
     "fill_, 1 gelu, 2 index, 4 mul, 2 native_layer_norm, 2 new_empty, 2 sub",
     "bf16[2,4,5,32]", {10704, 1191936, 137840, 116448, 54736, 2560}},
    {"Block of the whole image", "bf16[1,4,4,32]",
     [](Bench& x) { return x.make<Block>(bf16, sam(), 0)(x.a); },
     "1 _scaled_dot_product_efficient_attention, 2 _to_copy, 5 add, 4 addmm, 4 arange, 2 bmm, 4 clone, 1 gelu, 2 "
     "index, 4 mul, 2 native_layer_norm, 2 sub",
     "bf16[1,4,4,32]", {10736, 368640, 49600, 24016, 9216, 1024}},
    {"ImageEncoderViT", "bf16[1,3,16,16]",
     [](Bench& x) { return x.make<ImageEncoderViT>(bf16, sam())(x.a); },
     "4 _scaled_dot_product_efficient_attention, 8 _to_copy, 25 add, 1 add_, 16 addmm, 16 arange, 8 bmm, 31 clone, "
     "5 convolution, 4 copy_, 2 div, 4 fill_, 4 gelu, 8 index, 4 mean, 18 mul, 8 native_layer_norm, 4 new_empty, 2 "
     "pow, 2 sqrt, 12 sub",
     "bf16[1,1024,1,1]", {6542240, 39890944, 13419104, 294880, 33856, 2048}},
    {"ImageEncoderViT of a larger image", "bf16[2,3,32,32]",
     [](Bench& x) { return x.make<ImageEncoderViT>(bf16, sam())(x.a); },
     "4 _scaled_dot_product_efficient_attention, 18 _to_copy, 1 _upsample_bicubic2d_aa, 25 add, 1 add_, 16 addmm, "
     "16 arange, 8 bmm, 32 clone, 5 convolution, 5 copy_, 2 div, 1 empty, 4 fill_, 4 gelu, 8 index, 4 mean, 18 mul, "
     "8 native_layer_norm, 4 new_empty, 2 pow, 2 sqrt, 12 sub, 4 upsample_linear1d",
     "bf16[2,1024,2,2]", {6542240, 318380032, 15659680, 2243936, 270848, 16384}},
    {"ImageEncoderViT, two windowed layers and one of the whole", "bf16[1,3,16,16]",
     [](Bench& x) {
       SamArchitecture a = sam();
       a.depth = 3;
       a.global_attn_indexes = {2};
       return x.make<ImageEncoderViT>(bf16, a)(x.a);
     },
     "3 _scaled_dot_product_efficient_attention, 6 _to_copy, 20 add, 1 add_, 12 addmm, 12 arange, 6 bmm, 25 clone, "
     "5 convolution, 4 copy_, 2 div, 4 fill_, 3 gelu, 6 index, 4 mean, 14 mul, 6 native_layer_norm, 4 new_empty, 2 "
     "pow, 2 sqrt, 10 sub",
     "bf16[1,1024,1,1]", {6531504, 39522304, 13367456, 268816, 33856, 2048}},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(SecondImageEncoderAndProjector, RemoteLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"CLIPVisionEmbeddings of as many patches", "bf16[2,3,8,8] bf16[2,32,2,2]",
     [](Bench& x) { return x.make<CLIPVisionEmbeddings>(bf16, clip())(x.a, x.b); },
     "1 add, 1 cat, 1 embedding",
     "bf16[2,5,32]", {19008, 0, 1896, 1600, 1600, 640}},
    {"CLIPVisionEmbeddings of more patches", "bf16[1,3,8,8] bf16[1,32,4,4]",
     [](Bench& x) { return x.make<CLIPVisionEmbeddings>(bf16, clip())(x.a, x.b); },
     "2 _to_copy, 1 _upsample_bicubic2d_aa, 1 add, 2 cat, 1 clone, 1 embedding",
     "bf16[1,17,32]", {19008, 0, 7784, 7424, 4992, 1088}},
    {"NoTPFeedForward", "bf16[2,5,32]",
     [](Bench& x) { return x.make<NoTPFeedForward>(bf16, clip())(x.a); },
     "2 addmm, 1 jit.quick_gelu",
     "bf16[2,5,32]", {3152, 61440, 8864, 2560, 1920, 640}},
    {"NoTPFeedForward under autocast", "bf16[2,5,32]",
     [](Bench& x) { return x.make<NoTPFeedForward>(bf16, clip())(x.a); },
     "1 _to_copy, 2 addmm, 1 jit.quick_gelu",
     "bf16[2,5,32]", {3152, 61440, 10784, 4480, 3520, 640}, under_autocast()},
    {"NoTPAttention", "bf16[2,5,32]",
     [](Bench& x) { return x.make<NoTPAttention>(bf16, clip())(x.a); },
     "1 _scaled_dot_product_flash_attention, 2 addmm",
     "bf16[2,5,32]", {4224, 88320, 11648, 3384, 3200, 640}},
    {"NoTPTransformerBlock", "bf16[2,5,32]",
     [](Bench& x) { return x.make<NoTPTransformerBlock>(bf16, clip())(x.a); },
     "1 _scaled_dot_product_flash_attention, 2 add, 4 addmm, 1 jit.quick_gelu, 2 native_layer_norm",
     "bf16[2,5,32]", {7504, 149760, 24608, 8664, 3840, 640}},
    {"VitModel", "bf16[1,3,8,8] bf16[1,32,4,4]",
     [](Bench& x) { return x.make<VitModel>(bf16, clip())(x.a, x.b); },
     "2 _scaled_dot_product_flash_attention, 2 _to_copy, 1 _upsample_bicubic2d_aa, 5 add, 8 addmm, 2 cat, 1 clone, "
     "1 embedding, 2 jit.quick_gelu, 5 native_layer_norm",
     "bf16[1,17,32]", {34080, 561408, 71656, 38072, 9792, 1088}},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(Decoder, RemoteLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"DeepseekV2RMSNorm(32)", "bf16[2,6,32]",
     [](Bench& x) { return x.make<DeepseekV2RMSNorm>(bf16, 32)(x.a); },
     "2 _to_copy, 1 add, 1 mean, 2 mul, 1 pow, 1 rsqrt",
     "bf16[2,6,32]", {32, 0, 7888, 6288, 3168, 768}},
    {"DeepseekV2RMSNorm(32) under autocast", "bf16[2,6,32]",
     [](Bench& x) { return x.make<DeepseekV2RMSNorm>(bf16, 32)(x.a); },
     "2 _to_copy, 1 add, 1 mean, 2 mul, 1 pow, 1 rsqrt",
     "bf16[2,6,32]", {32, 0, 7888, 6288, 3168, 768}, under_autocast()},
    {"DeepseekV2MLP", "bf16[2,6,32]",
     [](Bench& x) { return x.make<DeepseekV2MLP>(bf16, 32, 48)(x.a); },
     "3 mm, 1 mul, 1 silu",
     "bf16[2,6,32]", {4608, 110592, 15360, 5376, 3456, 768}},
    {"MoEGate", "bf16[2,6,32]",
     [](Bench& x) { return gate(x, decoder()); },
     "1 _softmax, 2 _to_copy, 1 mm, 1 mul, 1 topk",
     "f32[12,2]", {160, 3840, 3840, 3040, 2416, 288}},
    {"MoEGate that normalises", "bf16[2,6,32]",
     [](Bench& x) { DecoderArchitecture a = decoder(); a.norm_topk_prob = true; return gate(x, a); },
     "1 _softmax, 2 _to_copy, 1 add, 1 div, 1 mm, 1 mul, 1 sum, 1 topk",
     "f32[12,2]", {160, 3840, 4128, 3232, 2416, 288}},
    {"MoEGate of one expert that would normalise", "bf16[1,6,32]",
     [](Bench& x) {
       DecoderArchitecture a = decoder();
       a.norm_topk_prob = true;
       a.num_experts_per_tok = 1;
       return gate(x, a);
     },
     "1 _softmax, 2 _to_copy, 1 mm, 1 mul, 1 topk",
     "f32[6,1]", {160, 1920, 2376, 1744, 1528, 72}},
    {"MoEGate under autocast", "bf16[2,6,32]",
     [](Bench& x) { return gate(x, decoder()); },
     "1 _softmax, 5 _to_copy, 1 mm, 1 mul, 1 topk",
     "f32[12,2]", {160, 3840, 5048, 4248, 3384, 288}, under_autocast()},
    {"DeepseekV2MoE, 12 tokens to 5 experts", "bf16[2,6,32]",
     [](Bench& x) { return x.make<DeepseekV2MoE>(bf16, decoder())(x.a, even_routing(24, 5)); },
     "1 _softmax, 5 _to_copy, 1 add, 1 cat, 1 empty_like, 1 floor_divide, 1 index, 1 index_put_, 19 mm, 7 mul, 1 "
     "mul_, 1 new_zeros, 1 scatter_, 6 silu, 1 sort, 2 sum, 1 topk",
     "bf16[2,6,32]", {16288, 225024, 68872, 30000, 11712, 768}},
    {"DeepseekV2MoE, one token to 2 of 5", "bf16[1,1,32]",
     [](Bench& x) { return x.make<DeepseekV2MoE>(bf16, decoder())(x.a, std::vector<int64_t>{1, 1, 0, 0, 0}); },
     "1 _softmax, 5 _to_copy, 1 add, 1 cat, 1 empty_like, 1 floor_divide, 1 index, 1 index_put_, 10 mm, 4 mul, 1 "
     "mul_, 1 new_zeros, 1 scatter_, 3 silu, 1 sort, 2 sum, 1 topk",
     "bf16[1,1,32]", {16288, 18752, 22400, 3160, 976, 64}},
    {"DeepseekV2MoE, experts with none between others", "bf16[1,4,32]",
     [](Bench& x) { return x.make<DeepseekV2MoE>(bf16, decoder())(x.a, std::vector<int64_t>{3, 0, 3, 0, 2}); },
     "1 _softmax, 5 _to_copy, 1 add, 1 cat, 1 empty_like, 1 floor_divide, 1 index, 1 index_put_, 13 mm, 5 mul, 1 "
     "mul_, 1 new_zeros, 1 scatter_, 4 silu, 1 sort, 2 sum, 1 topk",
     "bf16[1,4,32]", {16288, 75008, 35912, 10480, 3904, 256}},
    {"DeepseekV2MoE without shared experts", "bf16[1,6,32]",
     [](Bench& x) {
       DecoderArchitecture a = decoder();
       a.n_shared_experts = 0;
       return x.make<DeepseekV2MoE>(bf16, a)(x.a, even_routing(12, 5));
     },
     "1 _softmax, 5 _to_copy, 1 cat, 1 empty_like, 1 floor_divide, 1 index, 1 index_put_, 16 mm, 6 mul, 1 mul_, 1 "
     "new_zeros, 1 scatter_, 5 silu, 1 sort, 2 sum, 1 topk",
     "bf16[1,6,32]", {11680, 57216, 38008, 12288, 5856, 384}},
    {"DeepseekV2MoE under autocast", "bf16[1,6,32]",
     [](Bench& x) { return x.make<DeepseekV2MoE>(bf16, decoder())(x.a, even_routing(12, 5)); },
     "1 _softmax, 8 _to_copy, 1 add, 1 cat, 1 empty_like, 1 floor_divide, 1 index, 1 index_put_, 19 mm, 7 mul, 1 "
     "mul_, 1 new_zeros, 1 scatter_, 6 silu, 1 sort, 2 sum, 1 topk",
     "bf16[1,6,32]", {16288, 112512, 51828, 16124, 5856, 384}, under_autocast()},
    {"DeepseekV2DecoderLayer, dense, prompt", "bf16[2,6,32] i64[2,6]",
     [](Bench& x) { return layer(x, decoder(), AttentionImplementation::flash_attention_2, false, 0); },
     "1 _flash_attention_forward, 8 _to_copy, 6 add, 1 all, 1 bmm, 3 cat, 1 cos, 1 ge, 2 mean, 7 mm, 11 mul, 2 neg, "
     "2 pow, 2 rsqrt, 1 silu, 1 sin, 1 sub",
     "bf16[2,6,32]", {8768, 218208, 59906, 33107, 6528, 2304}},
    {"DeepseekV2DecoderLayer, dense, prompt, eager", "bf16[1,6,32] i64[1,6] bf16[1,1,6,6]",
     [](Bench& x) { return layer(x, decoder(), AttentionImplementation::eager, false, 0); },
     "1 _softmax, 10 _to_copy, 7 add, 3 bmm, 3 cat, 1 clone, 1 cos, 1 div, 2 mean, 7 mm, 11 mul, 2 neg, 2 pow, 2 "
     "rsqrt, 1 silu, 1 sin",
     "bf16[1,6,32]", {8768, 109104, 41368, 19096, 3264, 1152}},
    {"DeepseekV2DecoderLayer, dense, a token behind 7", "bf16[2,1,32] i64[2,1]",
     [](Bench& x) { return layer(x, decoder(), AttentionImplementation::flash_attention_2, false, 7); },
     "1 _flash_attention_forward, 8 _to_copy, 6 add, 1 bmm, 5 cat, 1 cos, 2 mean, 7 mm, 11 mul, 2 neg, 2 pow, 2 "
     "rsqrt, 1 silu, 1 sin",
     "bf16[2,1,32]", {8768, 36880, 28416, 7584, 1728, 384}},
    {"DeepseekV2DecoderLayer, dense, a token behind 7, eager", "bf16[2,1,32] i64[2,1] bf16[2,1,1,8]",
     [](Bench& x) { return layer(x, decoder(), AttentionImplementation::eager, false, 7); },
     "1 _softmax, 10 _to_copy, 7 add, 3 bmm, 5 cat, 1 cos, 1 div, 2 mean, 7 mm, 11 mul, 2 neg, 2 pow, 2 rsqrt, 1 "
     "silu, 1 sin",
     "bf16[2,1,32]", {8768, 36880, 29472, 8552, 1728, 384}},
    {"DeepseekV2DecoderLayer, dense, prompt, two key and value heads", "bf16[2,6,32] i64[2,6]",
     [](Bench& x) { return layer(x, two_kv_heads(), AttentionImplementation::flash_attention_2, false, 0); },
     "1 _flash_attention_forward, 8 _to_copy, 6 add, 1 all, 1 bmm, 3 cat, 1 cos, 1 ge, 2 mean, 7 mm, 11 mul, 2 neg, "
     "2 pow, 2 rsqrt, 1 silu, 1 sin, 1 sub",
     "bf16[2,6,32]", {7744, 193632, 54978, 30611, 5760, 1536}},
    {"DeepseekV2DecoderLayer, dense, prompt, eager, two key and value heads", "bf16[1,6,32] i64[1,6] bf16[1,1,6,6]",
     [](Bench& x) { return layer(x, two_kv_heads(), AttentionImplementation::eager, false, 0); },
     "1 _softmax, 10 _to_copy, 7 add, 3 bmm, 3 cat, 3 clone, 1 cos, 1 div, 2 mean, 7 mm, 11 mul, 2 neg, 2 pow, 2 "
     "rsqrt, 1 silu, 1 sin",
     "bf16[1,6,32]", {7744, 96816, 38648, 18616, 3552, 768}},
    {"DeepseekV2DecoderLayer, dense, a token behind 7, two key and value heads", "bf16[2,1,32] i64[2,1]",
     [](Bench& x) { return layer(x, two_kv_heads(), AttentionImplementation::flash_attention_2, false, 7); },
     "1 _flash_attention_forward, 8 _to_copy, 6 add, 1 bmm, 5 cat, 1 cos, 2 mean, 7 mm, 11 mul, 2 neg, 2 pow, 2 "
     "rsqrt, 1 silu, 1 sin",
     "bf16[2,1,32]", {7744, 32784, 23968, 6144, 1024, 256}},
    {"DeepseekV2DecoderLayer, dense, a token behind 7, eager, two key and value heads",
     "bf16[2,1,32] i64[2,1] bf16[2,1,1,8]",
     [](Bench& x) { return layer(x, two_kv_heads(), AttentionImplementation::eager, false, 7); },
     "1 _softmax, 10 _to_copy, 7 add, 3 bmm, 5 cat, 2 clone, 1 cos, 1 div, 2 mean, 7 mm, 11 mul, 2 neg, 2 pow, 2 "
     "rsqrt, 1 silu, 1 sin",
     "bf16[2,1,32]", {7744, 32784, 27072, 9160, 3136, 256}},
    {"DeepseekV2DecoderLayer, experts", "bf16[1,6,32] i64[1,6]",
     [](Bench& x) { return layer(x, decoder(), AttentionImplementation::flash_attention_2, true, 0); },
     "1 _flash_attention_forward, 1 _softmax, 13 _to_copy, 7 add, 1 all, 1 bmm, 4 cat, 1 cos, 1 empty_like, 1 "
     "floor_divide, 1 ge, 1 index, 1 index_put_, 2 mean, 23 mm, 17 mul, 1 mul_, 2 neg, 1 new_zeros, 2 pow, 2 rsqrt, "
     "1 scatter_, 6 silu, 1 sin, 1 sort, 1 sub, 2 sum, 1 topk",
     "bf16[1,6,32]", {20448, 166320, 77509, 29246, 7392, 1152}},
    {"DeepseekV2DecoderLayer, dense, under autocast", "bf16[1,6,32] i64[1,6]",
     [](Bench& x) { return layer(x, decoder(), AttentionImplementation::flash_attention_2, false, 0); },
     "1 _flash_attention_forward, 8 _to_copy, 6 add, 1 all, 1 bmm, 3 cat, 1 cos, 1 ge, 2 mean, 7 mm, 11 mul, 2 neg, "
     "2 pow, 2 rsqrt, 1 silu, 1 sin, 1 sub",
     "bf16[1,6,32]", {8768, 109104, 38733, 16574, 3264, 1152}, under_autocast()},
}));
// clang-format on

}  // namespace
}  // namespace modelmeter::deepseek_ocr::remote
