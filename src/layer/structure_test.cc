// Which layers are one structure: calls of them on the same inputs are recorded once.
#include <gtest/gtest.h>

#include "layer/conv.h"
#include "layer/embedding.h"
#include "layer/modulation.h"
#include "layer/sequential.h"

namespace modelmeter {
namespace {

const BuildContext f32{DType::float32}, bf16{DType::bfloat16};

class Varied : public Module<Varied> {
 public:
  Varied(int64_t option, std::string_view name = "Varied") : Module(name) { vary_by({option}); }
  Tensor forward(Tensor x) const { return x; }
};

class Pair : public Module<Pair> {
 public:
  Pair(int64_t first, int64_t count) : Module("Pair"), layer_(f32, {3, 3}) {
    register_module_list("layers", layer_, count, first);
  }
  Tensor forward(Tensor x) const { return x; }

 private:
  Linear layer_;
};

TEST(Structure, IsTheSameForEqualLayers) {
  EXPECT_EQ(Linear(f32, {3, 5}).structure(), Linear(f32, {3, 5}).structure());
  EXPECT_EQ(Mlp(f32, LinearOptions{2, 3}, GELUOptions{}, LinearOptions{3, 2}).structure(),
            Mlp(f32, LinearOptions{2, 3}, GELUOptions{}, LinearOptions{3, 2}).structure());
  EXPECT_EQ(Varied(1).structure(), Varied(1).structure());
}

TEST(Structure, DiffersWithWhatMayDecideAKernel) {
  const int32_t linear = Linear(f32, {3, 5}).structure();
  EXPECT_NE(linear, Linear(f32, {5, 3}).structure());
  EXPECT_NE(linear, Linear(bf16, {3, 5}).structure());
  EXPECT_NE(linear, Linear(f32, {3, 5, false}).structure());
  EXPECT_NE(LayerNorm(f32, {8}).structure(), LayerNorm(f32, {8, false}).structure());
  EXPECT_NE(LayerNorm(f32, {8}).structure(), RMSNorm(f32, {8}).structure());
  EXPECT_NE(GELU().structure(), SiLU().structure());
  EXPECT_NE(Varied(1).structure(), Varied(2).structure());
  EXPECT_NE(Varied(1).structure(), Varied(1, "Other").structure());
  EXPECT_NE(Pair(0, 2).structure(), Pair(0, 3).structure());
  EXPECT_NE(Pair(0, 2).structure(), Pair(1, 2).structure());
  const ConvOptions conv{3, 4, {3, 3}, {1, 1}, {0, 0}};
  ConvOptions strided = conv, padded = conv;
  strided.stride = {2, 2};
  padded.padding = {1, 1};
  EXPECT_NE(Conv(f32, conv).structure(), Conv(f32, strided).structure());
  EXPECT_NE(Conv(f32, conv).structure(), Conv(f32, padded).structure());
}

// A Linear's weight, a Conv of two dimensions and one of three.
TEST(Layers, HaveTorchsNamesAndArguments) {
  const Conv two(f32, {3, 4, {3, 3}, {1, 1}, {0, 0}}), three(f32, {3, 4, {3, 3, 3}, {1, 1, 1}, {0, 0, 0}, false});
  EXPECT_EQ(two.class_name(), "Conv2d");
  EXPECT_EQ(three.class_name(), "Conv3d");
  EXPECT_EQ(two.parameter_count(), 3 * 4 * 9 + 4);
  EXPECT_EQ(three.parameter_count(), 3 * 4 * 27);
  EXPECT_EQ(text_of(two.constructor_params()[2].second), "[3, 3]");
  EXPECT_EQ(two.constructor_params()[0].first, "in_channels");
  EXPECT_EQ(RMSNorm(f32, {8, false}).parameter_count(), 0);
}

// Layers that are called by their children's names: a list counts from its first number.
TEST(Layers, OfAListAreNamedFromItsFirstNumber) {
  std::vector<std::string> names;
  Pair(3, 2).for_each_parameter([&](const std::string& name, const TensorSpec&) { names.push_back(name); });
  EXPECT_EQ(names, (std::vector<std::string>{"layers.3.weight", "layers.3.bias", "layers.4.weight", "layers.4.bias"}));
}

// 1 + scale, x times that, plus shift: rows [B, 1, C] broadcast over the tokens, x in its own type or a wider one.
TEST(Modulation, BroadcastsItsRows) {
  Tracer tracer;
  Tracer::Guard guard(tracer);
  const Tensor x = tracer.input({2, 6, 8}, DType::bfloat16), row = tracer.input({2, 1, 8}, DType::float32);
  const Tensor y = modulate(x, row, row);
  EXPECT_EQ(y.dtype(), DType::float32);
  EXPECT_EQ(y.sizes(), x.sizes());
  const Rollup rollup = roll_up(tracer.trace());
  EXPECT_EQ(rollup.total().flops_vector, 2 * 8 + 2 * 6 * 8 + 2 * 6 * 8);
  EXPECT_EQ(rollup.peak_live, 4 * (2 * 6 * 8) * 2);  // the product and the sum
}

// A table of rows and one of its indices.
TEST(Embedding, ReadsTheRowsItReturns) {
  const Embedding layer(bf16, {1000, 8});
  Tracer tracer;
  Tracer::Guard guard(tracer);
  const Tensor y = layer(tracer.input({2, 5}, DType::int64));
  EXPECT_EQ(y.sizes(), Shape({2, 5, 8}));
  EXPECT_EQ(roll_up(tracer.trace()).total().bytes_read, 8 * 10 + 2 * 80);
}

}  // namespace
}  // namespace modelmeter
