#include "timing/collectives.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace modelmeter {
namespace {

using testing::HasSubstr;

// 8 GPUs a node of 100 GB/s, cards of 10 GB/s; all_gather of 2 and 8 ranks is known.
Cluster of_nodes(int64_t nodes) {
  Cluster out;
  out.id = "test";
  out.gpus_per_node = 8;
  out.nodes = nodes;
  out.link_bandwidth = {100e9, "sheet"};
  out.network_bandwidth = {10e9, "sheet"};
  out.network_latency = {20e-6, "sheet"};
  out.curves = {{"all_gather", "fit", {{2, 4e-6, 40e9, 0, 1}, {8, 16e-6, 160e9, 10e-6, 1e6}}}};
  return out;
}

ProcessGroup ranks(int32_t size, int32_t stride = 1) { return {GroupAxis::world, size, 0, stride}; }

TEST(CollectiveTimes, FollowTheCurve) {
  const Cluster cluster = of_nodes(1);
  const CollectiveTime two = collective_time(Kernel::allgather_, ranks(2), 40e6, cluster);
  EXPECT_DOUBLE_EQ(two.latency, 4e-6);
  EXPECT_DOUBLE_EQ(two.transfer, 1e-3);
  const CollectiveTime eight = collective_time(Kernel::allgather_base_, ranks(8), 160e6, cluster);
  EXPECT_NEAR(eight.transfer, 1e-3 + 10e-6, 1e-9);
  EXPECT_NEAR(collective_time(Kernel::allgather_, ranks(8), 1e6, cluster).transfer, 1e6 / 160e9 + 6.32e-6, 1e-8);
  const CollectiveTime four = collective_time(Kernel::allgather_, ranks(4), 80e6, cluster);
  EXPECT_NEAR(four.latency, 8e-6, 1e-12);  // half way in logarithms
  EXPECT_NEAR(four.transfer, 1e-3, 1e-5);
}

TEST(CollectiveTimes, WithoutACurveFollowTheLink) {
  const Cluster cluster = of_nodes(1);
  const CollectiveTime reduce = collective_time(Kernel::allreduce_, ranks(8), 66e6, cluster);
  EXPECT_NEAR(reduce.transfer, 1e-3, 1e-9);
  EXPECT_NEAR(reduce.latency, 8.4e-6 + 14 * 3.4e-6, 1e-12);
  EXPECT_LT(collective_time(Kernel::alltoall_, ranks(8), 66e6, cluster).latency, reduce.latency);
  EXPECT_NEAR(collective_time(Kernel::send, ranks(8), 83e6, cluster).transfer, 1e-3, 1e-9);
}

TEST(CollectiveTimes, MoreRanksThanWereMeasuredTakeMoreSteps) {
  Cluster cluster = of_nodes(1);
  cluster.gpus_per_node = 72;
  EXPECT_NEAR(collective_time(Kernel::allgather_, ranks(14), 0, cluster).latency, 28e-6, 1e-12);
}

TEST(CollectiveTimes, AcrossNodesGoThroughTheNetwork) {
  const Cluster cluster = of_nodes(2);
  // Of 16 parts of 1 MB: a rank's node has 8 of them, the other 8 come over 8 cards, 1 MB each.
  const CollectiveTime gather = collective_time(Kernel::allgather_, ranks(16), 15e6, cluster);
  EXPECT_TRUE(gather.crosses_nodes);
  EXPECT_NEAR(gather.link_bytes, 1e6, 1);
  EXPECT_GT(gather.transfer, 1e6 / 7.3e9);
  const CollectiveTime exchange = collective_time(Kernel::alltoall_, ranks(16), 15e6, cluster);
  EXPECT_NEAR(exchange.link_bytes, 8e6, 1);
  EXPECT_NEAR(exchange.transfer, 8e6 / 7.3e9, 1e-9);
  // One rank of each node: all of it does.
  EXPECT_NEAR(collective_time(Kernel::allgather_, ranks(2, 8), 1e6, cluster).link_bytes, 1e6, 1);
}

TEST(CollectiveTimes, OfMoreRanksThanGpusAreAnError) {
  try {
    collective_time(Kernel::allgather_, ranks(16), 1, of_nodes(1));
    FAIL() << "16 ranks on 8 GPUs";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("16 ranks are more than the 8 GPUs of test"));
  }
}

}  // namespace
}  // namespace modelmeter
