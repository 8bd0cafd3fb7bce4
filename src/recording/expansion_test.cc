#include "recording/expansion.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "trace/functional.h"
#include "trace/repeat.h"

namespace modelmeter {
namespace {

class ExpansionTest : public testing::Test {
 protected:
  Tracer tracer;
  Tracer::Guard guard{tracer};
};

TEST_F(ExpansionTest, WritesRepetitionsOutAndNumbersTheirModules) {
  int block = 0;
  repeat(3, tracer.allocate({4}, DType::float32), [&](int64_t i, const Tensor& x) {
    tracer.enter_module("blocks", "Block", &block, i);
    Tensor y = torch::neg(x);
    tracer.leave();
    return y;
  });
  const std::vector<RecordedOp> ops = recorded_ops(tracer.trace());
  ASSERT_EQ(ops.size(), 3u);
  EXPECT_EQ(ops[0].scope, "blocks.0");
  EXPECT_EQ(ops[1].scope, "blocks.1");
  EXPECT_EQ(ops[2].scope, "blocks.2");
  EXPECT_EQ(ops[2].kernel, "aten.neg");
  EXPECT_EQ(ops[2].inputs, (std::vector<RecordedTensor>{{{4}, "f32"}}));
  EXPECT_EQ(ops[2].read, 16);
  const auto calls = module_calls(tracer.trace());
  EXPECT_EQ(calls.at("blocks.0"), 1);
  EXPECT_EQ(calls.at("blocks.2"), 1);
}

TEST_F(ExpansionTest, MarksHostTensorsAndLeavesOutTheRandomState) {
  torch::to_device(tracer.host({2}, DType::int64), DType::int32);
  const Tensor q = tracer.allocate({1, 1, 8, 8}, DType::bfloat16);
  torch::scaled_dot_product_attention(q, q, q);
  const std::vector<RecordedOp> ops = recorded_ops(tracer.trace());
  ASSERT_EQ(ops.size(), 2u);
  EXPECT_EQ(ops[0].inputs[0].dtype, "cpu:i64");
  EXPECT_EQ(ops[1].outputs.size(), 2u);  // the result and the log-sum-exp
}

TEST_F(ExpansionTest, RefusesToWriteOutMillions) {
  tracer.enter_repetition(20'000'000);
  torch::neg(tracer.allocate({1}, DType::float32));
  tracer.leave();
  EXPECT_THROW(recorded_ops(tracer.trace()), Error);
}

}  // namespace
}  // namespace modelmeter
