#include <gtest/gtest.h>

#include "base/error.h"
#include "model/deepseek_ocr/remote/sampling.h"
#include "recording/expansion.h"

namespace modelmeter::deepseek_ocr::remote {
namespace {

// Small, with what the published model has: a dense layer before layers with experts.
Architecture small() {
  Architecture a;
  DecoderArchitecture& d = a.decoder;
  d.vocab_size = 1000;
  d.hidden_size = 1280;
  d.intermediate_size = 512;
  d.moe_intermediate_size = 128;
  d.num_hidden_layers = 4;
  d.num_attention_heads = 10;
  d.num_key_value_heads = 5;
  d.n_routed_experts = 8;
  d.n_shared_experts = 2;
  d.num_experts_per_tok = 3;
  d.first_k_dense_replace = 1;
  d.max_position_embeddings = 8192;
  return a;
}

GenerateInputs reading(int64_t decode_steps) {
  GenerateInputs in;
  in.page = page_layout(page_mode("tiny"), 500, 500);
  in.decode_steps = decode_steps;
  return in;
}

void expect_same(const std::vector<RecordedOp>& a, const std::vector<RecordedOp>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].kernel, b[i].kernel) << i;
    ASSERT_EQ(a[i].scope, b[i].scope) << i;
    ASSERT_EQ(a[i].inputs, b[i].inputs) << i;
    ASSERT_EQ(a[i].outputs, b[i].outputs) << i;
    ASSERT_EQ(a[i].flops, b[i].flops) << i;
    ASSERT_EQ(a[i].read, b[i].read) << i;
    ASSERT_EQ(a[i].write, b[i].write) << i;
    ASSERT_EQ(a[i].live, b[i].live) << i << " " << a[i].kernel << " " << a[i].scope;
  }
}

class Generation : public testing::TestWithParam<AttentionImplementation> {};

// Steps that are counted are what steps traced one by one are, kernel by kernel.
TEST_P(Generation, CountsDecodeStepsExactly) {
  const DeepseekOCRForCausalLM model(BuildContext{DType::bfloat16}, small(), GetParam());
  for (const int64_t steps : {0, 1, 2, 3, 9}) {
    Tracer counted, traced;
    {
      Tracer::Guard guard(counted);
      generate(model, reading(steps));
    }
    {
      Tracer::Guard guard(traced);
      DynamicCache cache;
      prefill(model, reading(0), cache);
      for (int64_t i = 0; i < steps; ++i) decode(model, reading(1), cache);
    }
    expect_same(recorded_ops(counted.trace()), recorded_ops(traced.trace()));
    const Rollup a = roll_up(counted.trace()), b = roll_up(traced.trace());
    EXPECT_TRUE(a.total() == b.total());
    EXPECT_EQ(a.peak_live, b.peak_live);
  }
}

// So are they with what generate() runs between two of them: a shorter reading is the beginning of a longer one.
TEST_P(Generation, CountsStepsWithSamplingExactly) {
  const DeepseekOCRForCausalLM model(BuildContext{DType::bfloat16}, small(), GetParam());
  const auto kernels = [&](int64_t steps) {
    Tracer tracer;
    Tracer::Guard guard(tracer);
    infer(model, reading(steps));
    return recorded_ops(tracer.trace());
  };
  const std::vector<RecordedOp> longest = kernels(9);
  for (const int64_t steps : {0, 1, 2, 3, 4}) {
    const std::vector<RecordedOp> shorter = kernels(steps);
    ASSERT_LT(shorter.size(), longest.size());
    expect_same(shorter, {longest.begin(), longest.begin() + static_cast<std::ptrdiff_t>(shorter.size())});
  }
}

INSTANTIATE_TEST_SUITE_P(Attention, Generation,
                         testing::Values(AttentionImplementation::eager, AttentionImplementation::flash_attention_2));

TEST(Routing, IsEvenUnlessGiven) {
  EXPECT_EQ(even_routing(10, 4), (std::vector<int64_t>{3, 3, 2, 2}));
  const DeepseekOCRForCausalLM model(BuildContext{DType::bfloat16}, small(),
                                     AttentionImplementation::flash_attention_2);
  const auto flops = [&](std::function<std::vector<int64_t>(int64_t)> routing) {
    Tracer tracer;
    Tracer::Guard guard(tracer);
    GenerateInputs in = reading(0);
    in.routing = std::move(routing);
    generate(model, in);
    return roll_up(tracer.trace()).total();
  };
  const Cost even = flops({});
  const Cost uneven =
      flops([](int64_t assignments) { return std::vector<int64_t>{assignments - 2, 0, 0, 1, 0, 1, 0, 0}; });
  EXPECT_EQ(even.flops_tensor, uneven.flops_tensor);
  EXPECT_LT(uneven.kernels, even.kernels);  // experts without tokens launch nothing
  EXPECT_LT(uneven.bytes_read, even.bytes_read);
  EXPECT_THROW(flops([](int64_t) { return std::vector<int64_t>{1, 2}; }), Error);
}

}  // namespace
}  // namespace modelmeter::deepseek_ocr::remote
