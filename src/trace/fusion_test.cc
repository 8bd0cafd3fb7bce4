#include "trace/fusion.h"

#include <gtest/gtest.h>

#include "trace/functional.h"
#include "trace/repeat.h"

namespace modelmeter {
namespace {

constexpr int64_t rows = 30, width = 40, bytes = rows * width * 4;

class FusionTest : public testing::Test {
 protected:
  Tensor given(const Shape& sizes, DType dtype = DType::float32) { return tracer.parameter(sizes, dtype); }
  const Trace& compiled() {
    execute(tracer.trace(), 0, Execution::compiled);
    return tracer.trace();
  }
  std::string kernels() const {
    std::string out;
    for (const Op& op : tracer.trace().ops) out += (out.empty() ? "" : " ") + std::string(info(op.kernel).name);
    return out;
  }
  const Op& op(size_t i) const { return tracer.trace().ops[i]; }

  Tracer tracer;
  Tracer::Guard guard{tracer};
};

// silu(2 x) + b: reads x and b, writes the sum. 1 + 4 + 1 FLOPs for each element.
TEST_F(FusionTest, AChainIsOneKernelWhoseIntermediatesAreNotThere) {
  {
    const Tensor x = given({rows, width}), b = given({width});
    Tensor y = torch::mul(x, 2.0);
    y = torch::silu(std::move(y));
    y = torch::add(std::move(y), b);
  }
  compiled();
  ASSERT_EQ(kernels(), "triton_poi_fused");
  EXPECT_EQ(op(0).input_bytes, bytes + width * 4);
  EXPECT_EQ(op(0).output_bytes, bytes);
  EXPECT_EQ(op(0).params[0], 6 * rows * width);
  EXPECT_EQ(op(0).live, bytes);
}

TEST_F(FusionTest, ALayerNormTakesInItsNeighbours) {
  {
    const Tensor x = given({rows, width}, DType::bfloat16), scale = given({1, width});
    Tensor y = torch::to(x, DType::float32);
    y = torch::layer_norm(y, Tensor(), Tensor());
    y = torch::mul(std::move(y), scale);
    y = torch::to(std::move(y), DType::bfloat16);
    torch::linear(std::move(y), given({7, width}, DType::bfloat16), Tensor());
  }
  compiled();
  ASSERT_EQ(kernels(), "triton_red_fused mm");
  EXPECT_EQ(op(0).input_bytes, bytes / 2 + width * 4);
  EXPECT_EQ(op(0).output_bytes, bytes / 2);
  EXPECT_EQ(op(0).params, (std::array<int64_t, 3>{9 * rows * width, width, 0}));
}

// As Wan and T5 write it: pow, mean, add, rsqrt, mul, mul.
TEST_F(FusionTest, ANormThatIsWrittenOutIsOneKernel) {
  {
    const Tensor x = given({rows, width}), weight = given({width});
    Tensor scale = torch::pow(x, 2);
    scale = torch::mean(std::move(scale), -1, true);
    scale = torch::add(std::move(scale), 1e-6);
    scale = torch::rsqrt(std::move(scale));
    Tensor y = torch::mul(x, std::move(scale));
    y = torch::mul(std::move(y), weight);
  }
  compiled();
  ASSERT_EQ(kernels(), "triton_red_fused");
  EXPECT_EQ(op(0).input_bytes, bytes + width * 4);
  EXPECT_EQ(op(0).output_bytes, bytes);
  EXPECT_EQ(op(0).params[0], 4 * rows * width + 2 * rows);
}

// Scores stay in memory between the products: three kernels, and the softmax takes over what it reads.
TEST_F(FusionTest, AttentionWrittenOutIsTwoProductsAndASoftmax) {
  {
    const Tensor q = given({2, rows, 8}), k = given({2, 8, rows}), v = given({2, rows, 8});
    Tensor scores = torch::matmul(q, k);
    scores = torch::mul(std::move(scores), 0.5);
    scores = torch::softmax(std::move(scores), -1);
    scores = torch::matmul(std::move(scores), v);
  }
  compiled();
  ASSERT_EQ(kernels(), "bmm triton_red_fused bmm");
  EXPECT_EQ(op(1).input_bytes, 2 * rows * rows * 4);
  EXPECT_EQ(op(1).live, 2 * rows * rows * 4);
}

// Between library calls: both read it, in memory of its own.
TEST_F(FusionTest, LibraryCallsStay) {
  {
    const Tensor x = given({rows, width}), w = given({width, width});
    Tensor y = torch::linear(x, w, Tensor());
    y = torch::gelu(std::move(y));
    torch::linear(std::move(y), w, Tensor());
  }
  compiled();
  ASSERT_EQ(kernels(), "mm triton_poi_fused mm");
  EXPECT_EQ(op(0).live, bytes);
  EXPECT_EQ(op(1).live, bytes) << "gelu writes where it reads";
  EXPECT_EQ(op(2).live, 2 * bytes);
}

// Cheap, with few inputs: two kernels compute it, each for itself. Of more than four inputs it is made.
TEST_F(FusionTest, WhatHasSeveralReadersIsComputedAgainWhereThatIsCheap) {
  const auto run = [&](int inputs) {
    tracer.clear();
    {
      const Tensor w = given({width, width});
      Tensor x = given({rows, width});
      for (int i = 1; i < inputs; ++i) x = torch::add(std::move(x), given({rows, width}));
      const Tensor first = torch::linear(torch::gelu(x), w, Tensor());
      torch::linear(torch::add(x, first), w, Tensor());
    }
    compiled();
    EXPECT_EQ(kernels(), "triton_poi_fused mm triton_poi_fused mm");
  };
  run(4);
  EXPECT_EQ(op(0).outputs, 1);
  EXPECT_EQ(op(2).inputs, 5);
  run(5);
  EXPECT_EQ(op(0).outputs, 2) << "gelu(x) and x";
  EXPECT_EQ(op(2).inputs, 2);
}

TEST_F(FusionTest, AConvolutionLeavesItsBiasToAKernel) {
  {
    const Tensor x = given({1, 4, 8, 8}), w = given({6, 4, 3, 3}), b = given({6});
    torch::silu(torch::conv2d(x, w, b, {1, 1}, {1, 1}));
  }
  compiled();
  ASSERT_EQ(kernels(), "convolution triton_poi_fused");
  constexpr int64_t out = 6 * 64 * 4;
  EXPECT_EQ(op(0).input_bytes, (256 + 216) * 4);
  EXPECT_EQ(op(1).input_bytes, out + 24);
  EXPECT_EQ(op(1).output_bytes, out);
}

TEST_F(FusionTest, WhatIsComplexRunsEagerly) {
  {
    const Tensor x = given({rows, width}), angles = given({rows, width / 2}, DType::complex64);
    Tensor y = torch::mul(x.unflatten(-1, {-1, 2}).view_as_complex(), angles);
    torch::mul(y.view_as_real(), 2.0);
  }
  compiled();
  EXPECT_EQ(kernels(), "mul triton_poi_fused");
}

// A part of a tensor written by each of two kernels: one that writes the whole.
TEST_F(FusionTest, PartsOfAResultAreWrittenAtOnce) {
  {
    const Tensor x = given({rows, width});
    const Tensor out = torch::empty_like(x);
    torch::copy_(out.slice(1, 0, width, 2), torch::mul(x.slice(1, 0, width, 2), 2.0));
    torch::copy_(out.slice(1, 1, width, 2), torch::mul(x.slice(1, 1, width, 2), 3.0));
  }
  compiled();
  ASSERT_EQ(kernels(), "triton_poi_fused");
  EXPECT_EQ(op(0).input_bytes, bytes);
  EXPECT_EQ(op(0).output_bytes, bytes);
  EXPECT_EQ(op(0).params[2], rows * width) << "read two by two";
}

TEST_F(FusionTest, WhatNothingReadsIsNotComputed) {
  {
    const Tensor x = given({rows, width});
    torch::mul(torch::gelu(x), 2.0);
    torch::linear(x, given({width, width}), Tensor());
  }
  compiled();
  EXPECT_EQ(kernels(), "mm");
}

// A block that is repeated is compiled by itself, as one.
TEST_F(FusionTest, RepetitionStaysFolded) {
  {
    const Tensor w = given({width, width});
    Tensor x = torch::silu(given({rows, width}));
    x = repeat(7, std::move(x), [&](int64_t, const Tensor& state) {
      Tensor y = torch::mul(state, 2.0);
      y = torch::gelu(std::move(y));
      return torch::linear(std::move(y), w, Tensor());
    });
    torch::mul(x, 2.0);
  }
  const Trace& trace = compiled();
  ASSERT_EQ(kernels(), "triton_poi_fused triton_poi_fused mm triton_poi_fused");
  EXPECT_EQ(trace.executions(op(1).scope), 7);
  EXPECT_EQ(trace.executions(op(3).scope), 1);
}

// The last iteration of what grows follows the first.
TEST_F(FusionTest, GrowthIsThatOfTheKernelsThatAreLeft) {
  {
    const Tensor token = given({rows, 1});
    Tensor cache = torch::silu(given({rows, 3}));
    repeat_steadily(10, LoopState{{}, {&cache}}, [&](int64_t) {
      cache = torch::cat({cache, token}, 1);
      Tensor y = torch::mul(cache, 2.0);
      torch::softmax(std::move(y), -1);
    });
  }
  const Trace& trace = compiled();
  ASSERT_EQ(kernels(), "triton_poi_fused triton_red_fused");
  ASSERT_GE(op(1).last, 0);
  const Op& last = trace.last_ops[static_cast<size_t>(op(1).last)];
  EXPECT_EQ(op(1).input_bytes, rows * 4 * 4);
  EXPECT_EQ(op(1).output_bytes, 2 * rows * 4 * 4) << "the cache and what comes of it";
  EXPECT_EQ(last.output_bytes, 2 * rows * 13 * 4);
  EXPECT_EQ(op(1).params[0], rows * 4 * 6);
  EXPECT_EQ(last.params[0], rows * 13 * 6);
  EXPECT_EQ(op(1).live, rows * 4 * (3 + 4 + 4));
  EXPECT_EQ(last.live, rows * 4 * (12 + 13 + 13));
}

// Weights and inputs once, results once; nothing of what is between.
TEST_F(FusionTest, IdealMovesWhatMust) {
  {
    const Tensor x = given({rows, width}), w = given({width, width});
    Tensor y = torch::linear(x, w, Tensor());
    y = torch::gelu(std::move(y));
    y = torch::add(std::move(y), x);
    torch::linear(std::move(y), w, Tensor());
  }
  execute(tracer.trace(), 0, Execution::ideal);
  ASSERT_EQ(kernels(), "mm gelu add mm");
  int64_t read = 0, written = 0;
  for (const Op& op : tracer.trace().ops) {
    read += op.input_bytes;
    written += op.output_bytes;
  }
  EXPECT_EQ(read, bytes + width * width * 4);
  EXPECT_EQ(written, bytes);
  EXPECT_EQ(op(2).live, 0);
  EXPECT_EQ(op(3).live, bytes);
}

}  // namespace
}  // namespace modelmeter
