#include "trace/tensor.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "trace/functional.h"

namespace modelmeter {
namespace {

class TensorTest : public testing::Test {
 protected:
  Tensor make(const Shape& sizes, DType dtype = DType::float32) { return tracer.allocate(sizes, dtype); }

  Tracer tracer;
  Tracer::Guard guard{tracer};
};

// Sizes and strides as PyTorch gives them for the same calls.
TEST_F(TensorTest, ViewsOfAContiguousTensorAreContiguous) {
  const Tensor x = make({2, 3, 4});
  const Tensor y = x.view({6, -1});
  EXPECT_EQ(y.sizes(), Shape({6, 4}));
  EXPECT_EQ(y.strides(), Shape({4, 1}));
  EXPECT_TRUE(y.is_contiguous());
  EXPECT_EQ(x.view({-1}).sizes(), Shape({24}));
  EXPECT_EQ(x.view({2, 1, 3, 1, 4}).strides(), Shape({12, 12, 4, 4, 1}));
}

TEST_F(TensorTest, AViewOfAnotherNumberOfElementsIsAnError) {
  const Tensor x = make({2, 3});
  EXPECT_THROW(x.view({4}), Error);
  EXPECT_THROW(x.view({-1, 4}), Error);
}

// at::detail::computeStride: a view may split dimensions and merge those that lie one behind the other.
TEST_F(TensorTest, TransposedDimensionsSplitButDoNotMerge) {
  const Tensor x = make({4, 6}).transpose(0, 1);  // [6, 4], strides [1, 6]
  EXPECT_EQ(x.strides(), Shape({1, 6}));
  EXPECT_FALSE(x.is_contiguous());
  EXPECT_FALSE(x.can_view({24}));
  EXPECT_THROW(x.view({24}), Error);
  EXPECT_EQ(x.view({2, 3, 4}).strides(), Shape({3, 1, 6}));
  EXPECT_EQ(x.view({6, 2, 2}).strides(), Shape({1, 12, 6}));
  EXPECT_EQ(x.view({6, 1, 4}).sizes(), Shape({6, 1, 4}));
}

TEST_F(TensorTest, InnerDimensionsMergeBehindASlice) {
  const Tensor x = make({2, 8, 3, 5}).slice(1, 0, 4);  // strides [120, 15, 5, 1]
  EXPECT_EQ(x.view({2, 60}).strides(), Shape({120, 1}));
  EXPECT_EQ(x.view({2, 12, 5}).strides(), Shape({120, 5, 1}));
  EXPECT_FALSE(x.can_view({120}));
}

TEST_F(TensorTest, ExpandedDimensionsMergeOnlyAmongThemselves) {
  const Tensor x = make({4}).unsqueeze(0).unsqueeze(0).expand({2, 3, 4});  // strides [0, 0, 1]
  EXPECT_EQ(x.strides(), Shape({0, 0, 1}));
  EXPECT_EQ(x.view({6, 4}).strides(), Shape({0, 1}));
  EXPECT_FALSE(x.can_view({24}));
}

TEST_F(TensorTest, EmptyTensorsViewAsAnyEmptyShape) {
  const Tensor x = make({0, 3}).transpose(0, 1);
  EXPECT_EQ(x.view({0}).sizes(), Shape({0}));
  EXPECT_THROW(x.view({1}), Error);
}

TEST_F(TensorTest, PermuteTransposeAndT) {
  const Tensor x = make({2, 3, 4});
  EXPECT_EQ(x.permute({2, 0, 1}).sizes(), Shape({4, 2, 3}));
  EXPECT_EQ(x.permute({2, 0, 1}).strides(), Shape({1, 12, 4}));
  EXPECT_EQ(x.transpose(-1, -2).strides(), Shape({12, 1, 4}));
  EXPECT_EQ(make({2, 3}).t().sizes(), Shape({3, 2}));
}

TEST_F(TensorTest, UnsqueezeAndSqueeze) {
  const Tensor x = make({2, 3});
  EXPECT_EQ(x.unsqueeze(0).strides(), Shape({6, 3, 1}));
  EXPECT_EQ(x.unsqueeze(-1).strides(), Shape({3, 1, 1}));
  EXPECT_EQ(x.unsqueeze(1).squeeze(1).sizes(), Shape({2, 3}));
  EXPECT_EQ(x.squeeze(0).sizes(), Shape({2, 3}));  // not of size 1: as it was
  EXPECT_THROW(x.unsqueeze(3), Error);
}

TEST_F(TensorTest, SlicesClampAsInPython) {
  const Tensor x = make({10, 4});
  EXPECT_EQ(x.slice(0, 2, 5).sizes(), Shape({3, 4}));
  EXPECT_EQ(x.slice(0, -3, 10).sizes(), Shape({3, 4}));
  EXPECT_EQ(x.slice(0, 8, 99).sizes(), Shape({2, 4}));
  EXPECT_EQ(x.slice(0, 5, 2).sizes(), Shape({0, 4}));
  EXPECT_EQ(x.slice(0, 0, 10, 3).sizes(), Shape({4, 4}));
  EXPECT_EQ(x.slice(0, 0, 10, 3).strides(), Shape({12, 1}));
  EXPECT_EQ(x.slice(1, 1, 3).meta().offset, 1);
  EXPECT_EQ(x.narrow(0, 3, 2).meta().offset, 12);
  EXPECT_THROW(x.narrow(0, 8, 3), Error);
}

TEST_F(TensorTest, SelectDropsTheDimension) {
  const Tensor x = make({5, 3, 4});
  EXPECT_EQ(x.select(0, 2).sizes(), Shape({3, 4}));
  EXPECT_EQ(x.select(0, 2).meta().offset, 24);
  EXPECT_EQ(x.select(1, -1).meta().offset, 8);
  EXPECT_EQ(x.unbind(1).size(), 3u);
}

TEST_F(TensorTest, ChunksMayEndShort) {
  const TensorList parts = make({10, 2}).chunk(4, 0);  // torch.chunk: 3, 3, 3, 1
  ASSERT_EQ(parts.size(), 4u);
  EXPECT_EQ(parts[0].size(0), 3);
  EXPECT_EQ(parts[3].size(0), 1);
  EXPECT_EQ(make({9}).chunk(4, 0).size(), 3u);  // 3, 3, 3
}

TEST_F(TensorTest, SplitCutsGivenLengths) {
  const TensorList parts = make({2, 10}).split({3, 7}, 1);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[1].sizes(), Shape({2, 7}));
  EXPECT_EQ(parts[1].meta().offset, 3);
  EXPECT_THROW(make({2, 10}).split({3, 8}, 1), Error);
}

TEST_F(TensorTest, UnflattenInfersOnePart) {
  EXPECT_EQ(make({2, 12}).unflatten(1, {3, -1}).sizes(), Shape({2, 3, 4}));
  EXPECT_THROW(make({2, 12}).unflatten(1, {5, -1}), Error);
}

TEST_F(TensorTest, ExpandKeepsOrRepeats) {
  const Tensor x = make({3, 1});
  EXPECT_EQ(x.expand({3, 4}).strides(), Shape({1, 0}));
  EXPECT_EQ(x.expand({2, -1, 4}).sizes(), Shape({2, 3, 4}));
  EXPECT_EQ(x.expand({2, -1, 4}).strides(), Shape({0, 1, 0}));
  EXPECT_THROW(x.expand({4, 4}), Error);
}

TEST_F(TensorTest, ComplexViewsHalveAndDoubleStrides) {
  const Tensor x = make({5, 3, 2}, DType::float64);
  const Tensor c = x.view_as_complex();
  EXPECT_EQ(c.sizes(), Shape({5, 3}));
  EXPECT_EQ(c.strides(), Shape({3, 1}));
  EXPECT_EQ(c.dtype(), DType::complex128);
  const Tensor r = c.view_as_real();
  EXPECT_EQ(r.sizes(), x.sizes());
  EXPECT_EQ(r.strides(), x.strides());
  EXPECT_EQ(r.dtype(), DType::float64);
  EXPECT_EQ(make({4, 2}).view_as_complex().dtype(), DType::complex64);
}

TEST_F(TensorTest, ViewsLaunchNothingAndShareMemory) {
  const Tensor x = make({2, 3, 4, 2}, DType::float64);
  const int64_t live = tracer.live();
  const Tensor y = x.view({6, 4, 2}).transpose(0, 1).slice(1, 0, 3).unsqueeze(0).view_as_complex();
  EXPECT_EQ(tracer.live(), live);
  EXPECT_TRUE(tracer.trace().ops.empty());
  EXPECT_EQ(y.meta().storage, x.meta().storage);
}

// --- lifetimes ---

TEST_F(TensorTest, MemoryIsLiveAsLongAsAnyHandle) {
  Tensor x = make({10});
  EXPECT_EQ(tracer.live(), 40);
  Tensor copy = x;
  Tensor view = x.view({2, 5});
  x.reset();
  EXPECT_EQ(tracer.live(), 40);
  copy.reset();
  EXPECT_EQ(tracer.live(), 40);
  view.reset();
  EXPECT_EQ(tracer.live(), 0);
}

TEST_F(TensorTest, MovingHandsTheHandleOn) {
  Tensor x = make({10});
  Tensor y = std::move(x);
  EXPECT_FALSE(x.defined());
  EXPECT_EQ(tracer.live(), 40);
  y = Tensor();
  EXPECT_EQ(tracer.live(), 0);
}

TEST_F(TensorTest, AssignmentFreesWhatWasThere) {
  Tensor x = make({10});
  x = make({20});  // both are live while the new one is made, as in Python
  EXPECT_EQ(tracer.live(), 80);
  Tensor& same = x;
  x = same;
  EXPECT_EQ(tracer.live(), 80);
  x = std::move(same);
  EXPECT_EQ(tracer.live(), 80);
}

TEST_F(TensorTest, AFunctionLetsItsArgumentsGoBeforeItReturns) {
  Tensor x = make({100});
  x = torch::neg(std::move(x));
  x = torch::neg(std::move(x));
  EXPECT_EQ(tracer.live(), 400);
  EXPECT_EQ(tracer.trace().ops[0].live, 800);  // input and output
  EXPECT_EQ(tracer.trace().ops[1].live, 800);  // and no third
}

TEST_F(TensorTest, AnArgumentThatIsKeptStaysAlive) {
  const Tensor x = make({100});
  const Tensor y = torch::neg(x);
  EXPECT_EQ(tracer.live(), 800);
}

TEST_F(TensorTest, GivenAndHostMemoryIsNotLive) {
  const Tensor input = tracer.input({10}, DType::float32);
  const Tensor weight = tracer.parameter({10}, DType::float32);
  const Tensor lengths = tracer.host({10}, DType::int64);
  EXPECT_EQ(tracer.live(), 0);
  EXPECT_EQ(tracer.trace().given_bytes, 40);  // of inputs; weights are counted by the layer that has them
  EXPECT_TRUE(lengths.on_host());
}

TEST_F(TensorTest, TheTraceKnowsWhenMemoryWasMadeAndFreed) {
  Tensor x = make({10});
  x = torch::neg(std::move(x));
  Tensor y = torch::neg(x);
  const Storage& storage = *x.meta().storage;
  EXPECT_EQ(storage.died, -1);
  x.reset();
  EXPECT_EQ(storage.died, 2);  // after the second kernel
}

TEST_F(TensorTest, ATensorTooLargeForItsBytesIsAnError) {
  EXPECT_THROW(make({4'000'000'000, 1'000'000'000}), Error);  // elements fit, bytes do not
}

TEST_F(TensorTest, LiveMemoryThatOverflowsIsAnError) {
  const Tensor x = make({2'000'000'000'000'000'000});
  EXPECT_THROW(make({2'000'000'000'000'000'000}), Error);
}

TEST_F(TensorTest, AListHoldsFewAndManyTensorsAlike) {
  TensorList list{make({1}), make({2})};
  for (int64_t i = 3; i <= 9; ++i) list.push_back(make({i}));
  ASSERT_EQ(list.size(), 9u);
  int64_t expected = 1;
  for (const Tensor& tensor : list) EXPECT_EQ(tensor.numel(), expected++);
  EXPECT_EQ(list.front().numel(), 1);
  EXPECT_EQ(list.back().numel(), 9);
  TensorList copy = list;
  EXPECT_EQ(tracer.live(), 4 * 45);
  list.clear();
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(copy[8].numel(), 9);
  copy = TensorList();
  EXPECT_EQ(tracer.live(), 0);
}

}  // namespace
}  // namespace modelmeter
