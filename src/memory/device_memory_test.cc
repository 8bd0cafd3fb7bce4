#include "memory/device_memory.h"

#include <gtest/gtest.h>

namespace modelmeter {
namespace {

constexpr int64_t mib = int64_t{1} << 20;

TEST(DeviceMemory, PartsAddUp) {
  const DeviceMemory d = device_memory({100, 11 * mib}, 30 * mib, default_stack());
  EXPECT_EQ(d.live, 100 + 11 * mib);
  EXPECT_EQ(d.allocator[0].bytes, 412);
  EXPECT_EQ(d.allocator[1].bytes, 8519680);
  EXPECT_EQ(d.allocator[2].bytes, 30 * mib - d.live);
  EXPECT_EQ(d.max_memory_allocated(), 30 * mib + 412 + 8519680);
  EXPECT_EQ(d.nvidia_smi(), d.max_memory_allocated() + (2 * mib - 512) + mib + 426 * mib);
}

}  // namespace
}  // namespace modelmeter
