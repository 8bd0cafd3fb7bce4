#include "memory/workspace.h"

#include <gtest/gtest.h>

#include "trace/functional.h"

namespace modelmeter {
namespace {

int64_t workspace_of_conv(DType dtype) {
  Tracer tracer;
  Tracer::Guard guard(tracer);
  const Tensor x = tracer.input({1, 8, 6, 10, 12}, dtype);
  torch::conv3d(x, tracer.parameter({4, 8, 3, 3, 3}, dtype), tracer.parameter({4}, dtype), {1, 1, 1});
  return workspace_bytes(tracer.trace(), tracer.trace().ops.front(), default_stack());
}

TEST(Workspace, OfAConvolutionInFloat32IsACopyOfInputAndWeight) {
  EXPECT_EQ(workspace_of_conv(DType::float32), 4 * (8 * 6 * 10 * 12 + 4 * 8 * 27));
}

TEST(Workspace, OfAConvolutionIn16BitsIsThatAndTheOutput) {
  EXPECT_EQ(workspace_of_conv(DType::float16), 2 * (8 * 6 * 10 * 12 + 4 * 8 * 27 + 4 * 4 * 8 * 10));
}

// cuDNN takes it as it is.
TEST(Workspace, OfAChannelsLastConvolutionIsNone) {
  Tracer tracer;
  Tracer::Guard guard(tracer);
  const Tensor x = tracer.input({2, 10, 12, 8}, DType::float32).permute({0, 3, 1, 2});
  torch::conv2d(x, tracer.parameter({4, 8, 3, 3}, DType::float32), tracer.parameter({4}, DType::float32), {1, 1});
  EXPECT_EQ(workspace_bytes(tracer.trace(), tracer.trace().ops.front(), default_stack()), 0);
}

TEST(Workspace, OtherKernelsHaveNone) {
  Tracer tracer;
  Tracer::Guard guard(tracer);
  torch::silu(tracer.input({8}, DType::float32));
  EXPECT_EQ(workspace_bytes(tracer.trace(), tracer.trace().ops.back(), default_stack()), 0);
}

}  // namespace
}  // namespace modelmeter
