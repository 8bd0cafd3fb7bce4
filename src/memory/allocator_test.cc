#include "memory/allocator.h"

#include <gtest/gtest.h>

namespace modelmeter {
namespace {

constexpr int64_t mib = int64_t{1} << 20;

int64_t allocated(int64_t requested) { return allocated_bytes(requested, default_stack().allocator); }
int64_t reserved(const std::vector<int64_t>& requested) { return reserved_bytes(requested, default_stack().allocator); }

TEST(Allocator, BlocksAreMultiplesOf512Bytes) {
  EXPECT_EQ(allocated(1), 512);
  EXPECT_EQ(allocated(512), 512);
  EXPECT_EQ(allocated(513), 1024);
}

TEST(Allocator, SmallAllocationsShareSegmentsOf2MiB) {
  EXPECT_EQ(reserved({1}), 2 * mib);
  EXPECT_EQ(reserved({mib, mib}), 2 * mib);
  EXPECT_EQ(reserved({mib, mib, 1}), 4 * mib);
}

TEST(Allocator, UpTo10MiBTheyShareSegmentsOf20MiB) {
  EXPECT_EQ(reserved({mib + 1}), 20 * mib);
  EXPECT_EQ(reserved({9 * mib, 9 * mib, 3 * mib}), 40 * mib);
}

// c10/cuda/CUDACachingAllocator.cpp: kSmallSize = 1 MiB and below, kMinLargeAlloc = 10 MiB and above; 0 bytes are none.
TEST(Allocator, BoundsBelongToOneOfTheirSides) {
  EXPECT_EQ(reserved({mib}), 2 * mib);
  EXPECT_EQ(reserved({10 * mib - 512}), 20 * mib);
  EXPECT_EQ(reserved({10 * mib - 511}), 10 * mib);
  EXPECT_EQ(reserved({2 * mib, 3 * mib, 10 * mib, 1}), 20 * mib + 10 * mib + 2 * mib);
  EXPECT_EQ(reserved({}), 0);
  EXPECT_EQ(allocated(0), 0);
}

TEST(Allocator, LargeOnesHaveSegmentsOfTheirOwn) {
  EXPECT_EQ(reserved({10 * mib}), 10 * mib);
  EXPECT_EQ(reserved({11 * mib}), 12 * mib);
  EXPECT_EQ(reserved({11 * mib, 11 * mib, 1}), 26 * mib);
}

}  // namespace
}  // namespace modelmeter
