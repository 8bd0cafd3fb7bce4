#include "layer/base_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "layer/conv.h"
#include "layer/embedding.h"
#include "layer/linear.h"
#include "layer/modulation.h"
#include "layer/norm.h"
#include "layer/sequential.h"
#include "trace/repeat.h"

namespace modelmeter {
namespace {

using testing::ElementsAre;

const BuildContext float32{DType::float32}, bfloat16{DType::bfloat16};

std::vector<std::string> parameters_of(const BaseLayer& layer) {
  std::vector<std::string> out;
  layer.for_each_parameter([&](const std::string& name, const TensorSpec& spec) {
    out.push_back(name + " " + std::string(short_name(spec.dtype)) + spec.sizes.to_string());
  });
  return out;
}

// A small transformer block and a model of several, as a model file would write them.
class Block : public Module<Block> {
 public:
  Block(const BuildContext& context, int64_t dim)
      : Module("Block"),
        norm_(context, {dim}),
        ffn_(context, LinearOptions{dim, 4 * dim}, GELUOptions{}, LinearOptions{4 * dim, dim}) {
    register_parameter("scale", {dim}, context);
    register_buffer("table", {3, dim}, DType::bfloat16);
    register_module("norm", norm_);
    register_module("ffn", ffn_);
  }
  Tensor forward(Tensor x) const {
    Tensor y = ffn_(norm_(x));
    return torch::add(std::move(x), torch::mul(std::move(y), parameter(0)));
  }

 private:
  LayerNorm norm_;
  Mlp ffn_;
};

class Model : public Module<Model> {
 public:
  Model(int64_t dim, int64_t depth) : Module("Model"), depth_(depth), head_(float32, {dim, 2}), block_(float32, dim) {
    register_module("head", head_);
    register_module_list("blocks", block_, depth);
  }
  Tensor forward(Tensor x) const {
    x = repeat(depth_, std::move(x), [&](int64_t i, const Tensor& state) { return block_.call_as(i, state); });
    return head_(x);
  }

