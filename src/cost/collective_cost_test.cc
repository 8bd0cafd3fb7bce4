#include "cost/collective_cost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cost/op_cost.h"
#include "trace/functional.h"
#include "trace/repeat.h"

namespace modelmeter {
namespace {

namespace dist = torch::distributed;

constexpr ProcessGroup four{GroupAxis::ulysses, 4, 3, 1};

class CollectiveCosts : public testing::Test {
 protected:
  Tensor bytes(int64_t n) { return tracer.allocate({n}, DType::int8); }
  TensorList parts(std::initializer_list<int64_t> sizes) {
    TensorList out;
    for (const int64_t size : sizes) out.push_back(bytes(size));
    return out;
  }
  const Op& last() const { return tracer.trace().ops[tracer.trace().ops.size() - 1]; }
  LinkBytes links() const { return link_bytes(launch_of(tracer.trace(), last())); }
  OpCost cost() const { return cost_of(tracer.trace(), last()); }

  Tracer tracer;
  Tracer::Guard guard{tracer};
};

TEST_F(CollectiveCosts, OfAllToAllLeaveOutTheRanksOwnPart) {
  dist::all_to_all(parts({1, 2, 3, 4}), parts({10, 20, 30, 40}), four);
  EXPECT_EQ(links().sent, 60);     // rank 3 keeps its 40
  EXPECT_EQ(links().received, 6);  // and gets what the others have for it
  EXPECT_EQ(cost().bytes_read, 100);
  EXPECT_EQ(cost().bytes_written, 10);
  EXPECT_EQ(cost().kernels, 1);
  EXPECT_EQ(cost().flops_tensor + cost().flops_vector, 0);
  dist::all_to_all_single(bytes(100), bytes(100), four);
  EXPECT_EQ(links().sent, 75);
}

TEST_F(CollectiveCosts, OfAGatherAreWhatTheOthersHave) {
  dist::all_gather(parts({7, 7, 7, 5}), bytes(5), four);
  EXPECT_EQ(links().received, 21);
  EXPECT_EQ(cost().bytes_read, 5);
  EXPECT_EQ(cost().bytes_written, 26);
  dist::all_gather_into_tensor(bytes(400), bytes(100), four);
  EXPECT_EQ(links().sent, 300);
}

TEST_F(CollectiveCosts, OfSumsAreThoseOfAScatterAndAGather) {
  dist::reduce_scatter_tensor(bytes(100), bytes(400), four);
  EXPECT_EQ(links().sent, 300);
  EXPECT_EQ(cost().flops_vector, 400);
  dist::all_reduce(bytes(400), four);
  EXPECT_EQ(links().sent, 600);
  EXPECT_EQ(cost().bytes_read, 400);
  EXPECT_EQ(cost().bytes_written, 400);
}

TEST_F(CollectiveCosts, OfOneDirectionAreTheTensor) {
  dist::send(bytes(8), four);
  EXPECT_EQ(links().sent, 8);
  EXPECT_EQ(links().received, 0);
  EXPECT_EQ(cost().kernels, 1);
  EXPECT_EQ(cost().bytes_read, 8);
  dist::recv(bytes(8), four);
  EXPECT_EQ(links().sent, 0);
  EXPECT_EQ(links().received, 8);
  EXPECT_EQ(cost().bytes_written, 8);
}

TEST_F(CollectiveCosts, AddUpByKindAndGroup) {
  repeat(10, bytes(8), [&](int64_t, const Tensor& state) {
    dist::all_reduce(state, four);
    dist::all_reduce(state, {GroupAxis::world, 8});
    return state;
  });
  const std::vector<Communication> all = communication_of(tracer.trace());
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].calls, 10);
  EXPECT_EQ(all[0].sent, 120);  // 2 x 3/4 x 8 each
  EXPECT_EQ(all[1].group.size, 8);
  EXPECT_EQ(all[1].sent, 140);
}

}  // namespace
}  // namespace modelmeter
