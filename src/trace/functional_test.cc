#include "trace/functional.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace modelmeter {
namespace {

using testing::ElementsAre;
using D = DType;

class FunctionalTest : public testing::Test {
 protected:
  Tensor make(const Shape& sizes, D dtype = D::float32) { return tracer.allocate(sizes, dtype); }

  // The kernels recorded so far, with what went in and out: "mm f32[2, 3] f32[3, 4] -> f32[2, 4]".
  std::vector<std::string> kernels() const {
    std::vector<std::string> out;
    const Trace& trace = tracer.trace();
    for (const Op& op : trace.ops) {
      std::string line(info(op.kernel).name);
      for (int i = 0; i < op.inputs; ++i) line += " " + shown(trace.input(op, i));
      line += " ->";
      for (int i = 0; i < op.outputs; ++i) line += " " + shown(trace.output(op, i));
      out.push_back(line);
    }
    return out;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const Op& op : tracer.trace().ops) out.emplace_back(info(op.kernel).name);
    return out;
  }
  static std::string shown(const TensorMeta& meta) {
    return std::string(short_name(meta.dtype)) + meta.sizes.to_string();
  }

  Tracer tracer;
  Tracer::Guard guard{tracer};
};

// --- types ---

TEST_F(FunctionalTest, BinaryPromotesAndBroadcasts) {
  torch::add(make({2, 1}, D::bfloat16), make({3}, D::float32));
  torch::mul(make({4}, D::bfloat16), make({4}, D::float16));
  EXPECT_THAT(kernels(), ElementsAre("add bf16[2, 1] f32[3] -> f32[2, 3]", "mul bf16[4] f16[4] -> f32[4]"));
}

TEST_F(FunctionalTest, ATensorWithoutDimensionsPromotesOnlyAcrossKinds) {
  EXPECT_EQ(torch::result_type(make({2}, D::bfloat16), make({}, D::float32)), D::bfloat16);
  EXPECT_EQ(torch::result_type(make({}, D::float64), make({2}, D::float16)), D::float16);
  EXPECT_EQ(torch::result_type(make({2}, D::int64), make({}, D::float32)), D::float32);
  EXPECT_EQ(torch::result_type(make({2}, D::int32), make({}, D::int64)), D::int32);
  EXPECT_EQ(torch::result_type(make({}, D::bfloat16), make({}, D::float32)), D::float32);
}

TEST_F(FunctionalTest, FunctionsOfIntegersGiveFloats) {
  EXPECT_EQ(torch::div(make({2}, D::int64), make({2}, D::int64)).dtype(), D::float32);
  EXPECT_EQ(torch::cos(make({2}, D::int64)).dtype(), D::float32);
  EXPECT_EQ(torch::add(make({2}, D::int64), 1).dtype(), D::int64);
  EXPECT_EQ(torch::floor_divide(make({2}, D::int64), 2).dtype(), D::int64);
  EXPECT_EQ(torch::eq(make({2}, D::bfloat16), 0.0).dtype(), D::boolean);
  EXPECT_EQ(torch::sum(make({2, 3}, D::boolean), 0, false).dtype(), D::int64);
}

// --- autocast ---

TEST_F(FunctionalTest, AutocastLowersMatrixProductsAndLeavesFloat64) {
  AutocastGuard autocast(D::bfloat16);
  torch::linear(make({2, 3}), make({4, 3}), make({4}));
  EXPECT_THAT(kernels(),
              ElementsAre("_to_copy f32[4] -> bf16[4]", "_to_copy f32[4, 3] -> bf16[4, 3]",
                          "_to_copy f32[2, 3] -> bf16[2, 3]", "addmm bf16[4] bf16[2, 3] bf16[3, 4] -> bf16[2, 4]"));
  EXPECT_EQ(torch::autocast_low(make({2}, D::float64)).dtype(), D::float64);
  EXPECT_EQ(torch::autocast_low(make({2}, D::int64)).dtype(), D::int64);
}