 private:
  int64_t depth_;
  Linear head_;
  Block block_;
};

TEST(Parameters, HaveTheNamesAndShapesOfTorch) {
  EXPECT_THAT(parameters_of(Linear(float32, {3, 5})), ElementsAre("weight f32[5, 3]", "bias f32[5]"));
  EXPECT_THAT(parameters_of(Linear(bfloat16, {3, 5, false})), ElementsAre("weight bf16[5, 3]"));
  EXPECT_THAT(parameters_of(Conv(float32, {16, 5120, {1, 2, 2}, {1, 2, 2}, {0, 0, 0}})),
              ElementsAre("weight f32[5120, 16, 1, 2, 2]", "bias f32[5120]"));
  EXPECT_THAT(parameters_of(LayerNorm(float32, {8})), ElementsAre("weight f32[8]", "bias f32[8]"));
  EXPECT_THAT(parameters_of(LayerNorm(float32, {8, false})), ElementsAre());
  EXPECT_THAT(parameters_of(RMSNorm(float32, {8})), ElementsAre("weight f32[8]"));
  EXPECT_THAT(parameters_of(Embedding(float32, {1000, 8})), ElementsAre("weight f32[1000, 8]"));
  EXPECT_THAT(parameters_of(Mlp(float32, LinearOptions{2, 3}, GELUOptions{}, LinearOptions{3, 2})),
              ElementsAre("0.weight f32[3, 2]", "0.bias f32[3]", "2.weight f32[2, 3]", "2.bias f32[2]"));
}

TEST(Parameters, OfListsAreNumbered) {
  EXPECT_THAT(
      parameters_of(Model(2, 2)),
      ElementsAre("head.weight f32[2, 2]", "head.bias f32[2]", "blocks.0.scale f32[2]", "blocks.0.norm.weight f32[2]",
                  "blocks.0.norm.bias f32[2]", "blocks.0.ffn.0.weight f32[8, 2]", "blocks.0.ffn.0.bias f32[8]",
                  "blocks.0.ffn.2.weight f32[2, 8]", "blocks.0.ffn.2.bias f32[2]", "blocks.1.scale f32[2]",
                  "blocks.1.norm.weight f32[2]", "blocks.1.norm.bias f32[2]", "blocks.1.ffn.0.weight f32[8, 2]",
                  "blocks.1.ffn.0.bias f32[8]", "blocks.1.ffn.2.weight f32[2, 8]", "blocks.1.ffn.2.bias f32[2]"));
}

TEST(Parameters, AddUpOverListsAndLeaveBuffersOut) {
  const Model model(8, 5);
  int64_t count = 0, bytes = 0;
  model.for_each_parameter([&](const std::string&, const TensorSpec& spec) {
    count += spec.sizes.numel();
    bytes += spec.bytes();
  });
  EXPECT_EQ(model.parameter_count(), count);
  EXPECT_EQ(model.parameter_count(), 8 * 2 + 2 + 5 * (8 + 16 + 8 * 32 + 32 + 32 * 8 + 8));
  EXPECT_EQ(model.parameter_bytes(), bytes);
  EXPECT_EQ(model.buffer_bytes(), 5 * 3 * 8 * 2);
}

TEST(Parameters, ThatOverflowAreAnError) {
  EXPECT_THROW(Linear(float32, {4'000'000'000, 4'000'000'000}).parameter_count(), Error);
  try {
    Model(1024, 4'000'000'000'000).parameter_count();
    FAIL() << "no overflow";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "the number of parameters overflows 64 bits");
  }
}

TEST(BuildContexts, OfRanksThatShareTheWorkHaveWholeWeights) {
  for (int64_t ParallelDegrees::* degree :
       {&ParallelDegrees::data, &ParallelDegrees::cfg, &ParallelDegrees::ulysses, &ParallelDegrees::ring}) {
    BuildContext context{DType::bfloat16};
    context.parallel.*degree = 2;
    EXPECT_EQ(Linear(context, {8, 8}).parameter_count(), 72);
  }
}

TEST(BuildContexts, OfCutWeightsAreAnError) {
  BuildContext context{DType::bfloat16};
  context.parallel.tensor = 2;
  EXPECT_THROW(Linear(context, {8, 8}), Error);
  EXPECT_THROW(Embedding(context, {8, 8}), Error);
}

TEST(ConstructorParams, AreTorchsArguments) {
  const Linear linear(float32, {3, 5});
  const Fields& fields = linear.constructor_params();
  ASSERT_EQ(fields.size(), 3u);
  EXPECT_EQ(fields[0].first, "in_features");
  EXPECT_EQ(std::get<int64_t>(fields[0].second), 3);
  EXPECT_EQ(fields[1].first, "out_features");
  EXPECT_EQ(std::get<bool>(fields[2].second), true);
}

// --- the contract: one forward and one backward of a layer, x [4, 3] through a linear layer 3 to 5 ---

class LinearContract : public testing::Test {
 protected:
  const Linear layer{float32, {3, 5}};
  const std::vector<TensorSpec> inputs = {{{4, 3}, DType::float32}};
};

TEST_F(LinearContract, Forward) {
  EXPECT_EQ(layer.forward_tensor_core_flops(inputs), 2 * 4 * 3 * 5);
  EXPECT_EQ(layer.forward_cuda_core_flops(inputs), 4 * 5);  // the bias
  EXPECT_EQ(layer.forward_cal_io(inputs), 4 * (12 + 15 + 5) + 4 * 20);
  EXPECT_DOUBLE_EQ(layer.forward_arithmetic_intensity(inputs), 140.0 / 208.0);
  EXPECT_EQ(layer.forward_memory_weight(), 4 * 20);
  EXPECT_EQ(layer.forward_memory_activation(inputs), 4 * 20);
  EXPECT_EQ(layer.forward_memory_kvcache(inputs), 0);
}

TEST_F(LinearContract, Backward) {
  EXPECT_EQ(layer.backward_tensor_core_flops(inputs), 2 * layer.forward_tensor_core_flops(inputs));
  EXPECT_EQ(layer.backward_cuda_core_flops(inputs), layer.forward_cuda_core_flops(inputs));
  EXPECT_EQ(layer.backward_cal_io(inputs), 2 * 4 * (12 + 15 + 5) + 4 * 20);
  EXPECT_DOUBLE_EQ(layer.backward_arithmetic_intensity(inputs), 260.0 / 336.0);
  EXPECT_EQ(layer.backward_memory_weight(), layer.parameter_bytes());
  EXPECT_EQ(layer.backward_memory_activation(inputs), 4 * 20);
  EXPECT_EQ(layer.backward_memory_kvcache(inputs), 0);
}

class Attention : public Module<Attention> {
 public:
  Attention() : Module("Attention") {}
  Tensor forward(Tensor q, Tensor k, Tensor v) const {
    return torch::scaled_dot_product_attention(std::move(q), std::move(k), std::move(v));
  }
};

TEST(AttentionContract, TheBackwardComputesTheScoresAgain) {
  const std::vector<TensorSpec> inputs(3, {{1, 2, 16, 8}, DType::bfloat16});
  const Attention layer;
  EXPECT_EQ(layer.forward_tensor_core_flops(inputs), 2 * 2 * 16 * 16 * 16);
  EXPECT_EQ(layer.backward_tensor_core_flops(inputs), layer.forward_tensor_core_flops(inputs) / 2 * 5);
}

TEST(ModelContract, RepeatedLayersCountAsOftenAsTheyRun) {
  const std::vector<TensorSpec> inputs = {{{4, 8}, DType::float32}};
  const Count one = Model(8, 1).forward_tensor_core_flops(inputs), head = 2 * 4 * 8 * 2;
  EXPECT_EQ(one, head + 2 * (2 * 4 * 8 * 32));
  EXPECT_EQ(Model(8, 7).forward_tensor_core_flops(inputs), head + (one - head) * 7);
  EXPECT_EQ(Model(8, 7).backward_tensor_core_flops(inputs), (head + (one - head) * 7) * 2);
  EXPECT_EQ(Model(8, 7).forward_memory_activation(inputs), Model(8, 70).forward_memory_activation(inputs));
}

TEST(ModelContract, ALayerThatTakesOtherArgumentsSaysSo) {
  try {
    Linear(float32, {3, 5}).forward_cal_io({});
    FAIL() << "a linear layer ran on nothing";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "Linear cannot be run on 0 tensors");
  }
}

