#include "cost/rollup.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "trace/functional.h"
#include "trace/repeat.h"
#include "trace/shared_call.h"

namespace modelmeter {
namespace {

class RollupTest : public testing::Test {
 protected:
  Tensor make(const Shape& sizes, DType dtype = DType::float32) { return tracer.allocate(sizes, dtype); }
  Rollup roll() const { return roll_up(tracer.trace()); }

  Tracer tracer;
  Tracer::Guard guard{tracer};
};

TEST_F(RollupTest, AnEmptyTraceCostsNothing) {
  const Rollup r = roll();
  EXPECT_EQ(r.total(), Cost());
  EXPECT_EQ(r.peak_live, 0);
  EXPECT_EQ(r.peak_op, -1);
  EXPECT_EQ(r.total().arithmetic_intensity(), 0.0);
}

TEST_F(RollupTest, NestedRepetitionsMultiply) {
  // 50 steps of 2 branches of (one kernel, then 3 repetitions of one kernel).
  tracer.enter_repetition(50);
  tracer.enter_repetition(2);
  torch::neg(make({10}));
  const int32_t inner = tracer.enter_repetition(3);
  torch::matmul(make({2, 3}), make({3, 4}));
  tracer.leave();
  tracer.leave();
  tracer.leave();
  const Rollup r = roll();
  EXPECT_EQ(r.total().kernels, 100 * (1 + 3));
  EXPECT_EQ(r.total().flops_tensor, 100 * 3 * (2 * 2 * 3 * 4));
  EXPECT_EQ(r.total().flops_vector, 100 * 10);
  EXPECT_EQ(r.total().bytes_read, 100 * (40 + 3 * 4 * (6 + 12)));
  EXPECT_EQ(r.total().bytes_written, 100 * (40 + 3 * 4 * 8));
  EXPECT_EQ(r.executions[static_cast<size_t>(inner)], 300);
  EXPECT_EQ(r.scopes[static_cast<size_t>(inner)].own.kernels, 300);
  EXPECT_EQ(r.scopes[static_cast<size_t>(inner)].inclusive, r.scopes[static_cast<size_t>(inner)].own);
}

TEST_F(RollupTest, AParentIsItsOwnKernelsAndItsChildren) {
  int a = 0, b = 0;
  const int32_t outer = tracer.enter_module("a", "A", &a);
  torch::neg(make({10}));
  const int32_t inner = tracer.enter_module("b", "B", &b);
  torch::neg(make({20}));
  tracer.leave();
  torch::neg(make({30}));
  tracer.leave();
  const Rollup r = roll();
  EXPECT_EQ(r.scopes[static_cast<size_t>(outer)].own.flops_vector, 40);
  EXPECT_EQ(r.scopes[static_cast<size_t>(inner)].own.flops_vector, 20);
  EXPECT_EQ(r.scopes[static_cast<size_t>(outer)].inclusive.flops_vector, 60);
  EXPECT_EQ(r.total().flops_vector, 60);
  EXPECT_EQ(r.total().kernels, 3);
}

TEST_F(RollupTest, TheFullConventionIsTensorAndVector) {
  torch::linear(make({2, 3}), make({4, 3}), make({4}));
  const Cost c = roll().total();
  EXPECT_EQ(c.flops_torch(), 48);
  EXPECT_EQ(c.flops_full(), 48 + 8);
  EXPECT_EQ(c.bytes(), 4 * (6 + 12 + 4) + 4 * 8);
  EXPECT_DOUBLE_EQ(c.arithmetic_intensity(), 56.0 / 120.0);
}

TEST_F(RollupTest, AllocationsAreNoKernels) {
  torch::empty_like(make({10}));
  EXPECT_EQ(roll().total().kernels, 0);
}

TEST_F(RollupTest, ThePeakIsTheHighestLiveMemoryAndRepetitionDoesNotRaiseIt) {
  const Tensor x = make({100});  // 400 bytes
  {
    const Tensor y = torch::neg(x);          // 800
    const Tensor z = torch::cat({x, y}, 0);  // 1600
  }
  repeat(1000, torch::neg(x), [](int64_t, Tensor t) { return torch::neg(std::move(t)); });
  const Rollup r = roll();
  EXPECT_EQ(r.peak_live, 1600);
  EXPECT_EQ(r.peak_op, 1);
  EXPECT_EQ(r.peak_live_bytes(tracer.trace()), 1600);
  EXPECT_EQ(r.total().kernels, 1003);
}

TEST_F(RollupTest, InputsCountTowardsThePeakButNotTowardsActivations) {
  const Tensor x = tracer.input({100}, DType::float32);
  torch::neg(x);
  const Rollup r = roll();
  EXPECT_EQ(r.peak_live, 400);
  EXPECT_EQ(r.peak_live_bytes(tracer.trace()), 800);
}

TEST_F(RollupTest, AScopesPeakIsWhatIsLiveWhileItRuns) {
  int a = 0, b = 0;
  const int32_t first = tracer.enter_module("a", "A", &a);
  torch::neg(make({100}));
  tracer.leave();
  const int32_t second = tracer.enter_module("b", "B", &b);
  torch::neg(make({10}));
  tracer.leave();
  const Rollup r = roll();
  EXPECT_EQ(r.scopes[static_cast<size_t>(first)].peak_live, 800);
  EXPECT_EQ(r.scopes[static_cast<size_t>(second)].peak_live, 80);
  EXPECT_EQ(r.peak_live, 800);
}

TEST_F(RollupTest, RolledUpMemoryIsReusedWithoutTraces) {
  Rollup r;
  torch::neg(make({10}));
  roll_up(tracer.trace(), r);
  tracer.clear();
  roll_up(tracer.trace(), r);
  EXPECT_EQ(r.total(), Cost());
  EXPECT_EQ(r.peak_live, 0);
}

TEST_F(RollupTest, SumsGoOnWhere64BitsEnd) {
  tracer.enter_repetition(4'000'000'000'000'000'000);
  torch::neg(make({10}));
  tracer.leave();
  const Rollup r = roll();
  EXPECT_EQ(to_string(r.total().flops_vector), "40000000000000000000");
  EXPECT_EQ(to_string(r.total().bytes_read), "160000000000000000000");
  EXPECT_EQ(r.total().bytes(), r.total().bytes_read * 2);
  EXPECT_EQ(r.total().kernels, 4'000'000'000'000'000'000);
}

TEST_F(RollupTest, ATotalBeyond128BitsIsAnErrorThatNamesIt) {
  tracer.enter_repetition(4'000'000'000'000'000'000);
  const Tensor x = make({1'580'000, 1'580'000});  // a product of two is 7.9e18 FLOPs
  for (int i = 0; i < 6; ++i) torch::matmul(x, x);
  tracer.leave();
  try {
    roll();
    FAIL() << "no overflow";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "the number of tensor FLOPs overflows 128 bits");
    EXPECT_EQ(error.exit_code(), 1);
  }
}

// --- calls that are recorded once ---

// Calls in calls, in repetitions and in a loop that grows.
Rollup roll_up_calls(bool share_calls, size_t& recorded) {
  Tracer tracer;
  tracer.share_calls(share_calls);
  Tracer::Guard guard(tracer);
  const auto inner = [&](const Tensor& x) {
    return shared_call(tracer, structure_id("inner"), {&x}, {}, [&] {
      Tensor out = torch::matmul(x, x.transpose(0, 1));
      Tensor wide = torch::repeat(out, {3, 3});
      return torch::clone(wide.narrow(0, 0, 2));
    });
  };
  const auto outer = [&](const Tensor& x) {
    return shared_call(tracer, structure_id("outer"), {&x}, {}, [&] {
      tracer.enter_repetition(5);
      inner(x);
      tracer.leave();
      Tensor grown = tracer.allocate({1, 4}, DType::float32);
      repeat_steadily(7, {{}, {&grown}}, [&](int64_t) {
        grown = torch::cat({grown, alike([&] { return torch::neg(inner(x)).view({-1, 4}); })}, 0);
      });
      return torch::neg(grown);
    });
  };
  const Tensor x = tracer.input({4, 6}, DType::float32);
  Tensor a = outer(x);
  const int32_t scope = tracer.enter_repetition(3);
  const Tensor kept = torch::neg(a);
  a = outer(x);
  a = inner(x);
  tracer.leave();
  tracer.trace().scopes[static_cast<size_t>(scope)].live_step = 8;
  recorded = tracer.trace().ops.size();
  return roll_up(tracer.trace());
}

TEST(RollupOfSharedCalls, IsThatOfAllKernels) {
  size_t all = 0, once = 0;
  const Rollup plain = roll_up_calls(false, all), shared = roll_up_calls(true, once);
  EXPECT_EQ(plain.total(), shared.total());
  EXPECT_EQ(plain.peak_live, shared.peak_live);
#ifdef NDEBUG
  EXPECT_LT(once, all);
#else
  EXPECT_EQ(once, all);  // which compares them
#endif
}

}  // namespace
}  // namespace modelmeter
