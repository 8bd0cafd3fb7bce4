#include "trace/distributed.h"

#include <gtest/gtest.h>

#include "trace/functional.h"

namespace modelmeter {
namespace {

namespace dist = torch::distributed;

constexpr ProcessGroup four{GroupAxis::ulysses, 4, 3, 2};

class Collectives : public testing::Test {
 protected:
  Tensor bytes(int64_t n) { return tracer.allocate({n}, DType::int8); }
  TensorList parts(int n) {
    TensorList out;
    for (int i = 0; i < n; ++i) out.push_back(bytes(10));
    return out;
  }
  const Op& last() const { return tracer.trace().ops[tracer.trace().ops.size() - 1]; }

  Tracer tracer;
  Tracer::Guard guard{tracer};
};

TEST_F(Collectives, SayTheirGroup) {
  dist::all_to_all(parts(4), parts(4), four);
  EXPECT_EQ(tracer.trace().kernel_name(last()), "c10d.alltoall_");
  const ProcessGroup group = group_of(last().params.data());
  EXPECT_EQ(group.axis, GroupAxis::ulysses);
  EXPECT_EQ(group.size, 4);
  EXPECT_EQ(group.rank, 3);
  EXPECT_EQ(group.stride, 2);
  EXPECT_EQ(name_of(group.axis), "ulysses");
}

TEST_F(Collectives, TakeWhatIsSentAndGiveWhatIsReceived) {
  dist::all_gather(parts(4), bytes(10), four);
  EXPECT_EQ(last().inputs, 1);
  EXPECT_EQ(last().outputs, 4);
  EXPECT_EQ(last().input_bytes, 10);
  EXPECT_EQ(last().output_bytes, 40);
  EXPECT_FALSE(last().in_place);
  dist::all_reduce(bytes(8), four);
  EXPECT_TRUE(last().in_place);
  EXPECT_EQ(last().input_bytes, 8);
  EXPECT_EQ(last().output_bytes, 8);
}

TEST_F(Collectives, OfOneDirectionHaveNoOtherSide) {
  dist::send(bytes(8), four);
  EXPECT_EQ(last().inputs, 1);
  EXPECT_EQ(last().outputs, 0);
  dist::recv(bytes(8), four);
  EXPECT_EQ(last().inputs, 0);
  EXPECT_EQ(last().outputs, 1);
  dist::broadcast(bytes(8), 3, four);
  EXPECT_EQ(last().outputs, 0);
  dist::broadcast(bytes(8), 0, four);
  EXPECT_EQ(last().inputs, 0);
}

TEST_F(Collectives, ReceiveIntoWhatIsThereAndLetGoOfWhatTheySent) {
  Tensor mine = bytes(16);
  {
    Tensor all = bytes(64);
    dist::all_gather_into_tensor(all, mine, four);
    EXPECT_EQ(tracer.live(), 80);
    dist::reduce_scatter_tensor(mine, std::move(all), four);
  }
  EXPECT_EQ(tracer.live(), 16);
  dist::all_to_all_single(bytes(16), std::move(mine), four);
  EXPECT_EQ(tracer.live(), 0);
}

}  // namespace
}  // namespace modelmeter
