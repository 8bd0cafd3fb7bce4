#include "trace/tracer.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "trace/functional.h"
#include "trace/repeat.h"

namespace modelmeter {
namespace {

class TracerTest : public testing::Test {
 protected:
  Tensor make(const Shape& sizes, DType dtype = DType::float32) { return tracer.allocate(sizes, dtype); }
  int64_t executions_of_op(size_t i) const { return trace.executions(trace.ops[i].scope); }

  Tracer tracer;
  Tracer::Guard guard{tracer};
  const Trace& trace = tracer.trace();
};

TEST(Tracer, WithoutOneAForwardIsAFault) {
  try {
    Tracer::current();
    FAIL() << "there is a tracer";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::internal);
  }
}

TEST(Tracer, GuardsNest) {
  Tracer outer, inner;
  Tracer::Guard a(outer);
  {
    Tracer::Guard b(inner);
    EXPECT_EQ(&Tracer::current(), &inner);
  }
  EXPECT_EQ(&Tracer::current(), &outer);
}

TEST_F(TracerTest, ClearStartsAnew) {
  { torch::neg(tracer.input({4}, DType::float32)); }
  tracer.enter_module("a", "A", this);
  tracer.leave();
  tracer.clear();
  EXPECT_TRUE(trace.ops.empty());
  EXPECT_TRUE(trace.operands.empty());
  EXPECT_EQ(trace.scopes.size(), 1u);
  EXPECT_EQ(trace.given_bytes, 0);
  EXPECT_EQ(tracer.live(), 0);
  { torch::neg(tracer.input({4}, DType::float32)); }
  EXPECT_EQ(trace.ops.size(), 1u);
  EXPECT_EQ(trace.ops[0].live, 16);
}

// --- scopes ---

TEST_F(TracerTest, PathsNameModulesAndNothingElse) {
  int block = 0, attention = 0;
  tracer.enter_repetition(40);
  tracer.enter_module("blocks", "Block", &block, 1);
  tracer.enter_function("core");
  tracer.enter_module("self_attn", "Attention", &attention);
  EXPECT_EQ(trace.path(tracer.scope()), "blocks.1.self_attn");
  tracer.leave();
  EXPECT_EQ(trace.path(tracer.scope()), "blocks.1");  // of the function: the module it is in
  EXPECT_EQ(trace.path(0), "");
}

TEST_F(TracerTest, AModuleEnteredAgainFromTheSameParentIsOneScopeCalledTwice) {
  int a = 0, b = 0;
  const int32_t first = tracer.enter_module("a", "A", &a);
  tracer.leave();
  tracer.enter_module("b", "B", &b);
  const int32_t inside = tracer.enter_module("a", "A", &a);
  tracer.leave();
  tracer.leave();
  const int32_t again = tracer.enter_module("a", "A", &a);
  tracer.leave();
  EXPECT_EQ(first, again);
  EXPECT_NE(first, inside);
  EXPECT_EQ(trace.scopes[static_cast<size_t>(first)].calls, 2);
  EXPECT_EQ(trace.scopes[static_cast<size_t>(inside)].calls, 1);
}

TEST_F(TracerTest, MembersOfAListAreScopesOfTheirOwn) {
  int block = 0;
  const int32_t zero = tracer.enter_module("blocks", "Block", &block, 0);
  tracer.leave();
  const int32_t one = tracer.enter_module("blocks", "Block", &block, 1);
  tracer.leave();
  EXPECT_NE(zero, one);
  EXPECT_EQ(trace.path(one), "blocks.1");
}

TEST_F(TracerTest, ARepetitionIsAlwaysNew) {
  const int32_t first = tracer.enter_repetition(2);
  tracer.leave();
  const int32_t second = tracer.enter_repetition(2);
  tracer.leave();
  EXPECT_NE(first, second);
}

TEST_F(TracerTest, ExecutionsMultiplyUpToTheRoot) {
  tracer.enter_repetition(50);
  tracer.enter_repetition(2);
  const int32_t inner = tracer.enter_repetition(39);
  EXPECT_EQ(trace.executions(inner), 3900);
}

TEST_F(TracerTest, RepetitionsThatOverflowAreAnError) {
  tracer.enter_repetition(4'000'000'000);
  const int32_t inner = tracer.enter_repetition(4'000'000'000);
  try {
    trace.executions(inner);
    FAIL() << "no overflow";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "the number of repetitions overflows 64 bits");
  }
}

TEST_F(TracerTest, AnOpKnowsItsScopeAndItsOperands) {
  const Tensor a = make({2, 3}), b = make({3});
  FunctionScope scope("part");
  const Tensor c = torch::add(a, b);
  ASSERT_EQ(trace.ops.size(), 1u);
  const Op& op = trace.ops[0];
  EXPECT_EQ(op.scope, tracer.scope());
  EXPECT_EQ(op.inputs, 2);
  EXPECT_EQ(op.outputs, 1);
  EXPECT_EQ(&trace.input(op, 1), &b.meta());
  EXPECT_EQ(&trace.output(op, 0), &c.meta());
}

// --- repeat() ---

TEST_F(TracerTest, RepeatTracesASteadyBodyOnce) {
  int calls = 0;
  const Tensor out = repeat(40, make({4}), [&](int64_t, const Tensor& x) {
    ++calls;
    return torch::neg(x);
  });
  // The first iteration leaves one tensor where it found one: steady at once.
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(trace.ops.size(), 1u);
  EXPECT_EQ(executions_of_op(0), 40);
  EXPECT_EQ(out.sizes(), Shape({4}));
}

TEST_F(TracerTest, RepeatTracesUntilTheStateComesOutAsItWentIn) {
  std::vector<int64_t> indices;
  const Tensor out = repeat(40, make({4}, DType::bfloat16), [&](int64_t i, const Tensor& x) {
    indices.push_back(i);
    return torch::add(x, make({4}, DType::float32));
  });
  EXPECT_EQ(indices, (std::vector<int64_t>{0, 1}));  // bf16 to f32, then f32 to f32 for the other 39
  EXPECT_EQ(executions_of_op(0), 1);
  EXPECT_EQ(executions_of_op(1), 39);
  EXPECT_EQ(out.dtype(), DType::float32);
}

TEST_F(TracerTest, RepeatCountsShortLoops) {
  repeat(0, make({4}), [&](int64_t, const Tensor& x) { return torch::neg(x); });
  EXPECT_EQ(trace.ops.size(), 0u);
  repeat(1, make({4}), [&](int64_t, const Tensor& x) { return torch::neg(x); });
  ASSERT_EQ(trace.ops.size(), 1u);
  EXPECT_EQ(executions_of_op(0), 1);
}

TEST_F(TracerTest, RepeatGoesOnWhileTheBodyLeavesMemoryBehind) {
  Tensor kept;
  int calls = 0;
  repeat(5, make({4}), [&](int64_t i, const Tensor& x) {
    ++calls;
    if (i < 2) kept = make({i + 1});  // grows twice, then stays
    return torch::neg(x);
  });
  EXPECT_EQ(calls, 3);
  int64_t executed = 0;
  for (size_t i = 0; i < trace.ops.size(); ++i) executed += executions_of_op(i);
  EXPECT_EQ(executed, 5);
}

TEST_F(TracerTest, RepeatExecutesEveryIterationOfABodyThatNeverSettles) {
  repeat(4, make({1}), [&](int64_t, const Tensor& x) { return torch::cat({x, make({1})}, 0); });
  EXPECT_EQ(trace.ops.size(), 4u);
}

TEST_F(TracerTest, RepeatDoesNotChangeLiveMemory) {
  const Tensor out = repeat(1000, make({8}), [&](int64_t, const Tensor& x) { return torch::neg(x); });
  EXPECT_EQ(tracer.live(), 32);
}

}  // namespace
}  // namespace modelmeter