TEST_F(FunctionalTest, AutocastWidensWhatMustBePrecise) {
  AutocastGuard autocast(D::bfloat16);
  EXPECT_EQ(torch::softmax(make({2}, D::bfloat16), -1).dtype(), D::float32);
  EXPECT_EQ(torch::layer_norm(make({2, 4}, D::bfloat16), Tensor(), Tensor()).dtype(), D::float32);
  EXPECT_EQ(torch::rsqrt(make({2}, D::float16)).dtype(), D::float32);
  EXPECT_EQ(torch::pow(make({2}, D::bfloat16), 2).dtype(), D::float32);
  EXPECT_EQ(torch::add(make({2}, D::bfloat16), make({2}, D::bfloat16)).dtype(), D::bfloat16);
}

TEST_F(FunctionalTest, AutocastGuardsNest) {
  {
    AutocastGuard outer(D::bfloat16);
    {
      AutocastGuard off(D::bfloat16, false);
      EXPECT_EQ(torch::matmul(make({2, 3}), make({3, 2})).dtype(), D::float32);
    }
    EXPECT_EQ(torch::matmul(make({2, 3}), make({3, 2})).dtype(), D::bfloat16);
  }
  EXPECT_EQ(torch::matmul(make({2, 3}), make({3, 2})).dtype(), D::float32);
}

// --- strides of elementwise results (TensorIterator) ---

TEST_F(FunctionalTest, ElementwiseResultsKeepTheOrderOfTheirOperands) {
  const Tensor x = make({2, 3, 4}).transpose(0, 2);                        // [4, 3, 2], strides [1, 4, 12]
  EXPECT_EQ(torch::neg(x).strides(), Shape({1, 4, 12}));                   // dense: kept
  EXPECT_EQ(torch::add(x, make({4, 3, 2})).strides(), Shape({1, 4, 12}));  // the first operand decides
  EXPECT_EQ(torch::add(make({4, 3, 2}), x).strides(), Shape({6, 2, 1}));
  const Tensor sliced = make({2, 3, 8}).slice(2, 0, 4);        // strides [24, 8, 1]
  EXPECT_EQ(torch::neg(sliced).strides(), Shape({12, 4, 1}));  // gaps are closed
  const Tensor row = make({4}).expand({3, 4});                 // strides [0, 1]
  EXPECT_EQ(torch::neg(row).strides(), Shape({4, 1}));
  EXPECT_EQ(torch::mul(x, make({1, 3, 1})).strides(), Shape({1, 4, 12}));  // a broadcast operand has no say
}

// --- matrix products ---

TEST_F(FunctionalTest, LinearWithABiasIsOneKernel) {
  const Tensor y = torch::linear(make({2, 5, 3}), make({4, 3}), make({4}));
  EXPECT_EQ(y.sizes(), Shape({2, 5, 4}));
  EXPECT_THAT(kernels(), ElementsAre("addmm f32[4] f32[10, 3] f32[3, 4] -> f32[10, 4]"));
}

TEST_F(FunctionalTest, LinearWithoutABiasIsAMatrixProduct) {
  torch::linear(make({2, 5, 3}), make({4, 3}), Tensor());
  EXPECT_THAT(kernels(), ElementsAre("mm f32[10, 3] f32[3, 4] -> f32[10, 4]"));
}

TEST_F(FunctionalTest, LinearOfRowsThatDoNotFoldIsBatchedAndAddsItsBias) {
  const Tensor x = make({2, 8, 3}).slice(1, 0, 5);
  torch::linear(x, make({4, 3}), make({4}));
  EXPECT_THAT(kernels(),
              ElementsAre("bmm f32[2, 5, 3] f32[2, 3, 4] -> f32[2, 5, 4]", "add f32[2, 5, 4] f32[4] -> f32[2, 5, 4]"));
}

TEST_F(FunctionalTest, MatmulBroadcastsBatches) {
  const Tensor y = torch::matmul(make({2, 1, 3, 4}), make({5, 4, 6}));
  EXPECT_EQ(y.sizes(), Shape({2, 5, 3, 6}));
  EXPECT_THAT(names(), testing::Contains("bmm"));
  EXPECT_EQ(torch::matmul(make({3, 4}), make({4, 6})).sizes(), Shape({3, 6}));
}

