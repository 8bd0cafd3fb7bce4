// The encoders of transformers against the modules that they are twins of: transformers 5.23.0, models/umt5/
// modeling_umt5.py and models/clip/modeling_clip.py.
//
// How a row was made: the module was built with these small sizes on fake CUDA tensors and called under
// tools/reference's recorder. From its record: how often each kernel runs, the result, parameters, FLOPs of
// torch.utils.flop_counter, bytes read and written, and live memory above the start, highest and at the end.
#include "testing/layers.h"

#include <gtest/gtest.h>

#include "model/transformers/clip.h"
#include "model/transformers/umt5.h"

namespace modelmeter::transformers {
namespace {

using testing_calls::Bench;
using testing_calls::by_matrix_products;
using testing_calls::LayerCall;

const BuildContext f32{DType::float32}, bf16{DType::bfloat16}, f16{DType::float16};

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

class TransformersLayer : public testing::TestWithParam<LayerCall> {};

TEST_P(TransformersLayer, IsTheModuleThatWasRecorded) { testing_calls::expect_recorded(GetParam()); }

// clang-format off
INSTANTIATE_TEST_SUITE_P(TextEncoder, TransformersLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"UMT5LayerNorm(32)", "bf16[2,6,32]",
     [](Bench& x) { return x.make<UMT5LayerNorm>(bf16, 32)(x.a); },
     "2 _to_copy, 1 add, 1 mean, 2 mul, 1 pow, 1 rsqrt",
     "bf16[2,6,32]", {32, 0, 7120, 6288, 3072, 768}},
    {"UMT5LayerNorm(32) in f32", "f32[2,6,32]",
     [](Bench& x) { return x.make<UMT5LayerNorm>(f32, 32)(x.a); },
     "1 add, 1 mean, 2 mul, 1 pow, 1 rsqrt",
     "f32[2,6,32]", {32, 0, 6416, 4752, 3120, 1536}},
    {"UMT5DenseGatedActDense", "bf16[2,6,32]",
     [](Bench& x) { return x.make<UMT5DenseGatedActDense>(bf16, text())(x.a); },
     "2 add, 3 mm, 5 mul, 1 pow, 1 tanh",
     "bf16[2,6,32]", {3840, 92160, 21696, 11328, 3840, 768}},
    {"UMT5LayerFF", "bf16[2,6,32]",
     [](Bench& x) { return x.make<UMT5LayerFF>(bf16, text())(x.a); },
     "2 _to_copy, 4 add, 1 mean, 3 mm, 7 mul, 2 pow, 1 rsqrt, 1 tanh",
     "bf16[2,6,32]", {3872, 92160, 30352, 18384, 4608, 768}},
    {"UMT5Attention", "bf16[2,6,32] bool[2,1,6,6]",
     [](Bench& x) { return x.make<UMT5Attention>(bf16, text())(x.a, x.b); },
     "1 _scaled_dot_product_efficient_attention, 3 _to_copy, 1 abs, 3 add, 1 add_, 2 arange, 1 clone, 1 copy_, 2 "
     "div, 1 embedding, 1 fill_, 1 full_like, 1 gt, 1 log, 1 lt, 1 minimum, 4 mm, 2 mul, 1 new_empty, 1 "
     "scalar_tensor, 1 sub, 2 where",
     "bf16[2,6,32]", {3104, 80640, 18098, 9978, 3952, 768}},
    {"UMT5Attention of 9 tokens by matrix products", "bf16[1,9,32] bool[1,1,9,9]",
     [](Bench& x) { return x.make<UMT5Attention>(bf16, text())(x.a, x.b); },
     "1 _softmax, 8 _to_copy, 1 abs, 4 add, 1 add_, 1 all, 2 arange, 2 bmm, 2 clone, 2 div, 1 embedding, 1 eq, 1 "
     "full_like, 1 gt, 1 log, 1 lt, 1 minimum, 4 mm, 4 mul, 1 scalar_tensor, 1 sub, 3 where, 1 zeros",
     "bf16[1,9,32]", {3104, 63072, 37101, 25188, 9976, 576}, by_matrix_products()},
    {"UMT5Block", "bf16[2,6,32] bool[2,1,6,6]",
     [](Bench& x) { return x.make<UMT5Block>(bf16, text())(x.a, x.b); },
     "1 _scaled_dot_product_efficient_attention, 7 _to_copy, 1 abs, 9 add, 1 add_, 2 arange, 1 clone, 1 copy_, 2 "
     "div, 1 embedding, 1 fill_, 1 full_like, 1 gt, 1 log, 1 lt, 2 mean, 1 minimum, 7 mm, 11 mul, 1 new_empty, 3 "
     "pow, 2 rsqrt, 1 scalar_tensor, 1 sub, 1 tanh, 2 where",
     "bf16[2,6,32]", {7008, 172800, 57106, 35418, 5376, 768}},
    {"UMT5EncoderModel", "i64[2,6] i64[2,6]",
     [](Bench& x) { return x.make<UMT5EncoderModel>(bf16, text())(x.a, x.b); },
     "2 _scaled_dot_product_efficient_attention, 17 _to_copy, 2 abs, 21 add, 2 add_, 8 arange, 2 bitwise_and, 2 "
     "clone, 2 copy_, 4 div, 3 embedding, 2 fill_, 2 full_like, 1 ge, 2 gt, 1 index, 2 log, 2 lt, 5 mean, 2 "
     "minimum, 14 mm, 24 mul, 2 new_empty, 1 new_ones, 7 pow, 5 rsqrt, 2 scalar_tensor, 2 sub, 2 tanh, 4 where",
     "bf16[2,6,32]", {17248, 345600, 122537, 78217, 6984, 768}},
    {"UMT5EncoderModel of 16 buckets and 3 layers", "i64[1,8] i64[1,8]",
     [](Bench& x) {
       TextEncoderArchitecture a = text();
       a.num_buckets = 16;
       a.num_layers = 3;
       return x.make<UMT5EncoderModel>(bf16, a)(x.a, x.b);
     },
     "3 _scaled_dot_product_efficient_attention, 24 _to_copy, 3 abs, 30 add, 3 add_, 10 arange, 2 bitwise_and, 3 "
     "clone, 6 div, 4 embedding, 3 full_like, 1 ge, 3 gt, 1 index, 3 log, 3 lt, 7 mean, 3 minimum, 21 mm, 35 mul, 1 "
     "new_ones, 10 pow, 7 rsqrt, 3 scalar_tensor, 3 sub, 3 tanh, 6 where",
     "bf16[1,8,32]", {24352, 350208, 151823, 88455, 6272, 512}},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(ImageEncoder, TransformersLayer, testing::ValuesIn(std::vector<LayerCall>{
    {"CLIPVisionEmbeddings", "f32[2,3,28,28]",
     [](Bench& x) { return x.make<CLIPVisionEmbeddings>(f32, image())(x.a); },
     "1 add, 1 cat, 1 convolution, 1 embedding",
     "f32[2,5,32]", {19008, 301056, 97832, 4224, 4224, 1280}},
    {"CLIPVisionEmbeddings in f16", "f32[1,3,28,28]",
     [](Bench& x) { return x.make<CLIPVisionEmbeddings>(f16, image())(x.a); },
     "1 _to_copy, 1 add, 1 cat, 1 convolution, 1 embedding",
     "f16[1,5,32]", {19008, 150528, 53064, 5920, 4960, 320}},
    {"CLIPAttention", "f32[2,5,32]",
     [](Bench& x) { return x.make<CLIPAttention>(f32, image())(x.a); },
     "1 _scaled_dot_product_efficient_attention, 4 addmm",
     "f32[2,5,32]", {4224, 88320, 25856, 6416, 6400, 1280}},
    {"CLIPAttention in f16", "f16[2,5,32]",
     [](Bench& x) { return x.make<CLIPAttention>(f16, image())(x.a); },
     "1 _scaled_dot_product_flash_attention, 4 addmm",
     "f16[2,5,32]", {4224, 88320, 12928, 3384, 3200, 640}},
    {"CLIPMLP", "f32[2,5,32]",
     [](Bench& x) { return x.make<CLIPMLP>(f32, image())(x.a); },
     "2 addmm, 1 gelu",
     "f32[2,5,32]", {6272, 122880, 34048, 8960, 7680, 1280}},
    {"CLIPMLP with quick_gelu", "f16[2,5,32]",
     [](Bench& x) {
       ImageEncoderArchitecture a = image();
       a.activation = "quick_gelu";
       return x.make<CLIPMLP>(f16, a)(x.a);
     },
     "2 addmm, 2 mul, 1 sigmoid",
     "f16[2,5,32]", {6272, 122880, 22784, 8320, 5760, 640}},
    {"CLIPEncoderLayer", "f32[2,5,32]",
     [](Bench& x) { return x.make<CLIPEncoderLayer>(f32, image())(x.a); },
     "1 _scaled_dot_product_efficient_attention, 2 add, 6 addmm, 1 gelu, 2 native_layer_norm",
     "f32[2,5,32]", {10624, 211200, 68096, 20656, 10240, 1280}},
    {"CLIPVisionModel", "f32[2,3,28,28]",
     [](Bench& x) { return x.make<CLIPVisionModel>(f32, image())(x.a); },
     "3 _scaled_dot_product_efficient_attention, 7 add, 18 addmm, 1 cat, 1 clone, 1 convolution, 1 embedding, 3 "
     "gelu, 8 native_layer_norm",
     "f32[2,5,32]", {51008, 934656, 304424, 68080, 14080, 1280}},
    {"CLIPVisionModel of 2 layers by matrix products", "f32[1,3,28,28]",
     [](Bench& x) {
       ImageEncoderArchitecture a = image();
       a.num_layers = 2;
       return x.make<CLIPVisionModel>(f16, a)(x.a);
     },
     "2 _softmax, 11 _to_copy, 5 add, 12 addmm, 2 all, 4 bmm, 1 cat, 2 clone, 1 convolution, 1 embedding, 2 eq, 2 "
     "gelu, 4 mul, 6 native_layer_norm, 2 where, 2 zeros",
     "f16[1,5,32]", {40384, 361728, 121568, 28120, 6040, 320}, by_matrix_products()},
}));
// clang-format on

}  // namespace
}  // namespace modelmeter::transformers
