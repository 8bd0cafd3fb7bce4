#include "layer/stage_cost.h"

#include <gtest/gtest.h>

#include <future>
#include <vector>

#include "layer/linear.h"

namespace modelmeter {
namespace {

// Ten runs of a linear layer 3 to 5 on x [4, 3].
class TenLinears : public StageCostMixin {
 public:
  void trace(Tracer& tracer) const override { record(tracer, 10); }
  void trace_forward(Tracer& tracer) const override { record(tracer, 1); }
  int64_t parameter_count() const override { return layer_.parameter_count(); }
  int64_t parameter_bytes() const override { return layer_.parameter_bytes(); }

 private:
  void record(Tracer& tracer, int64_t times) const {
    Tracer::Guard guard(tracer);
    tracer.trace().given_bytes += layer_.parameter_bytes();
    tracer.enter_repetition(times);
    layer_(tracer.input({4, 3}, DType::float32));
    tracer.leave();
  }
  Linear layer_{BuildContext{}, {3, 5}};
};

TEST(StageCost, CountsTheWholeRunAndMemoryOnce) {
  const StageCost cost = TenLinears().get_forward_cost();
  EXPECT_EQ(cost.cost.flops_tensor, 10 * 120);
  EXPECT_EQ(cost.cost.flops_vector, 10 * 20);
  EXPECT_EQ(cost.cost.kernels, 10);
  EXPECT_EQ(cost.parameters, 20);
  EXPECT_EQ(cost.weight_bytes, 80);
  EXPECT_EQ(cost.activation_peak_bytes, 80);
  EXPECT_EQ(cost.kv_cache_bytes, 0);
  EXPECT_EQ(cost.peak_live_bytes, 80 + 48 + 80);  // weights, input, output
}

TEST(Evaluate, IsTheTraceAndItsSumsWhereverItIsMoved) {
  const TenLinears model;
  std::vector<Evaluation> runs;
  for (int i = 0; i < 5; ++i) runs.push_back(i == 0 ? evaluate_forward(model) : evaluate(model));  // moves those before
  EXPECT_EQ(runs[0].rollup().total().kernels, 1);
  EXPECT_EQ(runs[0].rollup().total(), roll_up(runs[0].trace()).total());
  EXPECT_EQ(model.cost_of(runs[0]).peak_live_bytes, 80 + 48 + 80);
  EXPECT_EQ(runs[4].trace().ops.size(), 1u);
  EXPECT_EQ(model.cost_of(runs[4]).cost, model.get_forward_cost().cost);
}

TEST(Evaluate, OneModelIsEvaluatedFromManyThreads) {
  const TenLinears model;
  std::vector<std::future<Cost>> costs;
  for (int i = 0; i < 4; ++i) {
    costs.push_back(std::async(std::launch::async, [&] { return evaluate(model).rollup().total(); }));
  }
  for (std::future<Cost>& cost : costs) EXPECT_EQ(cost.get(), model.get_forward_cost().cost);
}

TEST(StageCost, UnitsArePowersOfAThousand) {
  StageCost cost;
  cost.cost.flops_tensor = 2'000'000'000'000;
  cost.cost.flops_vector = 500'000'000'000;
  cost.cost.bytes_read = 3'000'000'000'000;
  cost.cost.bytes_written = 1'000'000'000'000;
  cost.weight_bytes = 57'000'000'000;
  cost.activation_peak_bytes = 1'500'000'000;
  cost.kv_cache_bytes = 250'000'000;
  EXPECT_DOUBLE_EQ(cost.flops_tflops(), 2.5);
  EXPECT_DOUBLE_EQ(cost.flops_tensor_tflops(), 2.0);
  EXPECT_DOUBLE_EQ(cost.flops_cuda_tflops(), 0.5);
  EXPECT_DOUBLE_EQ(cost.io_tb(), 4.0);
  EXPECT_DOUBLE_EQ(cost.arithmetic_intensity(), 0.625);
  EXPECT_DOUBLE_EQ(cost.weights_gb(), 57.0);
  EXPECT_DOUBLE_EQ(cost.activations_gb(), 1.5);
  EXPECT_DOUBLE_EQ(cost.kv_gb(), 0.25);
}

}  // namespace
}  // namespace modelmeter