// --- convolution: the output size of torch.nn.Conv2d's formula ---

TEST_F(FunctionalTest, ConvolutionsHaveTorchsOutputSizeAndAddTheirBiasInPlace) {
  const Tensor y = torch::conv3d(make({1, 16, 4, 90, 160}), make({5120, 16, 1, 2, 2}), make({5120}), {1, 2, 2});
  EXPECT_EQ(y.sizes(), Shape({1, 5120, 4, 45, 80}));
  EXPECT_THAT(names(), ElementsAre("convolution", "add_"));
  EXPECT_EQ(torch::conv2d(make({2, 3, 7, 8}), make({4, 3, 3, 3}), Tensor(), {2, 2}, {1, 1}).sizes(),
            Shape({2, 4, 4, 4}));
}

TEST_F(FunctionalTest, ConvolutionCopiesWhatIsNotDenseAndKeepsChannelsLast) {
  torch::conv2d(make({2, 6, 4, 4}).slice(1, 0, 3), make({2, 3, 1, 1}), Tensor(), {1, 1});
  EXPECT_THAT(names(), ElementsAre("clone", "convolution"));
  const Tensor last = make({2, 4, 4, 3}).permute({0, 3, 1, 2});
  const Tensor y = torch::conv2d(last, make({2, 3, 1, 1}), Tensor(), {1, 1});
  EXPECT_TRUE(y.is_channels_last());
  EXPECT_EQ(names().size(), 3u);  // no copy this time
}

// --- attention ---

TEST_F(FunctionalTest, FusedAttentionOfHalfTypesIsOneFlashKernel) {
  const Tensor q = make({2, 8, 16, 64}, D::bfloat16), k = make({2, 8, 24, 64}, D::bfloat16);
  const Tensor y = torch::scaled_dot_product_attention(q, k, k);
  EXPECT_EQ(y.sizes(), Shape({2, 8, 16, 64}));
  EXPECT_EQ(y.strides(), q.strides());
  EXPECT_THAT(names(), ElementsAre("_scaled_dot_product_flash_attention"));
  EXPECT_EQ(tracer.trace().ops[0].params, (std::array<int64_t, 3>{2, 16, 24}));
}

TEST_F(FunctionalTest, FusedAttentionOfFloat32IsTheMemoryEfficientKernel) {
  const Tensor q = make({1, 2, 16, 64});
  torch::scaled_dot_product_attention(q, q, q);
  EXPECT_THAT(names(), ElementsAre("_scaled_dot_product_efficient_attention"));
}

TEST_F(FunctionalTest, FlashAttentionPadsHeadsToMultiplesOfEight) {
  const Tensor q = make({1, 2, 16, 12}, D::bfloat16);
  const Tensor y = torch::scaled_dot_product_attention(q, q, q);
  EXPECT_EQ(y.sizes(), Shape({1, 2, 16, 12}));
  EXPECT_EQ(names().back(), "_scaled_dot_product_flash_attention");
  const Trace& trace = tracer.trace();
  EXPECT_EQ(trace.input(trace.ops.back(), 0).sizes, Shape({1, 2, 16, 16}));
}

TEST_F(FunctionalTest, MathAttentionIsProductsAndASoftmaxInFloat32) {
  tracer.context.attention = AttentionKernel::math;
  const Tensor q = make({1, 2, 16, 8}, D::bfloat16), k = make({1, 2, 24, 8}, D::bfloat16);
  const Tensor y = torch::scaled_dot_product_attention(q, k, k);
  EXPECT_EQ(y.dtype(), D::bfloat16);
  EXPECT_EQ(y.sizes(), Shape({1, 2, 16, 8}));
  const std::vector<std::string> launched = kernels();
  EXPECT_THAT(launched, testing::Contains("bmm f32[2, 16, 8] f32[2, 8, 24] -> f32[2, 16, 24]"));
  EXPECT_THAT(launched, testing::Contains("_softmax f32[1, 2, 16, 24] -> f32[1, 2, 16, 24]"));
  EXPECT_THAT(launched, testing::Contains("bmm f32[2, 16, 24] f32[2, 24, 8] -> f32[2, 16, 8]"));
}

