#include "trace/shared_call.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "trace/functional.h"
#include "trace/repeat.h"

namespace modelmeter {
namespace {

class SharedCallTest : public testing::Test {
 protected:
  SharedCallTest() { tracer.share_calls(true); }

  Tensor make(const Shape& sizes, DType dtype = DType::float32) { return tracer.allocate(sizes, dtype); }
  // -|x|, by another name for each number.
  Tensor call(const Tensor& x, const Shape& numbers = {}) {
    return shared_call(tracer, structure_id("minus the absolute value"), {&x}, numbers, [&] {
      Tensor out = torch::abs(x);
      return torch::neg(std::move(out));
    });
  }
  // How many of the calls so far were not recorded. A debug build records all and compares.
  size_t shared() const { return trace.shared_calls.size(); }

  Tracer tracer;
  Tracer::Guard guard{tracer};
  const Trace& trace = tracer.trace();
};

#ifdef NDEBUG
constexpr bool compares = false;
#else
constexpr bool compares = true;
#endif

TEST_F(SharedCallTest, ACallLikeAnEarlierOneIsNotRecorded) {
  const Tensor x = make({2, 3}), y = make({2, 3});
  const Tensor a = call(x);
  const int64_t live = tracer.live();
  const Tensor b = call(y);
  EXPECT_EQ(shared(), compares ? 0u : 1u);
  EXPECT_EQ(trace.ops.size(), compares ? 4u : 2u);
  EXPECT_EQ(b.sizes(), a.sizes());
  EXPECT_NE(a.meta().storage, b.meta().storage);
  EXPECT_EQ(tracer.live() - live, 4 * 6);
}

TEST_F(SharedCallTest, ByDefaultAllAreRecorded) {
  tracer.share_calls(false);
  const Tensor x = make({2});
  const Tensor a = call(x), b = call(x);
  EXPECT_EQ(shared(), 0u);
  EXPECT_EQ(trace.ops.size(), 4u);
}

TEST_F(SharedCallTest, WhatDecidesMakesAnotherCall) {
  const Tensor x = make({2, 3});
  std::vector<Tensor> results{call(x),
                              call(make({2, 4})),
                              call(make({2, 3}, DType::bfloat16)),
                              call(make({3, 2}).transpose(0, 1)),
                              call(tracer.input({2, 3}, DType::float32)),
                              call(x, {1})};
  {
    AutocastGuard autocast(DType::bfloat16);
    results.push_back(call(x));
  }
  EXPECT_EQ(shared(), 0u);
  EXPECT_EQ(trace.ops.size(), 14u);
}

TEST_F(SharedCallTest, TheResultIsLaidOutAsThatOfTheEarlierCall) {
  const auto half_of_rows = [&](const Tensor& x) {
    return shared_call(tracer, structure_id("half of the rows"), {&x}, {},
                       [&] { return torch::neg(x.transpose(0, 1)).narrow(0, 1, 2); });
  };
  const Tensor x = make({4, 6});
  const Tensor a = half_of_rows(x), b = half_of_rows(x);
  EXPECT_EQ(a.strides(), b.strides());
  EXPECT_EQ(b.meta().offset, a.meta().offset);
  EXPECT_EQ(b.meta().bytes, 4 * 2 * 4);
  EXPECT_EQ(b.meta().storage->bytes, 4 * 24);
}

TEST_F(SharedCallTest, InputsThatShareMemoryAreNotShared) {
  const auto sum = [&](const Tensor& x, const Tensor& y) {
    return shared_call(tracer, structure_id("sum"), {&x, &y}, {}, [&] { return torch::add(x, y); });
  };
  const Tensor x = make({4}), y = make({4});
  const Tensor a = sum(x, y), b = sum(x, x), c = sum(x, x);
  EXPECT_EQ(shared(), 0u);
  EXPECT_EQ(trace.ops.size(), 3u);
}

TEST_F(SharedCallTest, ACallThatLeavesMoreBehindIsNotShared) {
  Tensor kept;
  const auto keep = [&](const Tensor& x) {
    return shared_call(tracer, structure_id("keeps"), {&x}, {}, [&] {
      kept = torch::abs(x);
      return torch::neg(kept);
    });
  };
  const Tensor x = make({4});
  const Tensor a = keep(x);
  const int32_t known = tracer.calls().find({});
  EXPECT_EQ(known, -1);
  EXPECT_TRUE(trace.calls.empty());
  const auto same = [&](const Tensor& y) {
    return shared_call(tracer, structure_id("identity"), {&y}, {}, [&] { return y; });
  };
  const Tensor b = same(x), c = same(x);
  EXPECT_EQ(shared(), 0u);
}

TEST_F(SharedCallTest, AClearedTracerRemembersNoCall) {
  { const Tensor a = call(make({2})); }
  tracer.clear();
  const Tensor a = call(make({2}));
  EXPECT_EQ(shared(), 0u);
  EXPECT_EQ(trace.ops.size(), 2u);
}

// The last repetition of what grows is recorded against one that must then have all its kernels.
TEST_F(SharedCallTest, AGrowingLoopSharesOnlyInItsPartsThatDoNotGrow) {
  Tensor grown = make({1, 2}), result;
  const Tensor x = make({8});
  repeat_steadily(10, {{&result}, {&grown}}, [&](int64_t) {
    result = call(x);
    result = alike([&] {
      const Tensor inner = call(x);
      return call(inner);
    });
    grown = torch::cat({grown, make({1, 2})}, 0);
  });
  EXPECT_EQ(grown.sizes(), Shape({11, 2}));
  EXPECT_EQ(shared() > 0, !compares);
}

TEST_F(SharedCallTest, AFunctionThatIsNotPureIsFoundWhereCallsAreCompared) {
  int64_t n = 1;
  const auto grow = [&](const Tensor& x) {
    return shared_call(tracer, structure_id("not pure"), {&x}, {}, [&] { return torch::new_zeros(x, {n++}); });
  };
  const Tensor x = make({4});
  const Tensor a = grow(x);
  if (compares) {
    EXPECT_THROW(grow(x), Error);
  } else {
    EXPECT_EQ(grow(x).sizes(), a.sizes());
  }
}

}  // namespace
}  // namespace modelmeter
