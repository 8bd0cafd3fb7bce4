#include "trace/repeat.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "trace/functional.h"

namespace modelmeter {
namespace {

class RepeatTest : public testing::Test {
 protected:
  Tensor make(const Shape& sizes) { return tracer.allocate(sizes, DType::float32); }
  const Trace& trace() const { return tracer.trace(); }

  Tracer tracer;
  Tracer::Guard guard{tracer};
};

// A key-value cache that gains a token each time, and attention over it.
TEST_F(RepeatTest, OfAGrowingLoopTheFirstAndTheLastSteadyIterationAreTraced) {
  const Tensor q = make({1, 1, 8}), token = make({1, 8, 1});
  Tensor cache = make({1, 8, 3});
  const LoopState state{{}, {&cache}};
  repeat_steadily(10, state, [&](int64_t) {
    cache = torch::cat({cache, token}, 2);
    Tensor scores = torch::matmul(q, cache);
    torch::softmax(std::move(scores), -1);
    torch::mul(q, 1.0);
  });
  EXPECT_EQ(cache.sizes(), Shape({1, 8, 13}));
  EXPECT_EQ(tracer.live(), 4 * (8 + 8 + 8 * 13));
  ASSERT_EQ(trace().ops.size(), 4u);
  const Scope& loop = trace().scopes[static_cast<size_t>(trace().ops[0].scope)];
  EXPECT_EQ(loop.count, 10);
  EXPECT_EQ(loop.live_step, 4 * 8);
  EXPECT_TRUE(loop.growing);
  const Op& cat = trace().ops[0];
  ASSERT_GE(cat.last, 0);
  const Op& last = trace().last_ops[static_cast<size_t>(cat.last)];
  EXPECT_EQ(trace().output(cat, 0).sizes, Shape({1, 8, 4}));
  EXPECT_EQ(trace().output(last, 0).sizes, Shape({1, 8, 13}));
  EXPECT_EQ(last.live - cat.live, 9 * 2 * 4 * 8);  // the old and the new
  EXPECT_EQ(trace().ops[3].last, -1) << "what does not grow is not kept twice";
}

TEST_F(RepeatTest, AnAlikePartIsTracedOnce) {
  const Tensor frame = make({2, 1});
  Tensor out = make({2, 1}), chunk;
  const LoopState state{{&chunk}, {&out}};
  repeat_steadily(20, state, [&](int64_t) {
    chunk = alike([&] {
      Tensor x = torch::silu(frame);
      return torch::mul(std::move(x), 2.0);
    });
    out = torch::cat({out, chunk}, 1);
  });
  // The first iteration finds no chunk; the second is steady.
  EXPECT_EQ(trace().ops.size(), 6u);
  EXPECT_EQ(trace().last_ops.size(), 1u);
  EXPECT_EQ(out.sizes(), Shape({2, 21}));
  EXPECT_EQ(tracer.live(), 4 * (2 + 2 + 2 * 21));
}

TEST_F(RepeatTest, SkippedIterationsLeaveBehindWhatTracedOnesDo) {
  const Tensor x = make({5});
  std::vector<Tensor> results;
  const auto traced = [&](int64_t) { results.push_back(torch::silu(x)); };
  repeat_steadily(7, {}, traced, [&](int64_t) { results.push_back(untraced_like(results.back())); });
  EXPECT_EQ(results.size(), 7u);
  EXPECT_EQ(trace().ops.size(), 1u);
  EXPECT_EQ(trace().scopes.back().live_step, 20);
  EXPECT_EQ(tracer.live(), 8 * 20);
}

TEST_F(RepeatTest, MemoryThatNoStateAccountsForIsAnError) {
  const Tensor x = make({5});
  std::vector<Tensor> results;
  EXPECT_THROW(repeat_steadily(7, {}, [&](int64_t) { results.push_back(torch::silu(x)); }), Error);
}

// Whether it is folded or not: what comes after it is traced as what came before.
TEST_F(RepeatTest, AGrowingLoopLeavesSharingAsItWas) {
  tracer.share_calls(true);
  for (const int64_t iterations : {1, 2, 10}) {
    Tensor cache = make({2, 1});
    const LoopState state{{}, {&cache}};
    bool shared_within = true;
    repeat_steadily(iterations, state, [&](int64_t) {
      shared_within = shared_within && tracer.shares_calls();
      EXPECT_NE(tracer.parts, nullptr);
      cache = torch::cat({cache, make({2, 1})}, 1);
    });
    EXPECT_FALSE(shared_within) << iterations;
    EXPECT_TRUE(tracer.shares_calls()) << iterations;
    EXPECT_EQ(tracer.parts, nullptr) << iterations;
  }
}

TEST_F(RepeatTest, WhatGrowsAlongTwoDimensionsIsAnError) {
  const Tensor row = make({1, 4});
  Tensor rows = make({1, 4});
  const LoopState state{{}, {&rows}};
  EXPECT_THROW(repeat_steadily(5, state,
                               [&](int64_t) {
                                 rows = torch::cat({rows, row}, 0);
                                 torch::matmul(rows, rows.t());  // quadratic
                               }),
               Error);
}

TEST_F(RepeatTest, AnIterationThatIsNotSteadyIsTraced) {
  Tensor x = make({4});
  const LoopState state{{&x}, {}};
  repeat_steadily(5, state, [&](int64_t i) { x = i == 0 ? torch::cat({x, x}, 0) : torch::silu(x); });
  EXPECT_EQ(trace().ops.size(), 2u);
  EXPECT_EQ(trace().scopes[static_cast<size_t>(trace().ops[1].scope)].count, 4);
}

}  // namespace
}  // namespace modelmeter