TEST_F(FunctionalTest, ABoolMaskIsMadeWhatIsAddedToTheScores) {
  const Tensor q = make({1, 2, 16, 64}, D::bfloat16);
  const Tensor mask = make({1, 1, 16, 16}, D::boolean);
  const int64_t live = tracer.live();
  Tensor y = torch::scaled_dot_product_attention(q, q, q, mask);
  EXPECT_THAT(names(),
              ElementsAre("scalar_tensor", "scalar_tensor", "where", "_scaled_dot_product_efficient_attention"));
  EXPECT_EQ(kernels()[2], "where bool[1, 1, 16, 16] bf16[] bf16[] -> bf16[1, 1, 16, 16]");
  EXPECT_EQ(tracer.live() - live, 2 * 2 * 16 * 64);
}

TEST_F(FunctionalTest, VarlenFlashAttentionKnowsItsSequences) {
  const Tensor q = make({32, 8, 64}, D::bfloat16), k = make({24, 8, 64}, D::bfloat16);
  const Tensor y = torch::flash_attn_varlen_func(q, k, k, make({3}, D::int32), make({3}, D::int32), 16, 12);
  EXPECT_EQ(y.sizes(), q.sizes());
  EXPECT_EQ(tracer.trace().ops[0].params, (std::array<int64_t, 3>{2, 16, 12}));
}

// --- normalisation ---

TEST_F(FunctionalTest, LayerNormAlsoWritesItsStatistics) {
  torch::layer_norm(make({2, 5, 8}), make({8}), make({8}));
  EXPECT_THAT(kernels(),
              ElementsAre("native_layer_norm f32[2, 5, 8] f32[8] f32[8] -> f32[2, 5, 8] f32[2, 5, 1] f32[2, 5, 1]"));
}

TEST_F(FunctionalTest, LayerNormOfNarrowTypesKeepsStatisticsInFloat32) {
  torch::layer_norm(make({2, 8}, D::bfloat16), Tensor(), Tensor());
  EXPECT_THAT(kernels(), ElementsAre("native_layer_norm bf16[2, 8] -> bf16[2, 8] f32[2, 1] f32[2, 1]"));
}

TEST_F(FunctionalTest, NormsCopyWhatIsNotContiguous) {
  torch::layer_norm(make({8, 2}).t(), Tensor(), Tensor());
  torch::rms_norm(make({8, 2}).t(), Tensor());
  EXPECT_THAT(names(), ElementsAre("clone", "native_layer_norm", "clone", "_fused_rms_norm"));
}

// --- rotary embedding, as the official code writes it ---

TEST_F(FunctionalTest, AComplexProductIsOneKernelAmongViews) {
  Tensor x = torch::to(make({16, 4, 8}), D::float64).view({16, 4, -1, 2}).view_as_complex();
  x = torch::mul(x, make({16, 1, 4}, D::complex128)).view_as_real().view({16, 4, -1});
  EXPECT_EQ(x.sizes(), Shape({16, 4, 8}));
  EXPECT_THAT(kernels(), ElementsAre("_to_copy f32[16, 4, 8] -> f64[16, 4, 8]",
                                     "mul c128[16, 4, 4] c128[16, 1, 4] -> c128[16, 4, 4]"));
}

// --- copies ---

TEST_F(FunctionalTest, CastsAndCopiesThatChangeNothingLaunchNothing) {
  const Tensor x = make({2, 3});
  EXPECT_TRUE(torch::to(x, D::float32).meta().same_as(x.meta()));
  EXPECT_TRUE(torch::contiguous(x).meta().same_as(x.meta()));
  EXPECT_EQ(torch::reshape(x, {6}).meta().storage, x.meta().storage);
  EXPECT_THAT(kernels(), ElementsAre());
}

TEST_F(FunctionalTest, ReshapeCopiesOnlyWhereStridesDoNotAllowAView) {
  torch::reshape(make({2, 3}).t(), {6});
  torch::reshape(make({2, 6}).t(), {2, 3, 2});
  EXPECT_THAT(names(), ElementsAre("clone"));
}

