#include "cost/op_cost.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "trace/functional.h"

namespace modelmeter {
namespace {

// Every figure here was worked out by hand from the formula beside it.
class OpCostTest : public testing::Test {
 protected:
  Tensor make(const Shape& sizes, DType dtype = DType::float32) { return tracer.allocate(sizes, dtype); }
  // As it was recorded, and as the same launch by itself would be counted.
  OpCost cost(const Op& op) const {
    const OpCost recorded = cost_of(tracer.trace(), op), launch = cost_of(launch_of(tracer.trace(), op));
    for (const auto member : {&OpCost::kernels, &OpCost::flops_tensor, &OpCost::flops_vector, &OpCost::bytes_read,
                              &OpCost::bytes_written, &OpCost::flops_unknown}) {
      EXPECT_EQ(recorded.*member, launch.*member) << info(op.kernel).name;
    }
    return recorded;
  }
  OpCost cost(size_t op) const { return cost(tracer.trace().ops[op]); }
  OpCost last() const { return cost(tracer.trace().ops.back()); }

  void expect(const OpCost& c, int64_t tensor, int64_t vector, int64_t read, int64_t written) {
    EXPECT_EQ(c.flops_tensor, tensor);
    EXPECT_EQ(c.flops_vector, vector);
    EXPECT_EQ(c.bytes_read, read);
    EXPECT_EQ(c.bytes_written, written);
  }