TEST(ModuleCalls, KeepTheirArgumentsAliveUntilTheyReturn) {
  const Linear layer(float32, {3, 5});
  Tracer tracer;
  Tracer::Guard guard(tracer);
  layer(torch::neg(tracer.input({4, 3}, DType::float32)));
  EXPECT_EQ(tracer.trace().ops.back().live, 4 * 12 + 4 * 20);
}

TEST(Sequential, RunsItsLayersInTurnAndFreesBetween) {
  const Mlp mlp(float32, LinearOptions{8, 32}, GELUOptions{}, LinearOptions{32, 8});
  Tracer tracer;
  Tracer::Guard guard(tracer);
  const Tensor y = mlp(tracer.input({4, 8}, DType::float32));
  EXPECT_EQ(y.sizes(), Shape({4, 8}));
  ASSERT_EQ(tracer.trace().ops.size(), 3u);
  EXPECT_EQ(tracer.live(), 4 * 32);
}

TEST(Modulation, IsThreeKernels) {
  Tracer tracer;
  Tracer::Guard guard(tracer);
  const Tensor x = tracer.input({2, 6, 8}, DType::float32), row = tracer.input({2, 1, 8}, DType::float32);
  EXPECT_EQ(modulate(x, row, row).sizes(), x.sizes());
  std::vector<Kernel> kernels;
  for (const Op& op : tracer.trace().ops) kernels.push_back(op.kernel);
  EXPECT_THAT(kernels, ElementsAre(Kernel::add, Kernel::mul, Kernel::add));
}

}  // namespace
}  // namespace modelmeter