TEST_F(FunctionalTest, CatCopiesPartsOfSeveralTypes) {
  const Tensor y = torch::cat({make({2, 3}, D::bfloat16), make({0, 3}, D::float16), make({4, 3})}, 0);
  EXPECT_EQ(y.sizes(), Shape({6, 3}));
  EXPECT_THAT(kernels(), ElementsAre("new_empty f32[4, 3] -> f32[6, 3]", "copy_ f32[2, 3] bf16[2, 3] -> f32[2, 3]",
                                     "copy_ f32[4, 3] f32[4, 3] -> f32[4, 3]"));
}

TEST_F(FunctionalTest, CatIsOneKernelWhereOnlyEmptyPartsDifferInType) {
  torch::cat({make({0}), make({2, 3})}, 1);
  torch::cat({make({2, 3}, D::float64), make({0, 3})}, 0);
  EXPECT_THAT(kernels(), ElementsAre("cat f32[0] f32[2, 3] -> f32[2, 3]", "cat f64[2, 3] f32[0, 3] -> f64[2, 3]"));
}

TEST_F(FunctionalTest, StackAddsADimension) {
  EXPECT_EQ(torch::stack({make({2, 3}), make({2, 3})}).sizes(), Shape({2, 2, 3}));
  EXPECT_EQ(torch::stack({make({2, 3}), make({2, 3})}, -1).sizes(), Shape({2, 3, 2}));
}

TEST_F(FunctionalTest, PadFillsAndCopies) {
  const Tensor y = torch::pad(make({1, 2, 3}), {1, 2, 0, 4});
  EXPECT_EQ(y.sizes(), Shape({1, 6, 6}));
  EXPECT_THAT(kernels(), ElementsAre("new_empty f32[1, 2, 3] -> f32[1, 6, 6]", "fill_ f32[1, 6, 6] -> f32[1, 6, 6]",
                                     "copy_ f32[1, 2, 3] f32[1, 2, 3] -> f32[1, 2, 3]"));
}

TEST_F(FunctionalTest, PadThatAddsNothingIsACloneOfWhatIsLeft) {
  torch::pad(make({1, 2, 3}), {0, 0, 0, 0});
  const Tensor cut = torch::pad(make({1, 2, 5}), {-1, -2});
  EXPECT_EQ(cut.sizes(), Shape({1, 2, 2}));
  EXPECT_THAT(kernels(), ElementsAre("clone f32[1, 2, 3] -> f32[1, 2, 3]", "clone f32[1, 2, 2] -> f32[1, 2, 2]"));
}

TEST_F(FunctionalTest, PadCutsBeforeItAdds) {
  const Tensor y = torch::pad(make({1, 2, 5}), {-1, 3});
  EXPECT_EQ(y.sizes(), Shape({1, 2, 7}));
  EXPECT_THAT(kernels(), ElementsAre("new_empty f32[1, 2, 5] -> f32[1, 2, 7]", "fill_ f32[1, 2, 7] -> f32[1, 2, 7]",
                                     "copy_ f32[1, 2, 4] f32[1, 2, 4] -> f32[1, 2, 4]"));
}

TEST_F(FunctionalTest, PowOfANumberPutsItOnTheDevice) {
  torch::pow(int64_t{10000}, make({128}, D::float64));
  EXPECT_THAT(kernels(), ElementsAre("empty -> i64[]", "fill_ i64[] -> i64[]", "pow i64[] f64[128] -> f64[128]"));
}

TEST_F(FunctionalTest, LayerNormCopiesAStridedInput) {
  torch::layer_norm(make({1, 6, 4}).transpose(1, 2), Tensor(), Tensor());
  EXPECT_THAT(names(), ElementsAre("clone", "native_layer_norm"));
}

TEST_F(FunctionalTest, FlattenMergesARange) {
  EXPECT_EQ(torch::flatten(make({2, 3, 4, 5}), 1, 2).sizes(), Shape({2, 12, 5}));
  EXPECT_EQ(torch::flatten(make({2, 3, 4}), 1).sizes(), Shape({2, 12}));
  EXPECT_EQ(torch::flatten(make({2, 3, 4}), 0).sizes(), Shape({24}));
}

