#include "timing/run_timer.h"

#include <gtest/gtest.h>

#include <utility>

#include "cost/executions.h"
#include "hardware/catalog.h"
#include "trace/functional.h"
#include "trace/repeat.h"

namespace modelmeter {
namespace {

class RunTimerTest : public testing::Test {
 protected:
  static Machine machine() {
    const config::Repository files(std::string(MODELMETER_SOURCE_DIR) + "/configs");
    return {load_device(files, "h100_sxm"), load_kernel_stack(files, "torch_2_11"),
            load_host(files, "virtual_16_cores")};
  }

  // A stage of so many equal products, and another.
  void trace(int64_t width, int64_t times, DType dtype = DType::bfloat16) {
    tracer.clear();
    const Tracer::Guard guard{tracer};
    for (const char* name : {"first", "second"}) {
      tracer.enter_function(name);
      const int32_t scope = tracer.scope();
      repeat_alike(times, [&] {
        const Tensor x = tracer.parameter({64, 512}, dtype), w = tracer.parameter({width, 512}, dtype);
        torch::gelu(torch::linear(x, w, Tensor()));
      });
      tracer.leave();
      tracer.trace().residences.push_back({scope, 0});
      width = 256;
    }
    executions = executions_of_scopes(tracer.trace());
  }
  const std::vector<StageTime>& timed() { return timer(tracer.trace(), executions); }

  Tracer tracer;
  std::vector<int64_t> executions;
  RunTimer timer{machine()};
};

TEST_F(RunTimerTest, SaysWhatTimingTheRunSays) {
  for (const int64_t width : {128, 1024}) {
    for (const int64_t times : {1, 30}) {
      trace(width, times);
      const std::vector<StageTime> fresh = time_run(tracer.trace(), executions, machine()).stages;
      for (int again = 0; again < 2; ++again) {
        const std::vector<StageTime>& known = timed();
        ASSERT_EQ(known.size(), 2u);
        for (size_t i = 0; i < known.size(); ++i) {
          EXPECT_EQ(known[i].stage, fresh[i].stage);
          EXPECT_EQ(known[i].wall, fresh[i].wall);
          EXPECT_EQ(known[i].joules, fresh[i].joules);
        }
      }
    }
  }
}

TEST_F(RunTimerTest, TimesAStageOnce) {
  trace(128, 3);
  timed();
  EXPECT_EQ(timer.timed(), 2);
  timed();
  EXPECT_EQ(timer.timed(), 2);
  trace(1024, 3);
  timed();
  EXPECT_EQ(timer.timed(), 3) << "the second stage is as it was";
}

TEST_F(RunTimerTest, TellsApartWhatTakesAnotherTime) {
  int64_t known = 0;
  const auto is_new = [&] {
    timed();
    return std::exchange(known, timer.timed()) < timer.timed();
  };
  trace(128, 3);
  EXPECT_TRUE(is_new());
  trace(128, 4);
  EXPECT_TRUE(is_new()) << "how often";
  trace(128, 3, DType::float16);
  EXPECT_TRUE(is_new()) << "dtypes";
  trace(128, 3);
  EXPECT_FALSE(is_new());
  tracer.trace().execution = Execution::ideal;
  EXPECT_TRUE(is_new()) << "how kernels are run";
  trace(128, 3);
  tracer.trace().ops[0].tf32 = true;
  EXPECT_TRUE(is_new()) << "precision";
  trace(128, 3);
  tracer.trace().residences[0].on_device = false;
  EXPECT_TRUE(is_new()) << "where";
}

}  // namespace
}  // namespace modelmeter