  Tracer tracer;
  Tracer::Guard guard{tracer};
};

TEST_F(OpCostTest, AMatrixProductIsTwoTimesMNK) {
  torch::matmul(make({3, 5}), make({5, 7}));
  expect(last(), 2 * 3 * 5 * 7, 0, 4 * (15 + 35), 4 * 21);
}

TEST_F(OpCostTest, ALinearLayerAddsItsBiasOncePerOutput) {
  torch::linear(make({3, 5}, DType::bfloat16), make({7, 5}, DType::bfloat16), make({7}, DType::bfloat16));
  expect(last(), 2 * 3 * 5 * 7, 21, 2 * (15 + 35 + 7), 2 * 21);
}

TEST_F(OpCostTest, WhatMakesAnEmptyResultLaunchesAndMovesNothing) {
  const Trace& trace = tracer.trace();
  torch::new_zeros(make({2, 3}), {2, 0});
  EXPECT_FALSE(launches(trace, trace.ops.back()));
  torch::mul(make({0}), make({1}));  // reads 4 bytes, were it launched
  EXPECT_FALSE(launches(trace, trace.ops.back()));
  expect(last(), 0, 0, 0, 0);
  torch::empty({2, 3}, DType::float32);
  EXPECT_FALSE(launches(trace, trace.ops.back()));
  torch::new_zeros(make({2, 3}), {2, 1});
  EXPECT_TRUE(launches(trace, trace.ops.back()));
}

TEST_F(OpCostTest, ABatchedProductMultipliesByTheBatch) {
  torch::matmul(make({2, 3, 5}), make({2, 5, 7}));
  expect(last(), 2 * 2 * 3 * 5 * 7, 0, 4 * (30 + 70), 4 * 42);
}

// 2 x 10 rows x 5 x 7, which FlopCounterMode does not know.
TEST_F(OpCostTest, AGroupedProductMultipliesEachRowOnce) {
  const Tensor offsets = make({4}, DType::int32);
  torch::grouped_mm(make({10, 5}), make({4, 5, 7}), offsets);
  expect(last(), 2 * 10 * 5 * 7, 0, 4 * (50 + 140 + 4), 4 * 70);
  EXPECT_EQ(last().flops_torch(), 0);
  torch::matmul(make({3, 5}), make({5, 7}));
  EXPECT_EQ(last().flops_torch(), last().flops_tensor);
}

TEST_F(OpCostTest, AConvolutionIsTwoTimesOutputPositionsTimesWeights) {
  torch::conv2d(make({2, 3, 8, 8}), make({4, 3, 3, 3}), make({4}), {1, 1}, {1, 1});
  expect(cost(0), 2 * 2 * 64 * (4 * 3 * 9), 0, 4 * (2 * 3 * 64 + 108), 4 * (2 * 4 * 64));
  expect(cost(1), 0, 2 * 4 * 64, 4 * (2 * 4 * 64 + 4), 4 * (2 * 4 * 64));  // add_ of the bias
}

TEST_F(OpCostTest, AGroupedConvolutionCountsTheWeightsItHas) {
  torch::conv(make({1, 4, 10}), make({4, 1, 3}), Tensor(), {{1}, {0}, {1}, 4});
  EXPECT_EQ(last().flops_tensor, 2 * 8 * (4 * 1 * 3));
}

TEST_F(OpCostTest, AttentionIsTwoProductsAndASoftmax) {
  const Tensor q = make({2, 8, 16, 64}, DType::bfloat16), k = make({2, 8, 24, 64}, DType::bfloat16);
  const Tensor v = make({2, 8, 24, 64}, DType::bfloat16);
  torch::scaled_dot_product_attention(q, k, v);
  const OpCost c = last();
  EXPECT_EQ(c.flops_tensor, 2 * (2 * 8) * 16 * 24 * (64 + 64));
  EXPECT_EQ(c.flops_vector, 6 * (2 * 8) * 16 * 24);
  EXPECT_EQ(c.bytes_read, 2 * (2 * 8 * 64) * (16 + 24 + 24));
  // the result, log-sum-exp in float32, and two numbers and one of the random generator
  EXPECT_EQ(c.bytes_written, 2 * (2 * 8 * 16 * 64) + 4 * (2 * 8 * 16) + 8 * 2 + 8);
}

TEST_F(OpCostTest, VarlenAttentionCountsSequencesOfTheirLongest) {
  const Tensor q = make({32, 8, 64}, DType::bfloat16), k = make({24, 8, 64}, DType::bfloat16);
  torch::flash_attn_varlen_func(q, k, k, make({3}, DType::int32), make({3}, DType::int32), 16, 12);
  EXPECT_EQ(last().flops_tensor, 2 * 2 * 8 * 16 * 12 * (64 + 64));
}

TEST_F(OpCostTest, ElementwiseKernelsCountTheirResults) {
  torch::mul(make({2, 3, 1}), make({4}));
  expect(last(), 0, 24, 4 * (6 + 4), 4 * 24);
  torch::silu(make({10}));
  expect(last(), 0, 4 * 10, 40, 40);
}

TEST_F(OpCostTest, ComplexArithmeticIsSixTimesTheReal) {
  torch::mul(make({5, 4}, DType::complex128), make({1, 4}, DType::complex128));
  expect(last(), 0, 6 * 20, 16 * (20 + 4), 16 * 20);
}

TEST_F(OpCostTest, NormalisationsCountTheirInputs) {
  torch::layer_norm(make({6, 8}), make({8}), make({8}));
  expect(last(), 0, 8 * 48, 4 * (48 + 8 + 8), 4 * (48 + 6 + 6));
  torch::rms_norm(make({6, 8}), make({8}));
  expect(last(), 0, 4 * 48, 4 * (48 + 8), 4 * (48 + 6));
  torch::softmax(make({6, 8}), -1);
  expect(last(), 0, 5 * 48, 4 * 48, 4 * 48);
}

TEST_F(OpCostTest, ReductionsCountWhatTheyRead) {
  torch::mean(make({6, 8}), -1, true);
  expect(last(), 0, 48, 4 * 48, 4 * 6);
}

TEST_F(OpCostTest, CopiesMoveAndComputeNothing) {
  torch::to(make({10}), DType::bfloat16);
  expect(last(), 0, 0, 40, 20);
  torch::cat({make({2, 3}), make({4, 3})}, 0);
  expect(last(), 0, 0, 4 * 18, 4 * 18);
  torch::copy_(make({10}), make({10}));  // does not read what it overwrites
  expect(last(), 0, 0, 40, 40);
}

TEST_F(OpCostTest, FillsReadNothingAndAllocationsMoveNothing) {
  torch::zeros({10}, DType::float32);
  expect(last(), 0, 0, 0, 40);
  torch::new_zeros(make({99}), {10});
  expect(last(), 0, 0, 0, 40);
  torch::empty_like(make({10}));
  expect(last(), 0, 0, 0, 0);
}

TEST_F(OpCostTest, GathersReadTheRowsTheyReturnAndTheIndices) {
  torch::embedding(make({1000, 8}), make({5}, DType::int64));
  expect(last(), 0, 0, 4 * 40 + 8 * 5, 4 * 40);
}

TEST_F(OpCostTest, AnInputReadTwiceIsReadOnce) {
  const Tensor x = make({10});
  torch::mul(x, x);
  EXPECT_EQ(last().bytes_read, 40);
  torch::mul(x, x.view({10}));  // the same elements by another handle
  EXPECT_EQ(last().bytes_read, 40);
  torch::mul(x.slice(0, 0, 5), x.slice(0, 5, 10));  // different elements of one storage
  EXPECT_EQ(last().bytes_read, 40);
}

TEST_F(OpCostTest, AnExpandedInputIsReadOnce) {
  torch::neg(make({4}).expand({100, 4}));
  expect(last(), 0, 400, 16, 1600);
}

TEST_F(OpCostTest, InPlaceKernelsReadAndWriteTheirTarget) {
  torch::add_(make({10}), make({10}));
  expect(last(), 0, 10, 80, 40);
}

TEST_F(OpCostTest, ACountThatOverflowsIsNamed) {
  const auto message = [&](auto run) -> std::string {
    try {
      run();
      last();
      return "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 1);
      return error.message();
    }
  };
  constexpr int64_t big = 1'000'000'000;
  EXPECT_EQ(message([&] { torch::matmul(make({big, big}, DType::int8), make({big, 10}, DType::int8)); }),
            "the number of FLOPs overflows 64 bits");
  const Tensor q = make({1, 1, big, 64}, DType::bfloat16);
  EXPECT_EQ(message([&] { torch::scaled_dot_product_attention(q, q, q); }), "the number of FLOPs overflows 64 bits");
}

}  // namespace
}  // namespace modelmeter