TEST_F(FunctionalTest, RepeatInterleaveRepeatsEachRow) {
  EXPECT_EQ(torch::repeat_interleave(make({2, 3}), 4, 0).sizes(), Shape({8, 3}));
}

TEST_F(FunctionalTest, ReductionsDropOrKeepTheDimension) {
  EXPECT_EQ(torch::mean(make({2, 3, 4}), -1, true).sizes(), Shape({2, 3, 1}));
  EXPECT_EQ(torch::mean(make({2, 3, 4}), 1, false).sizes(), Shape({2, 4}));
  EXPECT_EQ(torch::all(make({2, 3}), 1, false).dtype(), D::boolean);
}

TEST_F(FunctionalTest, GathersHaveTheShapeOfTheirIndices) {
  EXPECT_EQ(torch::embedding(make({1000, 8}), make({2, 5}, D::int64)).sizes(), Shape({2, 5, 8}));
  EXPECT_EQ(torch::index(make({10, 4, 6}), make({3}, D::int64)).sizes(), Shape({3, 4, 6}));
  EXPECT_EQ(torch::index(make({10, 12}), make({5, 1}, D::int64), make({7}, D::int64)).sizes(), Shape({5, 7}));
}

TEST_F(FunctionalTest, GroupedProductsAreOneKernel) {
  torch::grouped_mm(make({10, 5}), make({4, 7, 5}).transpose(1, 2), make({4}, D::int32));
  EXPECT_THAT(kernels(), ElementsAre("_grouped_mm f32[10, 5] f32[4, 5, 7] i32[4] -> f32[10, 7]"));
}

TEST_F(FunctionalTest, MaskedScatterWorksOnACopy) {
  torch::masked_scatter(make({2, 3, 4}), make({2, 3, 1}, D::boolean), make({5, 4}));
  EXPECT_THAT(kernels(), ElementsAre("clone f32[2, 3, 4] -> f32[2, 3, 4]",
                                     "masked_scatter_ f32[2, 3, 4] bool[2, 3, 4] f32[5, 4] -> f32[2, 3, 4]"));
}

TEST_F(FunctionalTest, SortsAndCountsKeepTheTypeOfTheirElements) {
  const torch::Sorted sorted = torch::sort(make({9}, D::int32));
  torch::histc(sorted.values, 4);
  torch::new_zeros(sorted.values, {}, D::boolean);
  EXPECT_THAT(kernels(),
              ElementsAre("sort i32[9] -> i32[9] i64[9]", "histc i32[9] -> i32[4]", "new_zeros i32[9] -> bool[]"));
}

TEST_F(FunctionalTest, InPlaceKernelsMakeNothing) {
  Tensor x = make({4, 4});
  const int64_t live = tracer.live();
  x = torch::add_(std::move(x), make({4}));
  x = torch::silu_(std::move(x));
  EXPECT_EQ(tracer.live(), live);
  for (const Op& op : tracer.trace().ops) {
    EXPECT_TRUE(op.in_place);
    EXPECT_TRUE(tracer.trace().output(op, 0).same_as(tracer.trace().input(op, 0)));
  }
}

TEST_F(FunctionalTest, HostTensorsCastWithoutAKernel) {
  torch::to(tracer.host({2}, D::int64), D::int32);
  EXPECT_THAT(kernels(), ElementsAre());
  torch::to_device(tracer.host({2}, D::int64), D::int32);
  EXPECT_THAT(kernels(), ElementsAre("_to_copy i64[2] -> i32[2]"));
}

// --- what time will ask of ops ---

