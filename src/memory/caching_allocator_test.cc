#include "memory/caching_allocator.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "memory/alloc_conf.h"

namespace modelmeter {
namespace {

constexpr int64_t kib = 1024, mib = 1024 * kib, gib = 1024 * mib;

CachingAllocator allocator(const AllocatorSettings& settings = {}) {
  return CachingAllocator(default_stack().allocator, settings);
}

// Sizes of the blocks of the only segment, free ones negative.
std::vector<int64_t> blocks_of(const CachingAllocator& a) {
  std::vector<int64_t> out;
  const std::vector<AllocatorSegment> segments = a.segments();
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
    CachingAllocator a = allocator(parse_alloc_conf("roundup_power2_divisions:4"));
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

// Pages that are mapped between two free blocks make one of all three, as PyTorch's map_block() does.
TEST(CachingAllocator, AGapThatIsMappedJoinsWhatIsFreeOnBothSides) {
  CachingAllocator a = allocator({.expandable_segments = true});
  a.allocate(25 * mib);
  const auto middle = a.allocate(50 * mib);
  a.allocate(25 * mib);
  a.free(middle);
  a.empty_cache();  // the page from 40 to 60 MiB goes, 15 MiB stay on both sides
  EXPECT_EQ(a.reserved(), 80 * mib);
  a.allocate(30 * mib);
  EXPECT_EQ(a.reserved(), 100 * mib);
  EXPECT_EQ(blocks_of(a), (std::vector<int64_t>{25 * mib, 30 * mib, -20 * mib, 25 * mib}));
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

// roundup_power2_divisions:[1:2,4:8,>:0]: up to 2 MiB halves of a power of two, from 4 to 8 MiB eighths, else blocks.
TEST(CachingAllocator, RoundsBySizeWhereDivisionsAreGivenBySize) {
  const AllocatorSettings settings = parse_alloc_conf("roundup_power2_divisions:[1:2,4:8,>:0]");
  const auto rounded = [&](int64_t bytes) {
    CachingAllocator a = allocator(settings);
    a.allocate(bytes);
    return a.segments().front().blocks.front().size;
  };
  EXPECT_EQ(rounded(1280 * 1024), 1536 * 1024);
  EXPECT_EQ(rounded(4 * mib + 1), 4 * mib + mib / 2);
  EXPECT_EQ(rounded(9 * mib + 1), 9 * mib + 512);
}

TEST(CachingAllocator, WhatOneStreamFreesIsNotForAnother) {
  CachingAllocator a = allocator();
  a.free(a.allocate(30 * mib));
  const auto other = a.allocate(30 * mib, 1);
  EXPECT_EQ(a.reserved(), 60 * mib);
  a.free(other);
  a.allocate(30 * mib, 1);
  a.allocate(30 * mib);
  EXPECT_EQ(a.reserved(), 60 * mib);
  a.allocate(512, 1);
  a.allocate(512, 2);
  EXPECT_EQ(a.reserved(), 64 * mib);
}

TEST(CachingAllocator, WhatGoesAtOnceLeavesItsPeaks) {
  for (const bool touches : {false, true}) {
    CachingAllocator a = allocator();
    EXPECT_FALSE(a.touch(4 * mib));  // nothing is free yet
    a.free(a.allocate(30 * mib));
    a.allocate(12 * mib);
    a.reset_peaks();
    const uint64_t before = a.state();
    for (const int64_t size : {6 * mib, 17 * mib}) {  // the latter takes the block whole
      if (!touches || !a.touch(size)) a.free(a.allocate(size));
    }
    EXPECT_EQ(a.peak_allocated(), 30 * mib);
    EXPECT_EQ(a.allocated(), 12 * mib);
    EXPECT_EQ(a.state(), before);
    EXPECT_EQ(a.fullest(), 1);
    EXPECT_FALSE(a.touch(19 * mib));
  }
}

// record_stream(): the block is the copies' again once the kernels that read it have run, 10 launches on.
TEST(CachingAllocator, WhatKernelsOfAnotherStreamReadIsFreeAfterThem) {
  for (const bool expandable : {false, true}) {
    CachingAllocator a = allocator({.expandable_segments = expandable});
    const auto x = a.allocate(40 * mib, 1);
    const uint64_t before = a.state();
    a.free_after(x, 10);
    EXPECT_EQ(a.allocated(), 0);
    EXPECT_NE(a.state(), before);
    EXPECT_FALSE(a.shape().has_value());
    a.launched(9);
    const auto y = a.allocate(40 * mib, 1);
    EXPECT_EQ(a.reserved(), 80 * mib);
    a.launched(1);
    EXPECT_EQ(a.address(a.allocate(40 * mib, 1)), a.address(x));
    EXPECT_EQ(a.reserved(), 80 * mib);
    a.free_after(y, 1000);
    ASSERT_TRUE(a.segments().back().blocks.back().waits || a.segments().front().blocks.front().waits);
    a.synchronize();
    a.allocate(40 * mib, 1);
    EXPECT_EQ(a.reserved(), 80 * mib);
  }
}

TEST(CachingAllocator, AFullDeviceWaitsForKernelsRatherThanFail) {
  CachingAllocator a = allocator({.capacity = 70 * mib});
  for (int i = 0; i < 5; ++i) {
    const auto x = a.allocate(40 * mib, 1);
    ASSERT_NE(x, CachingAllocator::none);
    a.free_after(x, 1000);
  }
  EXPECT_EQ(a.retries(), 4);
  EXPECT_EQ(a.peak_reserved(), 40 * mib);
}

TEST(CachingAllocator, HasTheSameShapeWhereWhatIsFreeLiesAlike) {
  CachingAllocator one = allocator({.capacity = gib}), other = allocator({.capacity = gib});
  EXPECT_EQ(one.shape(), other.shape());
  EXPECT_EQ(one.room(), gib);
  other.allocate(64 * mib);  // a full segment
  EXPECT_EQ(one.shape(), other.shape());
  EXPECT_EQ(other.room(), gib - 64 * mib);
  for (CachingAllocator* a : {&one, &other}) {
    const auto gone = a->allocate(4 * mib);
    a->allocate(a == &one ? 6 * mib : 7 * mib);
    a->allocate(a == &one ? 3 * mib : 2 * mib);
    a->free(gone);  // 4 free, 9 held, 7 free
  }
  EXPECT_EQ(one.shape(), other.shape());
  one.allocate(mib + 512);
  EXPECT_NE(one.shape(), other.shape());
}

TEST(CachingAllocator, LogsWhatItDoesUpToWhereItIsFullest) {
  AllocationLog log;
  CachingAllocator first = allocator(), again = allocator();
  again.log_to(&log);
  for (CachingAllocator* a : {&first, &again}) {
    a->set_maker({7, 3});
    const auto x = a->allocate(30 * mib);
    a->allocate(12 * mib - 100);
    a->free(x);
    a->allocate(8 * mib);
    a->empty_cache();
    log.last = first.fullest();
  }
  EXPECT_EQ(first.fullest(), 2);
  using Action = AllocationLog::Action;
  std::vector<Action> actions;
  for (const AllocationLog::Event& e : log.events) actions.push_back(e.action);
  EXPECT_EQ(actions, (std::vector<Action>{Action::segment_alloc, Action::alloc, Action::segment_alloc, Action::alloc}));
  EXPECT_EQ(log.events[3].size, 12 * mib - 100);
  EXPECT_EQ(log.events[3].maker, (AllocationMaker{7, 3}));
  ASSERT_EQ(log.segments.size(), 2u);
  EXPECT_EQ(log.segments[0].size, 12 * mib);
  EXPECT_EQ(log.segments[0].blocks[0].requested, 12 * mib - 100);
  EXPECT_EQ(log.segments[0].blocks[0].maker, (AllocationMaker{7, 3}));
}

TEST(CachingAllocator, AShareOfTheDeviceBoundsWhatItTakes) {
  AllocatorSettings settings = parse_alloc_conf("per_process_memory_fraction:0.5");
  EXPECT_THROW(allocator(settings), Error);  // of which device?
  settings.memory = 100 * mib;
  CachingAllocator a = allocator(settings);
  EXPECT_NE(a.allocate(50 * mib), CachingAllocator::none);
  EXPECT_EQ(a.allocate(1), CachingAllocator::none);
}

// 50 MiB are allowed, 0.5 of them are 25. Of free segments of 12 and 14 MiB, 26 in all, the one that has waited longer
// goes when a third is needed: that is enough.
TEST(CachingAllocator, UnusedSegmentsGoBackBeforeTheThresholdIsPassed) {
  for (const double threshold : {0.5, 0.0}) {
    AllocatorSettings settings = parse_alloc_conf("per_process_memory_fraction:0.5");
    settings.memory = 100 * mib;
    settings.garbage_collection_threshold = threshold;
    CachingAllocator a = allocator(settings);
    const auto older = a.allocate(12 * mib), newer = a.allocate(14 * mib);
    a.free(older);
    a.free(a.allocate(5 * mib));  // lies in the older one: it has waited since
    a.free(newer);
    a.free(a.allocate(13 * mib));
    a.allocate(20 * mib);
    EXPECT_EQ(a.reserved(), (threshold > 0 ? 14 : 12 + 14) * mib + 20 * mib);
    EXPECT_EQ(a.retries(), 0);
  }
}

// With max_split_size a full device gives back one segment that is large enough, not all of them.
TEST(CachingAllocator, LargerSegmentsGoBackFirstWhereTheyAreNotSplit) {
  AllocatorSettings settings = parse_alloc_conf("max_split_size_mb:20");
  settings.capacity = 160 * mib;
  CachingAllocator a = allocator(settings);
  const auto small = a.allocate(12 * mib), middle = a.allocate(40 * mib), large = a.allocate(100 * mib);
  for (const auto block : {small, middle, large}) a.free(block);
  EXPECT_NE(a.allocate(65 * mib), CachingAllocator::none);  // 100 is too much larger
  EXPECT_EQ(a.retries(), 0);
  EXPECT_EQ(a.reserved(), (12 + 40 + 66) * mib);
  // No single one is large enough: the largest go until they are.
  EXPECT_NE(a.allocate(90 * mib), CachingAllocator::none);
  EXPECT_EQ(a.retries(), 1);
}

}  // namespace
}  // namespace modelmeter
