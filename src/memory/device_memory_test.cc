#include "memory/device_memory.h"

#include <gtest/gtest.h>

namespace modelmeter {
namespace {

constexpr int64_t mib = int64_t{1} << 20;

TEST(DeviceMemory, PartsAddUpToThePeaksOfTheAllocator) {
  RunReplay replay;
  replay.peak_allocated = 40 * mib;
  replay.peak_reserved = 64 * mib;
  replay.cublas_workspace = 8519680;
  const DeviceMemory d = device_memory(11 * mib, 25 * mib, replay, default_stack());
  EXPECT_EQ(d.live, 11 * mib);
  EXPECT_EQ(d.allocated[0].bytes, 8519680);
  EXPECT_EQ(d.allocated[1].bytes, 14 * mib);  // of a convolution
  EXPECT_EQ(d.allocated[2].bytes, 40 * mib - 25 * mib - 8519680);
  EXPECT_EQ(d.max_memory_allocated(), 40 * mib);
  EXPECT_EQ(d.reserved[0].bytes, 24 * mib);
  EXPECT_EQ(d.max_memory_reserved(), 64 * mib);
  EXPECT_EQ(d.nvidia_smi(), (64 + 426) * mib);
}

TEST(DeviceMemory, AWorkspaceBelowThePeakAddsNothing) {
  RunReplay replay;
  replay.peak_allocated = replay.peak_reserved = 20 * mib;
  EXPECT_EQ(device_memory(20 * mib, 5 * mib, replay, default_stack()).allocated[1].bytes, 0);
}

}  // namespace
}  // namespace modelmeter