TEST_F(FunctionalTest, AConvolutionKeepsItsGeometry) {
  torch::conv(make({1, 4, 9, 16, 20}), make({6, 2, 3, 3, 5}), make({6}), {{1, 2, 3}, {0, 1, 2}, {1, 1, 2}, 2});
  const ConvGeometry geometry = tracer.trace().conv_geometry(tracer.trace().ops[0]);
  EXPECT_EQ(geometry.stride, Shape({1, 2, 3}));
  EXPECT_EQ(geometry.padding, Shape({0, 1, 2}));
  EXPECT_EQ(geometry.dilation, Shape({1, 1, 2}));
  torch::conv2d(make({1, 4, 16, 20}), make({6, 4, 3, 5}), Tensor(), {2, 1}, {1, 2});
  const ConvGeometry flat = tracer.trace().conv_geometry(tracer.trace().ops.back());
  EXPECT_EQ(flat.stride, Shape({2, 1}));
  EXPECT_EQ(flat.padding, Shape({1, 2}));
}

TEST_F(FunctionalTest, ConvolutionsOfFloat32MayUseTf32AndMatrixProductsOnlyOnRequest) {
  const auto tf32 = [&](size_t op) { return tracer.trace().ops[op].tf32; };
  torch::conv2d(make({1, 4, 8, 8}), make({6, 4, 3, 3}), Tensor(), {1, 1});
  torch::conv2d(make({1, 4, 8, 8}, D::bfloat16), make({6, 4, 3, 3}, D::bfloat16), Tensor(), {1, 1});
  torch::matmul(make({3, 5}), make({5, 7}));
  {
    const ContextGuard context;
    context->matmul_allow_tf32 = true;
    context->cudnn_allow_tf32 = false;
    torch::matmul(make({2, 3, 5}), make({2, 5, 7}));
    torch::linear(make({3, 5}), make({7, 5}), make({7}));
    torch::conv2d(make({1, 4, 8, 8}), make({6, 4, 3, 3}), Tensor(), {1, 1});
  }
  EXPECT_TRUE(tf32(0));
  EXPECT_FALSE(tf32(1));
  EXPECT_FALSE(tf32(2));
  EXPECT_TRUE(tf32(3));
  EXPECT_TRUE(tf32(4));
  EXPECT_FALSE(tf32(5));
}

TEST_F(FunctionalTest, AttentionIsCausalWhereItIsAskedFor) {
  const Tensor q = make({1, 2, 16, 8}, D::bfloat16), wide = make({1, 2, 16, 8});
  torch::scaled_dot_product_attention(q, q, q);
  EXPECT_FALSE(tracer.trace().ops.back().causal);
  torch::scaled_dot_product_attention(q, q, q, Tensor(), true);
  EXPECT_TRUE(tracer.trace().ops.back().causal);
  torch::scaled_dot_product_attention(wide, wide, wide, Tensor(), true);  // memory-efficient
  EXPECT_TRUE(tracer.trace().ops.back().causal);
  torch::flash_attn_func(q, q, q, true);
  EXPECT_TRUE(tracer.trace().ops.back().causal);
  torch::flash_attn_func(q, q, q);
  EXPECT_FALSE(tracer.trace().ops.back().causal);
}

TEST_F(FunctionalTest, CopiesKnowTheirDirection) {
  const Trace& trace = tracer.trace();
  const auto last = [&] { return trace.transfer_of(trace.ops.back()); };
  const Tensor host = tracer.host({4}, D::int64);
  Tensor device = torch::to_device(host, D::int64);
  EXPECT_EQ(last(), Transfer::to_device);
  EXPECT_EQ(trace.kind_of(trace.ops.back()), OpKind::transfer);
  torch::to_host(device);
  EXPECT_EQ(last(), Transfer::to_host);
  torch::copy_(device, host);
  EXPECT_EQ(last(), Transfer::to_device);
  torch::to(device, D::float32);
  EXPECT_EQ(last(), Transfer::none);
  EXPECT_EQ(trace.kind_of(trace.ops.back()), OpKind::copy);
  torch::mul(device, device);
  EXPECT_EQ(last(), Transfer::none);
}

TEST_F(FunctionalTest, OpsAreOnTheStreamOfTheirContext) {
  {
    const ContextGuard context;
    context->stream = 3;
    torch::silu(make({4}));
  }
  torch::silu(make({4}));
  EXPECT_EQ(tracer.trace().ops[0].stream, 3);
  EXPECT_EQ(tracer.trace().ops[1].stream, 0);
}

}  // namespace
}  // namespace modelmeter
