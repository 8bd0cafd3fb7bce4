#include "cost/live_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "cost/rollup.h"
#include "trace/functional.h"
#include "trace/repeat.h"

namespace modelmeter {
namespace {

int64_t sum(const Alive& alive) {
  int64_t total = alive.other;
  for (const AliveTensor& t : alive.tensors) total += t.bytes;
  return total;
}

std::vector<int64_t> sizes(const Alive& alive) {
  std::vector<int64_t> out;
  for (const AliveTensor& t : alive.tensors) out.push_back(t.bytes);
  return out;
}

class LiveMemory : public testing::Test {
 protected:
  Tracer tracer_;
  Tracer::Guard guard_{tracer_};
  const Trace& trace() const { return tracer_.trace(); }
};

// Where calls were shared not every kernel is there to be asked about.
TEST_F(LiveMemory, OfATraceWithSharedCallsIsAnError) {
  torch::silu(tracer_.input({100}, DType::float32));
  EXPECT_NO_THROW(alive_at(trace(), 0));
  tracer_.trace().shared_calls.push_back({0, 0, 0});
  EXPECT_THROW(alive_at(trace(), 0), Error);
}

TEST_F(LiveMemory, ListsEachStorageOnceWithItsMaker) {
  const Tensor x = tracer_.input({100}, DType::float32);
  Tensor a = torch::silu(x);                       // op 0: 400 bytes
  const Tensor view = a.narrow(0, 10, 20);         // no memory of its own
  const Tensor b = torch::add(a, 1.0);             // op 1
  a.reset();                                       // the view keeps it
  const Tensor c = torch::to(b, DType::bfloat16);  // op 2: 200 bytes
  const Alive alive = alive_at(trace(), 2);
  ASSERT_EQ(sizes(alive), (std::vector<int64_t>{400, 400, 200}));
  EXPECT_EQ(alive.tensors[0].made_by, 0);
  EXPECT_EQ(alive.tensors[1].made_by, 1);
  EXPECT_EQ(alive.tensors[2].made_by, 2);
  EXPECT_EQ(alive.tensors[2].tensor->sizes, (Shape{100}));
  EXPECT_EQ(alive.other, 0);
}

TEST_F(LiveMemory, WhatIsFreedIsGoneFromTheNextOpOn) {
  const Tensor x = tracer_.input({100}, DType::float32);
  Tensor a = torch::silu(x);
  a = torch::silu(a);  // both are alive right after it
  a = torch::silu(a);  // the first is gone
  EXPECT_EQ(sizes(alive_at(trace(), 0)), (std::vector<int64_t>{400}));
  EXPECT_EQ(sizes(alive_at(trace(), 1)), (std::vector<int64_t>{400, 400}));
  EXPECT_EQ(sizes(alive_at(trace(), 2)), (std::vector<int64_t>{400, 400}));
  for (int32_t i = 0; i < 3; ++i) EXPECT_EQ(sum(alive_at(trace(), i)), trace().ops[static_cast<size_t>(i)].live);
}

TEST_F(LiveMemory, RolesStayWithTheStorage) {
  const Tensor x = tracer_.input({100}, DType::float32);
  const Tensor kept = torch::silu(x);
  kept.narrow(0, 0, 5).set_role("feature cache");
  const Alive alive = alive_at(trace(), 0);
  ASSERT_EQ(alive.tensors.size(), 1u);
  EXPECT_STREQ(alive.tensors[0].tensor->storage->role, "feature cache");
}

// A decoder with a cache that grows by a step with each token: what is alive in the last repetition of the folded loop
// is what is alive there when every repetition is written out.
struct Decode {
  Decode(int64_t tokens, bool fold) {
    Tracer::Guard guard(tracer);
    const Tensor x = tracer.input({1, 2, 1, 16}, DType::bfloat16);
    std::vector<Tensor> caches;
    for (int i = 0; i < 3; ++i) caches.push_back(torch::zeros({1, 2, 5, 16}, DType::bfloat16));
    const auto token = [&](int64_t) {
      const Tensor y = torch::silu(x);
      for (Tensor& cache : caches) {
        cache = torch::cat({cache, y}, 2);
        cache.set_role("KV cache");
        const Tensor wide = torch::to(cache, DType::float32);
        torch::softmax(wide, -1);
      }
    };
    LoopState state;
    for (Tensor& cache : caches) state.growing.push_back(&cache);
    if (fold) {
      repeat_steadily(tokens, state, token);
    } else {
      for (int64_t i = 0; i < tokens; ++i) token(i);
    }
    rollup = roll_up(tracer.trace());
  }
  Tracer tracer;
  Rollup rollup;
};

class LiveMemoryOfGrowth : public testing::TestWithParam<int64_t> {};

TEST_P(LiveMemoryOfGrowth, TheLastRepetitionHoldsWhatItHoldsWrittenOut) {
  const Decode folded(GetParam(), true), plain(GetParam(), false);
  ASSERT_EQ(folded.rollup.peak_live, plain.rollup.peak_live);
  const Alive a = alive_at(folded.tracer.trace(), folded.rollup.peak_op);
  const Alive b = alive_at(plain.tracer.trace(), plain.rollup.peak_op);
  EXPECT_EQ(a.other, 0);
  EXPECT_EQ(sizes(a), sizes(b));
  EXPECT_EQ(sum(a), folded.rollup.peak_live);
}

INSTANTIATE_TEST_SUITE_P(Tokens, LiveMemoryOfGrowth, testing::Values(1, 2, 3, 8, 50));

}  // namespace
}  // namespace modelmeter
