#include "cost/weight_transfers.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "cost/rollup.h"
#include "trace/functional.h"
#include "trace/tracer.h"

namespace modelmeter {
namespace {

// A model of weights 5 with a block of 7, run in 3 repetitions, that calls a linear of 100 twice; and one beside it.
class StreamedModel : public testing::Test {
 protected:
  StreamedModel() {
    Tracer::Guard guard(tracer);
    stage = enter("model", &model, 5);
    tracer.enter_repetition(3);
    enter("block", &block, 7);
    for (int i = 0; i < 2; ++i) {
      enter("linear", &linear, 100);
      torch::neg(tracer.input({8}, DType::float32));  // 32 bytes of activations
      tracer.leave();
    }
    tracer.leave();
    tracer.leave();
    tracer.leave();
    enter("other", &other, 1000);
    torch::neg(tracer.input({8}, DType::float32));
    tracer.leave();
  }
  int32_t enter(const char* name, const void* module, int64_t own) {
    const int32_t scope = tracer.enter_module(name, "M", module);
    tracer.trace().scopes[static_cast<size_t>(scope)].own_weights = own;
    return scope;
  }
  Residence residence(bool on_device, bool streamed) const { return {stage, 50, on_device, streamed, 11, 13}; }

  int model = 0, block = 0, linear = 0, other = 0;
  Tracer tracer;
  int32_t stage = 0;
};

// The model's own once, the block's in each repetition, the linear's in each of its two calls there.
TEST_F(StreamedModel, WeightsComeEachTimeThatTheirModuleRuns) {
  const WeightTransfers moved = weight_transfers(tracer.trace(), residence(true, true));
  EXPECT_EQ(moved.to_device, 11 + 5 + 3 * 7 + 3 * 2 * 100);
  EXPECT_EQ(moved.to_host, 13);
}

TEST_F(StreamedModel, OthersMoveBeforeTheStageOnly) {
  for (const Residence& r : {residence(true, false), residence(false, true), residence(false, false)}) {
    const WeightTransfers moved = weight_transfers(tracer.trace(), r);
    EXPECT_EQ(moved.to_device, 11);
    EXPECT_EQ(moved.to_host, 13);
  }
}

// At the linear's kernel its weights and those around it are there: 5 + 7 + 100.
TEST_F(StreamedModel, ThePeakHasTheRunningModulesWeights) {
  Trace& trace = tracer.trace();
  trace.residences = {residence(true, true)};
  const Rollup rollup = roll_up(trace);
  EXPECT_EQ(rollup.peak_live_bytes(trace), 50 + 112 + 32);
  trace.residences = {residence(true, false)};
  EXPECT_EQ(rollup.peak_live_bytes(trace), 50 + 32);
  trace.residences = {residence(false, false)};  // its activations are on the host
  EXPECT_EQ(rollup.peak_live_bytes(trace), 50);
  trace.residences = {residence(true, false), residence(true, true)};
  EXPECT_EQ(rollup.peak_live_bytes(trace), 50 + 112 + 32);
}

TEST_F(StreamedModel, WhatIsSharedIsNotToldApart) {
  Trace& trace = tracer.trace();
  *trace.shared_calls.add() = {};
  EXPECT_THROW(weight_transfers(trace, residence(true, true)), Error);
  EXPECT_NO_THROW(weight_transfers(trace, residence(true, false)));
}

}  // namespace
}  // namespace modelmeter
