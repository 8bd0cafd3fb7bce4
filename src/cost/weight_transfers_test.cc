#include "cost/weight_transfers.h"

#include <gtest/gtest.h>

#include "cost/live_memory.h"
#include "cost/rollup.h"
#include "trace/functional.h"
#include "trace/tracer.h"

namespace modelmeter {
namespace {

// In 3 repetitions 100 bytes of weights come, a kernel makes 32 bytes beside them, and they go back to the host; then a
// kernel runs in a stage beside it. A tensor that is no weight comes from the host, too.
class StreamedModel : public testing::Test {
 protected:
  StreamedModel() {
    Tracer::Guard guard(tracer);
    stage = tracer.enter_function("model");
    tracer.enter_repetition(3);
    Tensor weight = copied(100);
    weight.set_role(streamed_role);
    torch::neg(tracer.input({8}, DType::float32));
    const Tensor back = tracer.host({100}, DType::uint8);
    tracer.record(Kernel::to_copy, {&weight}, {&back});
    weight.reset();
    copied(7);
    tracer.leave();
    tracer.leave();
    tracer.enter_function("other");
    torch::neg(tracer.input({8}, DType::float32));
    tracer.leave();
  }
  Tensor copied(int64_t bytes) {
    const Tensor host = tracer.host({bytes}, DType::uint8);
    Tensor device = tracer.allocate({bytes}, DType::uint8);
    tracer.record(Kernel::to_copy, {&host}, {&device});
    return device;
  }
  Residence residence(bool on_device) const {
    Residence out{stage, 50};
    out.on_device = on_device;
    out.arriving_bytes = 11;
    out.leaving_bytes = 13;
    out.loaded_bytes = 17;
    return out;
  }

  Tracer tracer;
  int32_t stage = 0;
};

TEST_F(StreamedModel, WeightsComeAndGoInEachRepetition) {
  const WeightTransfers moved = weight_transfers(tracer.trace(), residence(true));
  EXPECT_EQ(moved.to_device, 17 + 11 + 3 * 100);
  EXPECT_EQ(moved.to_host, 13 + 3 * 100);
}

TEST_F(StreamedModel, OnTheHostNothingMovesWhileItRuns) {
  const WeightTransfers moved = weight_transfers(tracer.trace(), residence(false));
  EXPECT_EQ(moved.to_device, 17 + 11);
  EXPECT_EQ(moved.to_host, 13);
}

TEST_F(StreamedModel, TheyAreLiveMemoryWhileTheyAreThere) {
  Trace& trace = tracer.trace();
  trace.residences = {residence(true)};
  EXPECT_EQ(roll_up(trace).peak_live_bytes(trace), 50 + 100 + 32);
  trace.residences = {residence(false)};
  EXPECT_EQ(roll_up(trace).peak_live_bytes(trace), 50);
  EXPECT_EQ(streamed_weights(trace), (std::vector<int64_t>{100, 100, 100, 0, 0}));
}

}  // namespace
}  // namespace modelmeter
