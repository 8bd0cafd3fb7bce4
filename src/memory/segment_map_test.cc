#include "memory/segment_map.h"

#include <gtest/gtest.h>

namespace modelmeter {
namespace {

constexpr int64_t mib = int64_t{1} << 20;

AllocatorSegment segment(int64_t address, const std::vector<std::pair<int64_t, int64_t>>& blocks) {
  AllocatorSegment out;
  out.address = address;
  for (const auto& [size, requested] : blocks) {
    out.blocks.push_back({address + out.size, size, requested, requested > 0, false, {}});
    out.size += size;
  }
  return out;
}

// 20 MiB half full, 40 full with a rest that is not split off, 30 wholly free.
const std::vector<AllocatorSegment>& segments() {
  static const std::vector<AllocatorSegment> out = {
      segment(0, {{8 * mib, 8 * mib}, {10 * mib, 0}, {2 * mib, 2 * mib}}),
      segment(64 * mib, {{40 * mib, 39 * mib}}),
      segment(128 * mib, {{30 * mib, 0}}),
  };
  return out;
}

TEST(SegmentMap, TellsApartWhatIsFree) {
  const SegmentSums sums = sums_of(segments());
  EXPECT_EQ(sums.reserved, 90 * mib);
  EXPECT_EQ(sums.allocated, 50 * mib);
  EXPECT_EQ(sums.rounding, mib);
  EXPECT_EQ(sums.free_beside, 10 * mib);
  EXPECT_EQ(sums.free_segments, 30 * mib);
  EXPECT_EQ(sums.reserved, sums.allocated + sums.free_beside + sums.free_segments);
  EXPECT_EQ(sums.segments, 3);
  EXPECT_EQ(sums.held, 1);
  EXPECT_EQ(sums.whole, 1);
}

TEST(SegmentMap, ListsThoseWithTheMostFreeBytesFirst) {
  EXPECT_EQ(by_free_bytes(segments()), (std::vector<size_t>{2, 0}));
  EXPECT_EQ(largest_block(segments()[0])->size, 8 * mib);
  EXPECT_EQ(largest_block(segments()[2]), nullptr);
}

TEST(SegmentMap, DrawsSegmentsInColumns) {
  EXPECT_EQ(drawn(segments()[0], 10), "####.....#");
  EXPECT_EQ(drawn(segments()[0], 4), "#+.+");
  EXPECT_EQ(drawn(segments()[1], 3), "###");
  EXPECT_EQ(drawn(segments()[2], 3), "...");
}

}  // namespace
}  // namespace modelmeter
