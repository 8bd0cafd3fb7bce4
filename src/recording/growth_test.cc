// What grows with a repetition costs what writing out every iteration costs.
#include <gtest/gtest.h>

#include <algorithm>

#include "cost/rollup.h"
#include "recording/expansion.h"
#include "trace/functional.h"
#include "trace/repeat.h"

namespace modelmeter {
namespace {

// Autoregressive attention: n tokens, each appended to a key and a value cache of `layers` layers.
void decode(int64_t n, int64_t layers, bool fold) {
  Tracer& tracer = Tracer::current();
  const Tensor x = tracer.input({1, 2, 1, 16}, DType::bfloat16);
  std::vector<Tensor> keys, values;
  for (int64_t i = 0; i < layers; ++i) {
    keys.push_back(tracer.allocate({1, 2, 5, 16}, DType::bfloat16));
    values.push_back(tracer.allocate({1, 2, 5, 16}, DType::bfloat16));
  }
  const auto token = [&](int64_t) {
    const Tensor y = alike([&] { return torch::silu(x); });
    for (int64_t i = 0; i < layers; ++i) {
      Tensor& k = keys[static_cast<size_t>(i)];
      Tensor& v = values[static_cast<size_t>(i)];
      k = torch::cat({k, y}, 2);
      v = torch::cat({v, y}, 2);
      torch::scaled_dot_product_attention(y, k, v);
    }
  };
  LoopState state;
  for (Tensor& k : keys) state.growing.push_back(&k);
  for (Tensor& v : values) state.growing.push_back(&v);
  if (fold) return repeat_steadily(n, state, token);
  for (int64_t i = 0; i < n; ++i) token(i);
}

struct TracedDecode {
  TracedDecode(int64_t n, int64_t layers, bool fold) {
    Tracer::Guard guard(tracer);
    decode(n, layers, fold);
    rollup = roll_up(tracer.trace());
    ops = recorded_ops(tracer.trace());
  }
  Tracer tracer;
  Rollup rollup;
  std::vector<RecordedOp> ops;
};

class GrowthTest : public testing::TestWithParam<int64_t> {};

TEST_P(GrowthTest, FoldedAndWrittenOutLoopsAreEqual) {
  const TracedDecode folded(GetParam(), 3, true), plain(GetParam(), 3, false);
  EXPECT_LE(folded.tracer.trace().ops.size(), 10u);
  EXPECT_EQ(folded.rollup.total(), plain.rollup.total());
  EXPECT_EQ(folded.rollup.peak_live, plain.rollup.peak_live);
  ASSERT_EQ(folded.ops.size(), plain.ops.size());
  for (size_t i = 0; i < folded.ops.size(); ++i) {
    const RecordedOp &a = folded.ops[i], &b = plain.ops[i];
    EXPECT_EQ(a.kernel, b.kernel) << i;
    EXPECT_EQ(a.inputs, b.inputs) << i;
    EXPECT_EQ(a.outputs, b.outputs) << i;
    EXPECT_EQ(a.flops, b.flops) << i;
    EXPECT_EQ(a.read, b.read) << i;
    EXPECT_EQ(a.write, b.write) << i;
    EXPECT_EQ(a.live, b.live) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Iterations, GrowthTest, testing::Values(1, 2, 3, 4, 7, 32, 101));

}  // namespace
}  // namespace modelmeter
