// How long the kernels that torch.compile generates take, beside those that were measured: one block of diffusers' Wan
// 14B at 480x832, 81 frames, on an H200 (torch 2.11, 2026-11). src/model/wan/execution_test.cc has what they are.
#include <gtest/gtest.h>

#include "cost/evaluation.h"
#include "entries.h"
#include "hardware/catalog.h"
#include "model/wan/diffusers/dit.h"
#include "timing/run_time.h"

namespace modelmeter {
namespace {

Evaluation block(Execution execution) {
  using namespace wan;
  auto tracer = std::make_unique<Tracer>();
  {
    const Tracer::Guard guard{*tracer};
    Architecture a;
    a.dim = 5120;
    a.ffn_dim = 13824;
    a.num_heads = 40;
    a.num_layers = 1;
    const diffusers::WanTransformerBlock layers({DType::bfloat16}, a);
    const Tensor x = tracer->input({1, 32760, 5120}, DType::bfloat16);
    const Tensor context = tracer->input({1, 512, 5120}, DType::bfloat16);
    const Tensor temb = tracer->input({1, 6, 5120}, DType::bfloat16);
    const diffusers::RotaryEmbedding rotary{tracer->input({1, 32760, 1, 128}, DType::float32),
                                            tracer->input({1, 32760, 1, 128}, DType::float32)};
    layers(x, context, temb, rotary);
  }
  execute(tracer->trace(), 0, execution);
  tracer->trace().residences.push_back({0, 0});
  return Evaluation(std::move(tracer));
}

Machine h200() {
  const config::Repository files(entries::source + "/configs");
  return {load_device(files, "h200_sxm"), load_kernel_stack(files, "torch_2_11"), load_host(files, "virtual_16_cores")};
}

TEST(CompiledBlock, TakesTheTimeItWasMeasuredToTake) {
  const Evaluation run = block(Execution::compiled);
  const RunTime time = time_run(run, h200());
  const std::vector<double> measured = {358.5, 1174.9, 327.7, 180.3, 3.7, 459.5, 610.6, 226.1};  // us
  std::vector<double> ours;
  for (size_t i = 0; i < run.trace().ops.size(); ++i) {
    if (info(run.trace().ops[i].kernel).basis == Basis::listed) ours.push_back(time.ops[i] * 1e6);
  }
  ASSERT_EQ(ours.size(), measured.size());
  double sum = 0, measured_sum = 0;
  for (size_t i = 0; i < ours.size(); ++i) {
    EXPECT_NEAR(ours[i], measured[i], measured[i] * 0.25) << i;
    sum += ours[i];
    measured_sum += measured[i];
  }
  EXPECT_NEAR(sum, measured_sum, measured_sum * 0.05);
  EXPECT_NEAR(time.total().part.device, 61.70e-3, 61.70e-3 * 0.04);
}

TEST(CompiledBlock, IsBetweenEagerAndIdeal) {
  const Machine machine = h200();
  const auto seconds = [&](Execution execution) { return time_run(block(execution), machine).total().wall; };
  const double eager = seconds(Execution::eager), compiled = seconds(Execution::compiled);
  EXPECT_NEAR(eager, 76.75e-3, 76.75e-3 * 0.06);  // which ran at nine tenths of the clock
  EXPECT_LT(compiled, eager);
  EXPECT_LT(seconds(Execution::ideal), compiled);
}

// Arithmetic at the sheet's rates: 4 x 40 heads x 128 x 32760 x (32760 + 512) of attention, 2 x 32760 x 5120 x (6 x
// 5120
// + 2 x 13824) and 2 x 2 x 512 x 5120^2 of matrix products. What else there is, is vector work and weights.
TEST(IdealBlock, IsItsArithmeticAtTheRoofline) {
  const double matrix =
      4.0 * 5120 * 32760 * (32760 + 512) + 2.0 * 32760 * 5120 * (6 * 5120 + 2 * 13824) + 4.0 * 512 * 5120 * 5120;
  const Evaluation run = block(Execution::ideal);
  EXPECT_DOUBLE_EQ(static_cast<double>(run.rollup().total().flops_tensor), matrix);
  const StageTime total = time_run(run, h200()).total();
  EXPECT_GE(total.wall, matrix / 989e12);
  EXPECT_LT(total.wall, matrix / 989e12 * 1.02);
  EXPECT_EQ(total.low, total.wall);
  EXPECT_EQ(total.high, total.wall);
}

}  // namespace
}  // namespace modelmeter
