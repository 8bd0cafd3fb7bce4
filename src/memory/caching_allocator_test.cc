#include "memory/caching_allocator.h"

#include <gtest/gtest.h>

namespace modelmeter {
namespace {

constexpr int64_t kib = 1024, mib = 1024 * kib, gib = 1024 * mib;

CachingAllocator allocator(const AllocatorSettings& settings = {}) {
  return CachingAllocator(default_stack().allocator, settings);
}

// Sizes of the blocks of the only segment, free ones negative.
std::vector<int64_t> blocks_of(const CachingAllocator& a) {
  std::vector<int64_t> out;
  const std::vector<CachingAllocator::SegmentView> segments = a.segments();
  EXPECT_EQ(segments.size(), 1u);
  for (const auto& block : segments.front().blocks) out.push_back(block.allocated ? block.size : -block.size);
  return out;
}

// What one allocation takes: c10/core/AllocatorConfig.h.
TEST(CachingAllocator, RoundsToBlocksAndTakesSegmentsBySize) {
  struct Case {
    int64_t bytes, allocated, reserved;
  };
  for (const Case& c : {Case{1, 512, 2 * mib}, Case{512, 512, 2 * mib}, Case{513, 1024, 2 * mib},
                        Case{mib, mib, 2 * mib}, Case{mib + 1, mib + 512, 20 * mib},
                        Case{10 * mib - 512, 10 * mib - 512, 20 * mib}, Case{10 * mib, 10 * mib, 10 * mib},
                        // a rest of up to 1 MiB stays with its block
                        Case{11 * mib, 12 * mib, 12 * mib}, Case{13 * mib - 512, 13 * mib - 512, 14 * mib}}) {
    CachingAllocator a = allocator();
    a.allocate(c.bytes);
    EXPECT_EQ(a.allocated(), c.allocated) << c.bytes;
    EXPECT_EQ(a.reserved(), c.reserved) << c.bytes;
  }
}

TEST(CachingAllocator, SplitsAndMerges) {
  CachingAllocator a = allocator();
  const auto first = a.allocate(3 * mib), second = a.allocate(4 * mib), third = a.allocate(5 * mib);
  EXPECT_EQ(blocks_of(a), (std::vector<int64_t>{3 * mib, 4 * mib, 5 * mib, -8 * mib}));
  a.free(second);
  EXPECT_EQ(blocks_of(a), (std::vector<int64_t>{3 * mib, -4 * mib, 5 * mib, -8 * mib}));
  a.free(third);  // with both its neighbours
  EXPECT_EQ(blocks_of(a), (std::vector<int64_t>{3 * mib, -17 * mib}));
  a.free(first);
  EXPECT_EQ(blocks_of(a), (std::vector<int64_t>{-20 * mib}));
  EXPECT_EQ(a.allocated(), 0);
  EXPECT_EQ(a.reserved(), 20 * mib);
  EXPECT_EQ(a.peak_allocated(), 12 * mib);
}

TEST(CachingAllocator, TakesTheSmallestBlockThatHoldsIt) {
  CachingAllocator a = allocator();
  const auto large = a.allocate(64 * mib);
  const auto small = a.allocate(32 * mib);
  a.free(large);
  a.free(small);
  a.allocate(30 * mib);  // into the 32: a rest of 2 MiB is split off
  EXPECT_EQ(a.reserved(), 96 * mib);
  EXPECT_EQ(a.allocated(), 30 * mib);
  a.allocate(60 * mib);
  EXPECT_EQ(a.reserved(), 96 * mib);
  a.allocate(6 * mib);  // 4 and 2 MiB are left, in two segments
  EXPECT_EQ(a.reserved(), 116 * mib);
}

TEST(CachingAllocator, KeepsTheTwoPoolsApart) {
  CachingAllocator a = allocator();
  a.free(a.allocate(100 * mib));
  a.allocate(kib);
  EXPECT_EQ(a.reserved(), 102 * mib);
}

TEST(CachingAllocator, EmptyCacheGivesBackWhatIsWhollyFree) {
  CachingAllocator a = allocator();
  const auto held = a.allocate(5 * mib), gone = a.allocate(50 * mib);
  a.free(gone);
  EXPECT_EQ(a.reserved(), 70 * mib);
  a.empty_cache();
  EXPECT_EQ(a.reserved(), 20 * mib);
  a.free(held);
  a.empty_cache();
  EXPECT_EQ(a.reserved(), 0);
  EXPECT_TRUE(a.segments().empty());
  EXPECT_EQ(a.peak_reserved(), 70 * mib);
  a.reset_peaks();
  EXPECT_EQ(a.peak_reserved(), 0);
}

TEST(CachingAllocator, GivesSegmentsBackWhereTheDeviceIsFull) {
  CachingAllocator a = allocator({.capacity = gib});
  a.free(a.allocate(700 * mib));
  EXPECT_NE(a.allocate(900 * mib), CachingAllocator::none);  // 1600 do not fit at once
  EXPECT_EQ(a.retries(), 1);
  EXPECT_EQ(a.reserved(), 900 * mib);
  EXPECT_EQ(a.allocate(200 * mib), CachingAllocator::none);
  EXPECT_EQ(a.reserved(), 900 * mib);
  EXPECT_EQ(a.allocated(), 900 * mib);
  EXPECT_NE(a.allocate(124 * mib), CachingAllocator::none);
}

TEST(CachingAllocator, LargeBlocksAreNotSplitBeyondTheBound) {
  CachingAllocator a = allocator({.max_split_size = 100 * mib});
  a.free(a.allocate(200 * mib));
  a.allocate(90 * mib);  // below the bound: not of a block above it
  EXPECT_EQ(a.reserved(), 290 * mib);
  a.allocate(150 * mib);  // more than 20 MiB would be left
  EXPECT_EQ(a.reserved(), 440 * mib);
  a.allocate(190 * mib);  // the block goes whole
  EXPECT_EQ(a.reserved(), 440 * mib);
  EXPECT_EQ(a.allocated(), (90 + 150 + 200) * mib);
}

// roundup_power2_divisions:4 between 1024 and 2048: 1280, 1536, 1792 (PyTorch's notes on CUDA memory management).
TEST(CachingAllocator, RoundsToDivisionsOfAPowerOfTwo) {
  struct Case {
    int64_t bytes, rounded;
  };
  for (const Case& c : {Case{1200 * mib, 1280 * mib}, Case{1280 * mib, 1280 * mib}, Case{1281 * mib, 1536 * mib},
                        Case{1024 * mib, 1024 * mib}, Case{2000 * mib, 2048 * mib}, Case{2048, 2048}}) {
    CachingAllocator a = allocator({.roundup_power2_divisions = 4});
    a.allocate(c.bytes);
    EXPECT_EQ(a.allocated(), c.rounded) << c.bytes;
  }
}

TEST(CachingAllocator, ExpandableSegmentsGrowByPagesAndReuseThem) {
  CachingAllocator a = allocator({.expandable_segments = true});
  const auto first = a.allocate(30 * mib);
  EXPECT_EQ(a.reserved(), 40 * mib);  // two pages of 20 MiB
  EXPECT_EQ(a.allocated(), 30 * mib);
  const auto second = a.allocate(15 * mib);  // 10 are there, a page more
  EXPECT_EQ(a.reserved(), 60 * mib);
  a.free(first);
  a.allocate(12 * mib);
  EXPECT_EQ(a.reserved(), 60 * mib);
  EXPECT_EQ(blocks_of(a),
            (std::vector<int64_t>{-30 * mib, 15 * mib, 12 * mib, -3 * mib}));  // the smallest that holds it
  a.free(second);
  a.empty_cache();  // the page that 12 MiB lie in stays
  EXPECT_EQ(a.reserved(), 20 * mib);
  a.allocate(25 * mib);  // into the lowest gap
  EXPECT_EQ(a.reserved(), 60 * mib);
  a.allocate(kib);
  EXPECT_EQ(a.reserved(), 62 * mib);  // small ones have pages of 2 MiB
}

TEST(CachingAllocator, ExpandableSegmentsHaveNoFragmentsOfTheirOwn) {
  CachingAllocator plain = allocator(), expandable = allocator({.expandable_segments = true});
  for (CachingAllocator* a : {&plain, &expandable}) {
    CachingAllocator::Block before = a->allocate(64 * mib);
    for (int64_t size = 96; size <= 512; size += 32) {  // each a little larger than what was freed
      const CachingAllocator::Block next = a->allocate(size * mib);
      a->free(before);
      before = next;
    }
  }
  EXPECT_LT(expandable.peak_reserved(), plain.peak_reserved());
  EXPECT_GE(expandable.peak_reserved(), expandable.peak_allocated());
}

TEST(CachingAllocator, IsInTheSameStateWhereTheSameBlocksLie) {
  CachingAllocator a = allocator();
  const auto x = a.allocate(mib);
  const uint64_t one = a.state();
  const auto y = a.allocate(2 * mib);
  const uint64_t two = a.state();
  EXPECT_NE(one, two);
  a.free(y);
  EXPECT_NE(a.state(), one);  // the segment is still there
  EXPECT_EQ(a.address(a.allocate(2 * mib)), a.address(y));
  EXPECT_EQ(a.state(), two);
  a.free(x);
  EXPECT_NE(a.state(), two);
}

}  // namespace
}  // namespace modelmeter
