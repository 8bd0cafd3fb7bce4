// DeepSeek-OCR-2's layers against the modules that they are twins of: transformers 5.23.0, models/deepseek_ocr2/
// modeling_deepseek_ocr2.py, in bfloat16, convolutions as cuDNN runs them. Class names are without DeepseekOcr2.
//
// How a row was made: the module was built with these small sizes on fake CUDA tensors and called under
// tools/reference's recorder. From its record: how often each kernel runs, the result, parameters, FLOPs of
// torch.utils.flop_counter, bytes read and written, and live memory above the start, highest and at the end.
#include "testing/layers.h"

#include <gtest/gtest.h>

#include "model/deepseek_ocr/transformers/encoder.h"
#include "model/deepseek_ocr/transformers/moe.h"

namespace modelmeter::deepseek_ocr::transformers {
namespace {

using testing_calls::Bench;
using testing_calls::LayerCall;

const BuildContext bf16{DType::bfloat16};

SamArchitecture sam() {
  SamArchitecture a;
  a.hidden_size = 32;
  a.num_hidden_layers = 4;
  a.num_attention_heads = 4;
  a.image_size = 16;
  a.patch_size = 4;
  a.window_size = 3;
  a.mlp_dim = 96;
  a.global_attn_indexes = {1, 3};
  a.output_channels = 8;
  a.downsample_channels = {12, 16};
  return a;
}

EncoderArchitecture encoder() { return {16, 24, 2, 4, 2}; }

DecoderArchitecture decoder() {
  DecoderArchitecture a;
  a.hidden_size = 32;
  a.moe_intermediate_size = 24;
  a.n_routed_experts = 5;
  a.num_experts_per_tok = 2;
  a.n_shared_experts = 2;
  return a;
}

Tensor router(Bench& x) {
  const Routing routing = x.make<TextTopkRouter>(bf16, decoder())(x.a);
  x.b = routing.indices;  // all are returned
  x.c = routing.logits;
  return routing.weights;
}

class Ocr2Layer : public testing::TestWithParam<LayerCall> {};

TEST_P(Ocr2Layer, IsTheModuleThatWasRecorded) { testing_calls::expect_recorded(GetParam()); }

// clang-format off
INSTANTIATE_TEST_SUITE_P(FirstImageEncoder, Ocr2Layer, testing::ValuesIn(std::vector<LayerCall>{
    {"SamVisionLayer in windows that fit", "bf16[1,6,6,32]",
     [](Bench& x) { return x.make<SamVisionLayer>(bf16, sam(), 3, AttentionImplementation::sdpa)(x.a); },
     "1 _scaled_dot_product_efficient_attention, 2 _to_copy, 3 add, 4 addmm, 2 bmm, 6 clone, 1 copy_, 1 fill_, 1 "
     "gelu, 2 index, 2 native_layer_norm, 1 new_empty, 2 upsample_linear1d",
     "bf16[1,6,6,32]", {10704, 792576, 93984, 68288, 25648, 2304}},
    {"SamVisionLayer in windows that do not fit", "bf16[2,4,5,32]",
     [](Bench& x) { return x.make<SamVisionLayer>(bf16, sam(), 3, AttentionImplementation::sdpa)(x.a); },
     "1 _scaled_dot_product_efficient_attention, 2 _to_copy, 3 add, 4 addmm, 2 bmm, 6 clone, 2 copy_, 2 fill_, 1 "
     "gelu, 2 index, 2 native_layer_norm, 2 new_empty, 2 upsample_linear1d",
     "bf16[2,4,5,32]", {10704, 1191936, 139584, 118048, 51280, 2560}},
    {"SamVisionLayer of the whole image", "bf16[1,4,4,32]",
     [](Bench& x) { return x.make<SamVisionLayer>(bf16, sam(), 0, AttentionImplementation::sdpa)(x.a); },
     "1 _scaled_dot_product_efficient_attention, 2 _to_copy, 3 add, 4 addmm, 2 bmm, 3 clone, 1 gelu, 2 index, 2 "
     "native_layer_norm, 2 upsample_linear1d",
     "bf16[1,4,4,32]", {10736, 368640, 50656, 24816, 8192, 1024}},
    {"SamVisionLayer of a larger image", "bf16[1,6,6,32]",
     [](Bench& x) { return x.make<SamVisionLayer>(bf16, sam(), 0, AttentionImplementation::sdpa)(x.a); },
     "1 _scaled_dot_product_efficient_attention, 2 _to_copy, 3 add, 4 addmm, 2 bmm, 3 clone, 1 copy_, 1 fill_, 1 "
     "gelu, 2 index, 2 native_layer_norm, 1 new_empty, 2 upsample_linear1d",
     "bf16[1,6,6,32]", {10736, 930816, 110176, 90224, 33424, 2304}},
    {"SamVisionLayer, eager", "bf16[1,4,4,32]",
     [](Bench& x) { return x.make<SamVisionLayer>(bf16, sam(), 0, AttentionImplementation::eager)(x.a); },
     "1 _softmax, 4 _to_copy, 4 add, 4 addmm, 4 bmm, 4 clone, 1 gelu, 2 index, 1 mul, 2 native_layer_norm, 2 "
     "upsample_linear1d",
     "bf16[1,4,4,32]", {10736, 368640, 67040, 41184, 16384, 1024}},
    {"SamVisionNeck", "bf16[1,4,4,32]",
     [](Bench& x) { return x.make<SamVisionNeck>(bf16, sam())(x.a); },
     "2 convolution, 2 native_layer_norm",
     "bf16[1,8,4,4]{-,1,32,8}", {864, 26624, 3520, 1280, 640, 256}},
    {"SamVisionProj", "bf16[1,8,4,4]",
     [](Bench& x) { return x.make<SamVisionProj>(bf16, sam())(x.a); },
     "2 convolution",
     "bf16[1,16,1,1]", {2592, 10368, 5536, 128, 128, 32}},
    {"SamVisionEncoder", "bf16[1,3,16,16]",
     [](Bench& x) { return x.make<SamVisionEncoder>(bf16, sam(), AttentionImplementation::sdpa)(x.a); },
     "4 _scaled_dot_product_efficient_attention, 8 _to_copy, 13 add, 1 add_, 16 addmm, 8 bmm, 27 clone, 5 "
     "convolution, 4 copy_, 4 fill_, 4 gelu, 8 index, 10 native_layer_norm, 4 new_empty, 8 upsample_linear1d",
     "bf16[1,16,1,1]", {48416, 1917056, 280736, 174432, 26672, 32}},
    {"SamVisionEncoder of a larger image", "bf16[2,3,32,32]",
     [](Bench& x) { return x.make<SamVisionEncoder>(bf16, sam(), AttentionImplementation::sdpa)(x.a); },
     "4 _scaled_dot_product_efficient_attention, 10 _to_copy, 1 _upsample_bicubic2d_aa, 13 add, 1 add_, 16 addmm, 8 "
     "bmm, 28 clone, 5 convolution, 5 copy_, 1 empty, 4 fill_, 4 gelu, 8 index, 10 native_layer_norm, 4 new_empty, "
     "8 upsample_linear1d",
     "bf16[2,16,2,2]{64,1,32,16}", {48416, 14588928, 1537824, 1355968, 196608, 256}},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(SecondImageEncoder, Ocr2Layer, testing::ValuesIn(std::vector<LayerCall>{
    {"VisionEncoder of 4 features and 3 queries", "bf16[2,7,16]",
     [](Bench& x) { return x.make<VisionEncoder>(bf16, encoder(), AttentionImplementation::sdpa)(x.a, 4); },
     "2 _scaled_dot_product_efficient_attention, 13 _to_copy, 15 add, 6 addmm, 5 arange, 1 bitwise_and, 2 "
     "bitwise_or, 5 cat, 4 clone, 2 copy_, 1 cos, 1 eq, 3 fill_, 1 full, 1 ge, 2 index, 1 le, 5 mean, 8 mm, 23 mul, "
     "4 neg, 2 new_empty, 1 new_zeros, 5 pow, 5 rsqrt, 4 scalar_tensor, 2 silu, 1 sin, 2 where",
     "bf16[2,7,16]", {3984, 120064, 60013, 41387, 3754, 448}},
    {"VisionEncoder, eager", "bf16[1,7,16]",
     [](Bench& x) { return x.make<VisionEncoder>(bf16, encoder(), AttentionImplementation::eager)(x.a, 4); },
     "2 _softmax, 17 _to_copy, 17 add, 6 addmm, 5 arange, 1 bitwise_and, 2 bitwise_or, 4 bmm, 5 cat, 6 clone, 1 "
     "cos, 1 eq, 1 fill_, 1 full, 1 ge, 2 index, 1 le, 5 mean, 8 mm, 25 mul, 4 neg, 1 new_zeros, 5 pow, 5 rsqrt, 1 "
     "scalar_tensor, 2 silu, 1 sin, 1 where, 1 zeros",
     "bf16[1,7,16]", {3984, 60032, 41317, 27451, 3626, 224}},
}));
// clang-format on

// clang-format off
INSTANTIATE_TEST_SUITE_P(Decoder, Ocr2Layer, testing::ValuesIn(std::vector<LayerCall>{
    {"TextTopkRouter", "bf16[2,6,32]",
     [](Bench& x) { return router(x); },
     "1 _softmax, 2 _to_copy, 1 mm, 1 mul, 1 topk",
     "f32[12,2]", {160, 3840, 3840, 3040, 2416, 528}},
    {"TextMoe by grouped products", "bf16[1,6,32]",
     [](Bench& x) { return x.make<TextMoe>(bf16, decoder())(x.a, ExpertsImplementation::grouped_mm); },
     "2 _grouped_mm, 1 _softmax, 4 _to_copy, 1 add, 1 arange, 1 cumsum, 1 empty_like, 1 floor_divide, 1 histc, 3 "
     "index, 1 index_put_, 4 mm, 4 mul, 2 silu, 1 sort, 1 sum, 1 topk",
     "bf16[1,6,32]", {16288, 57216, 48012, 13592, 5296, 384}},
    {"TextMoe by batched products", "bf16[2,1,32]",
     [](Bench& x) { return x.make<TextMoe>(bf16, decoder())(x.a, ExpertsImplementation::batched_mm); },
     "1 _softmax, 3 _to_copy, 1 add, 2 bmm, 1 clone, 2 index, 4 mm, 4 mul, 2 silu, 1 sum, 1 topk",
     "bf16[2,1,32]", {16288, 37504, 51056, 22672, 18968, 128}},
}));
// clang-format on

}  // namespace
}  // namespace modelmeter::deepseek_ocr::transformers
