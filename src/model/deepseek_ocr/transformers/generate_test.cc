#include "model/deepseek_ocr/transformers/generate.h"

#include <gtest/gtest.h>

#include "recording/expansion.h"

namespace modelmeter::deepseek_ocr::transformers {
namespace {

// Small, with what the published model has: windowed and global layers, a dense layer before those with experts.
OcrForConditionalGeneration small(AttentionImplementation implementation) {
  Architecture a;
  a.sam.hidden_size = 96;
  a.sam.num_hidden_layers = 4;
  a.sam.num_attention_heads = 3;
  a.sam.mlp_dim = 128;
  a.sam.global_attn_indexes = {2};
  a.sam.output_channels = 32;
  a.sam.downsample_channels = {48, 64};
  a.encoder = {64, 96, 3, 4, 2};
  DecoderArchitecture& d = a.decoder;
  d.vocab_size = 1000;
  d.hidden_size = 128;
  d.intermediate_size = 256;
  d.moe_intermediate_size = 64;
  d.num_hidden_layers = 4;
  d.num_attention_heads = d.num_key_value_heads = 4;
  d.n_routed_experts = 8;
  d.n_shared_experts = 2;
  d.num_experts_per_tok = 3;
  d.first_k_dense_replace = 1;
  d.max_position_embeddings = 8192;
  return OcrForConditionalGeneration(BuildContext{DType::bfloat16}, a, implementation);
}

class Ocr2Generation : public testing::TestWithParam<AttentionImplementation> {};

// Steps that are counted are what steps traced one by one are, kernel by kernel.
TEST_P(Ocr2Generation, CountsDecodeStepsExactly) {
  const OcrForConditionalGeneration model = small(GetParam());
  GenerateInputs in;
  in.page = page_layout(1000, 1000);
  for (const int64_t steps : {0, 1, 2, 3, 9}) {
    Tracer counted, traced;
    {
      Tracer::Guard guard(counted);
      in.decode_steps = steps;
      generate(model, in);
    }
    {
      Tracer::Guard guard(traced);
      in.decode_steps = 1;
      const ImageFeatures features = vision(model, in);
      DynamicCache cache;
      prefill(model, in, features, cache);
      for (int64_t i = 0; i < steps; ++i) decode(model, in, cache);
    }
    const std::vector<RecordedOp> a = recorded_ops(counted.trace()), b = recorded_ops(traced.trace());
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      ASSERT_EQ(a[i].kernel, b[i].kernel) << i;
      ASSERT_EQ(a[i].scope, b[i].scope) << i;
      ASSERT_EQ(a[i].inputs, b[i].inputs) << i;
      ASSERT_EQ(a[i].outputs, b[i].outputs) << i;
      ASSERT_EQ(a[i].read, b[i].read) << i;
      ASSERT_EQ(a[i].live, b[i].live) << i << " " << a[i].kernel << " " << a[i].scope;
    }
    const Rollup of_counted = roll_up(counted.trace()), of_traced = roll_up(traced.trace());
    EXPECT_TRUE(of_counted.total() == of_traced.total());
    EXPECT_EQ(of_counted.peak_live, of_traced.peak_live);
  }
}

INSTANTIATE_TEST_SUITE_P(Attention, Ocr2Generation,
                         testing::Values(AttentionImplementation::sdpa, AttentionImplementation::eager),
                         [](const auto& test) {
                           return std::string(test.param == AttentionImplementation::sdpa ? "sdpa" : "eager");
                         });

// The experts of the prompt: 2 x assignments x (hidden x 2 inner + inner x hidden), which FlopCounterMode leaves out.
TEST(Ocr2Experts, OfThePromptCountInFullAndNotInTorch) {
  const OcrForConditionalGeneration model = small(AttentionImplementation::sdpa);
  GenerateInputs in;
  Tracer tracer;
  Tracer::Guard guard(tracer);
  DynamicCache cache;
  prefill(model, in, features_of(model, in), cache);
  const Cost cost = roll_up(tracer.trace()).total();
  const int64_t moe_layers = 3, assignments = in.context_tokens() * 3;
  EXPECT_EQ(cost.flops_tensor - cost.flops_torch(), moe_layers * 2 * assignments * 3 * 128 * 64);
  EXPECT_EQ(cost.flops_full(), cost.flops_tensor + cost.flops_vector);
}

}  // namespace
}  // namespace modelmeter::deepseek_ocr::transformers
