#include "report/device_memory.h"

#include <gtest/gtest.h>

namespace modelmeter {
namespace {

constexpr int64_t mib = int64_t{1} << 20;

TEST(DeviceMemory, BlocksAreMultiplesOf512Bytes) {
  EXPECT_EQ(allocated_bytes(1), 512);
  EXPECT_EQ(allocated_bytes(512), 512);
  EXPECT_EQ(allocated_bytes(513), 1024);
}

TEST(DeviceMemory, SmallAllocationsShareSegmentsOf2MiB) {
  EXPECT_EQ(reserved_bytes({1}), 2 * mib);
  EXPECT_EQ(reserved_bytes({mib, mib}), 2 * mib);
  EXPECT_EQ(reserved_bytes({mib, mib, 1}), 4 * mib);
}

TEST(DeviceMemory, UpTo10MiBTheyShareSegmentsOf20MiB) {
  EXPECT_EQ(reserved_bytes({mib + 1}), 20 * mib);
  EXPECT_EQ(reserved_bytes({9 * mib, 9 * mib, 3 * mib}), 40 * mib);
}

TEST(DeviceMemory, LargeOnesHaveSegmentsOfTheirOwn) {
  EXPECT_EQ(reserved_bytes({10 * mib}), 10 * mib);
  EXPECT_EQ(reserved_bytes({11 * mib}), 12 * mib);
  EXPECT_EQ(reserved_bytes({11 * mib, 11 * mib, 1}), 26 * mib);
}

TEST(DeviceMemory, PartsAddUp) {
  const DeviceMemory d = device_memory({100, 11 * mib}, 30 * mib);
  EXPECT_EQ(d.live, 100 + 11 * mib);
  EXPECT_EQ(d.allocator[0].bytes, 412);
  EXPECT_EQ(d.allocator[1].bytes, cublas_workspace_bytes);
  EXPECT_EQ(d.allocator[2].bytes, 30 * mib - d.live);
  EXPECT_EQ(d.max_memory_allocated(), 30 * mib + 412 + cublas_workspace_bytes);
  EXPECT_EQ(d.nvidia_smi(), d.max_memory_allocated() + (2 * mib - 512) + mib + cuda_context_bytes);
}

}  // namespace
}  // namespace modelmeter
