#include "hardware/stack.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace modelmeter {
namespace {

// The figures themselves, written out by hand from their sources.
TEST(Stack, HasTheFiguresOfItsSources) {
  const Stack& s = default_stack();
  EXPECT_EQ(s.allocator.block.value, 512);
  EXPECT_EQ(s.allocator.small_allocation.value, 1048576);
  EXPECT_EQ(s.allocator.small_segment.value, 2097152);
  EXPECT_EQ(s.allocator.large_allocation.value, 10485760);
  EXPECT_EQ(s.allocator.large_segment.value, 20971520);
  EXPECT_EQ(s.allocator.own_segment.value, 2097152);
  EXPECT_EQ(s.cublas_workspace.value, 8519680);
  EXPECT_EQ(s.convolution.output_copied_up_to.value, 2);
  EXPECT_EQ(s.cuda_context.value, 446693376);
}

TEST(Stack, HopperHasLargerWorkspaces) {
  const Stack& hopper = stack_of("sm90");
  EXPECT_EQ(hopper.cublas_workspace.value, 33554432);
  EXPECT_EQ(hopper.convolution.output_copied_up_to.value, 4);
  EXPECT_EQ(hopper.allocator.block.value, default_stack().allocator.block.value);
  EXPECT_EQ(&stack_of("sm89"), &default_stack());
}

TEST(Stack, EveryConstantHasUnitSourceAndDate) {
  const Stack& s = default_stack();
  for (const Constant& c : {s.allocator.block, s.allocator.small_allocation, s.allocator.small_segment,
                            s.allocator.large_allocation, s.allocator.large_segment, s.allocator.own_segment,
                            s.cublas_workspace, s.convolution.output_copied_up_to, s.cuda_context}) {
    EXPECT_GT(c.value, 0);
    EXPECT_NE(std::strlen(c.unit), 0u) << c.source;
    EXPECT_NE(std::strlen(c.source), 0u) << c.value;
    EXPECT_EQ(std::strlen(c.date), std::strlen("2026-11")) << c.source;
  }
}

}  // namespace
}  // namespace modelmeter
