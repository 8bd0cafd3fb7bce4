#include "trace/shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace modelmeter {
namespace {

TEST(Shape, PrintsAsPythonPrintsAList) {
  EXPECT_EQ(Shape({1, 256, 5120}).to_string(), "[1, 256, 5120]");
  EXPECT_EQ(Shape({}).to_string(), "[]");
}

TEST(Shape, CountsElements) {
  EXPECT_EQ(Shape({2, 3, 4}).numel(), 24);
  EXPECT_EQ(Shape({}).numel(), 1);
  EXPECT_EQ(Shape({5, 0, 7}).numel(), 0);
}

TEST(Shape, NamesItselfWhereItsElementsOverflow) {
  try {
    Shape({4'000'000'000, 4'000'000'000}).numel();
    FAIL() << "no overflow";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 1);
    EXPECT_THAT(error.message(), testing::HasSubstr("[4000000000, 4000000000] overflows 64 bits"));
  }
}

TEST(Shape, CountsDimensionsFromTheEndWhereNegative) {
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape.dim(0), 0);
  EXPECT_EQ(shape.dim(-1), 2);
  EXPECT_EQ(shape.dim(-3), 0);
  EXPECT_EQ(shape.dim(3, 1), 3);  // unsqueeze may add one behind the last
  EXPECT_EQ(shape.dim(-1, 1), 3);
  EXPECT_THROW(shape.dim(3), Error);
  EXPECT_THROW(shape.dim(-4), Error);
}

TEST(Shape, InsertsAndErases) {
  Shape shape{2, 3};
  shape.insert(1, 7);
  EXPECT_EQ(shape, Shape({2, 7, 3}));
  shape.insert(3, 9);
  EXPECT_EQ(shape, Shape({2, 7, 3, 9}));
  shape.erase(0);
  EXPECT_EQ(shape, Shape({7, 3, 9}));
}

TEST(Shape, HoldsEightDimensionsAndNoMore) {
  Shape shape{1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(shape.rank(), 8);
  EXPECT_THROW(shape.push_back(9), Error);
  EXPECT_THROW(shape.insert(0, 9), Error);
}

TEST(Shape, DiffersByRankAndBySize) {
  EXPECT_NE(Shape({2}), Shape({2, 1}));
  EXPECT_NE(Shape({2, 3}), Shape({3, 2}));
  EXPECT_EQ(Shape({}), Shape({}));
}

TEST(Strides, OfContiguousTensorsAreRowMajor) {
  EXPECT_EQ(contiguous_strides({2, 3, 4}), Shape({12, 4, 1}));
  EXPECT_EQ(contiguous_strides({}), Shape({}));
  EXPECT_EQ(contiguous_strides({2, 0, 4}), Shape({4, 4, 1}));  // torch.empty(2, 0, 4).stride()
}

TEST(Strides, DimensionsOfSizeOneDoNotMatterForContiguity) {
  EXPECT_TRUE(is_contiguous({2, 3}, {3, 1}));
  EXPECT_TRUE(is_contiguous({2, 1, 3}, {3, 99, 1}));
  EXPECT_TRUE(is_contiguous({0, 3}, {7, 7}));  // nothing to lay out
  EXPECT_FALSE(is_contiguous({2, 3}, {1, 2}));
  EXPECT_FALSE(is_contiguous({2, 3}, {0, 1}));  // expanded
  EXPECT_FALSE(is_contiguous({2, 3}, {6, 1}));  // every other row
}

TEST(Strides, ChannelsLastPutsChannelsInnermost) {
  EXPECT_EQ(channels_last_strides({2, 3, 4, 5}), Shape({60, 1, 15, 3}));          // torch.channels_last
  EXPECT_EQ(channels_last_strides({2, 3, 4, 5, 6}), Shape({360, 1, 90, 18, 3}));  // torch.channels_last_3d
  EXPECT_TRUE(is_channels_last({2, 3, 4, 5}, {60, 1, 15, 3}));
  EXPECT_FALSE(is_channels_last({2, 3, 4, 5}, {60, 20, 5, 1}));
  EXPECT_FALSE(is_channels_last({3, 4, 5}, {1, 15, 3}));  // of three dimensions there is none
}

TEST(Broadcast, FollowsTorch) {
  EXPECT_EQ(broadcast({2, 3}, {2, 3}), Shape({2, 3}));
  EXPECT_EQ(broadcast({2, 1}, {3}), Shape({2, 3}));
  EXPECT_EQ(broadcast({3}, {2, 1}), Shape({2, 3}));
  EXPECT_EQ(broadcast({}, {4, 5}), Shape({4, 5}));
  EXPECT_EQ(broadcast({5, 1, 4}, {1, 3, 1}), Shape({5, 3, 4}));
  EXPECT_EQ(broadcast({1}, {0}), Shape({0}));
}

TEST(Broadcast, NamesBothShapesWhereTheyDoNotFit) {
  try {
    broadcast({2, 3}, {4});
    FAIL() << "[2, 3] and [4] broadcast";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), testing::AllOf(testing::HasSubstr("[2, 3]"), testing::HasSubstr("[4]")));
  }
  EXPECT_THROW(broadcast({2}, {3}), Error);
  EXPECT_THROW(broadcast({2}, {0}), Error);
}

}  // namespace
}  // namespace modelmeter
