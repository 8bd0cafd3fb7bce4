#include "trace/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "trace/functional.h"
#include "trace/repeat.h"

namespace modelmeter {
namespace {

using testing::HasSubstr;

class TraceTest : public testing::Test {
 protected:
  Tensor make(const Shape& sizes, DType dtype = DType::float32) { return tracer.allocate(sizes, dtype); }

  Tracer tracer;
  Tracer::Guard guard{tracer};
  const Trace& trace = tracer.trace();
};

// --- kernels ---

TEST(KernelTable, NamesKernelsOnceAndAsAtenDoes) {
  std::set<std::string_view> names;
  for (const KernelInfo& kernel : kernel_table) EXPECT_TRUE(names.insert(kernel.name).second) << kernel.name;
  EXPECT_EQ(info(Kernel::sdpa_flash).name, "_scaled_dot_product_flash_attention");
  EXPECT_EQ(info(Kernel::softmax).name, "_softmax");
  EXPECT_EQ(info(Kernel::fused_rms_norm).name, "_fused_rms_norm");
  EXPECT_EQ(info(Kernel::linalg_solve_ex).name, "_linalg_solve_ex");
}

struct Arithmetic {
  Kernel kernel;
  int per_element;
  Basis basis;
};

// Counted from the formulas: one for each addition, multiplication, comparison, selection and transcendental function.
TEST(KernelTable, CountsTheArithmeticOfAnElement) {
  const Arithmetic known[] = {
      {Kernel::addmm, 1, Basis::output},             // the bias
      {Kernel::mm, 0, Basis::output},                // all of it is a matrix product
      {Kernel::native_layer_norm, 8, Basis::input},  // mean 1, variance 3, subtract, scale, weight, bias
      {Kernel::fused_rms_norm, 4, Basis::input},     // square, add, scale, weight
      {Kernel::softmax, 5, Basis::output},           // maximum, subtract, exponential, sum, divide
      {Kernel::sigmoid, 3, Basis::output},           // exponential, add, divide
      {Kernel::silu, 4, Basis::output},              // sigmoid, multiply
      {Kernel::quick_gelu, 5, Basis::output},        // scale, sigmoid, multiply
      {Kernel::gelu, 8, Basis::output},              // cube 2, scale and add 2, scale, tanh, add, times x / 2
      {Kernel::clamp, 2, Basis::output},             // two comparisons
      {Kernel::clamp_min, 1, Basis::output},
      {Kernel::linalg_vector_norm, 2, Basis::input},       // square, add
      {Kernel::upsample_linear1d, 3, Basis::output},       // two products, a sum
      {Kernel::upsample_bicubic2d, 32, Basis::output},     // 16 taps, a product and a sum each
      {Kernel::upsample_bicubic2d_aa, 32, Basis::output},  // the same
      {Kernel::upsample_nearest_exact2d, 0, Basis::output},
      {Kernel::mean, 1, Basis::input},
      {Kernel::sum, 1, Basis::input},
      {Kernel::cat, 0, Basis::output},
      {Kernel::embedding, 0, Basis::output},
  };
  for (const Arithmetic& k : known) {
    EXPECT_EQ(info(k.kernel).vector_flops, k.per_element) << info(k.kernel).name;
    EXPECT_EQ(info(k.kernel).basis, k.basis) << info(k.kernel).name;
  }
}

// What a kernel does with its inputs: the sets OVERWRITE, GATHER and LIKE of tools/reference's kernels.py.
TEST(KernelTable, KnowsWhatKernelsRead) {
  for (const Kernel kernel : {Kernel::embedding, Kernel::index}) EXPECT_EQ(info(kernel).reads, Reads::gathered);
  for (const Kernel kernel : {Kernel::zeros_like, Kernel::ones_like, Kernel::full_like, Kernel::new_zeros,
                              Kernel::new_ones, Kernel::fill_, Kernel::zero_, Kernel::normal_, Kernel::empty,
                              Kernel::empty_like, Kernel::new_empty, Kernel::zeros, Kernel::arange, Kernel::randn}) {
    EXPECT_EQ(info(kernel).reads, Reads::none) << info(kernel).name;
  }
  EXPECT_EQ(info(Kernel::copy_).reads, Reads::source);
  for (const Kernel kernel : {Kernel::add_, Kernel::index_put_, Kernel::masked_fill_, Kernel::clone, Kernel::to_copy}) {
    EXPECT_EQ(info(kernel).reads, Reads::all) << info(kernel).name;
  }
  for (const Kernel kernel : {Kernel::empty, Kernel::empty_like, Kernel::new_empty}) {
    EXPECT_EQ(info(kernel).kind, OpKind::allocate);
  }
}

// --- convolutions ---

TEST_F(TraceTest, AConvolutionKeepsItsGeometry) {
  torch::conv3d(make({1, 2, 9, 9, 9}), make({4, 2, 1, 2, 3}), Tensor(), {1, 2, 3}, {4, 5, 6});
  torch::conv(make({1, 4, 10}), make({4, 1, 3}), Tensor(), {{2}, {1}, {3}, 4});
  const ConvGeometry three = trace.conv_geometry(trace.ops[0]);
  EXPECT_EQ(three.stride, Shape({1, 2, 3}));
  EXPECT_EQ(three.padding, Shape({4, 5, 6}));
  EXPECT_EQ(three.dilation, Shape({1, 1, 1}));
  const ConvGeometry one = trace.conv_geometry(trace.ops[1]);
  EXPECT_EQ(one.stride, Shape({2}));
  EXPECT_EQ(one.padding, Shape({1}));
  EXPECT_EQ(one.dilation, Shape({3}));
}

TEST(ConvParams, KeepNumbersOfTwentyBits) {
  constexpr int64_t most = (1 << 20) - 1;
  EXPECT_NO_THROW(conv_params({{most, most, most}, {0, 0, 0}, {1, 1, 1}}));
  EXPECT_THROW(conv_params({{most + 1}, {0}, {1}}), Error);
  EXPECT_THROW(conv_params({{1}, {-1}, {1}}), Error);
  EXPECT_THROW(conv_params({{1}, {0}, {1, 1, 1, 1}}), Error);
  try {
    conv_params({{1, most + 1}, {0, 0}, {1, 1}});
    FAIL() << "packed";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "a convolution has a stride, padding or dilation of [1, 1048576]");
  }
}

// --- transfers ---

TEST_F(TraceTest, CopiesBetweenMemoriesAreTransfers) {
  const Tensor host = tracer.host({4}, DType::float32);
  Tensor device = torch::to_device(host, DType::float32);
  torch::to_host(device);
  torch::clone(device);
  torch::copy_(device, tracer.host({4}, DType::float32));
  torch::copy_(device, make({4}));
  torch::mul(device, host);  // reads host memory, and is no copy
  const Transfer expected[] = {Transfer::to_device, Transfer::to_host, Transfer::none,
                               Transfer::to_device, Transfer::none,    Transfer::none};
  ASSERT_EQ(trace.ops.size(), std::size(expected));
  for (size_t i = 0; i < std::size(expected); ++i) {
    EXPECT_EQ(trace.transfer_of(trace.ops[i]), expected[i]) << i;
    const OpKind kind = info(trace.ops[i].kernel).kind;
    EXPECT_EQ(trace.kind_of(trace.ops[i]), expected[i] == Transfer::none ? kind : OpKind::transfer) << i;
  }
}

// --- scopes ---

TEST_F(TraceTest, WithinAScopeAreItselfAndWhatIsBelow) {
  int a = 0, b = 0;
  const int32_t outer = tracer.enter_module("a", "A", &a);
  const int32_t loop = tracer.enter_repetition(3);
  const int32_t inner = tracer.enter_module("b", "B", &b);
  tracer.leave();
  tracer.leave();
  tracer.leave();
  const int32_t sibling = tracer.enter_module("b", "B", &b);
  EXPECT_TRUE(trace.is_within(inner, outer));
  EXPECT_TRUE(trace.is_within(outer, outer));
  EXPECT_TRUE(trace.is_within(inner, 0));
  EXPECT_FALSE(trace.is_within(outer, inner));
  EXPECT_FALSE(trace.is_within(sibling, outer));
  EXPECT_FALSE(trace.is_within(sibling, loop));
  EXPECT_EQ(trace.executions(inner), 3);
  EXPECT_EQ(trace.executions(sibling), 1);
}

// --- contexts ---

TEST(Context, KeysDifferWhereKernelsMay) {
  std::set<uint32_t> keys;
  size_t contexts = 0;
  for (const DType dtype : {DType::bfloat16, DType::float16, DType::float32}) {
    for (const AttentionKernel attention : {AttentionKernel::flash, AttentionKernel::math}) {
      for (const bool cudnn : {false, true}) {
        for (const bool matmul : {false, true}) {
          for (const uint8_t stream : {uint8_t{0}, uint8_t{1}, uint8_t{255}}) {
            Context c;
            c.autocast = {true, dtype};
            c.attention = attention;
            c.cudnn_allow_tf32 = cudnn;
            c.matmul_allow_tf32 = matmul;
            c.stream = stream;
            keys.insert(c.key());
            ++contexts;
          }
        }
      }
    }
  }
  EXPECT_EQ(keys.size(), contexts);
  Context off, of_another_type;
  of_another_type.autocast.dtype = DType::float16;  // which does not matter while it is off
  EXPECT_EQ(off.key(), of_another_type.key());
  EXPECT_EQ(keys.count(off.key()), 0u);
}

// torch's defaults: cudnn.allow_tf32 is on, cuda.matmul.allow_tf32 off; only float32 has a narrower way.
TEST_F(TraceTest, Tf32IsOfFloat32AndWhereItIsAllowed) {
  torch::conv2d(make({1, 1, 4, 4}), make({1, 1, 3, 3}), Tensor(), {1, 1});
  torch::matmul(make({2, 3}), make({3, 2}));
  tracer.context.matmul_allow_tf32 = true;
  tracer.context.cudnn_allow_tf32 = false;
  torch::conv2d(make({1, 1, 4, 4}), make({1, 1, 3, 3}), Tensor(), {1, 1});
  torch::matmul(make({2, 3}), make({3, 2}));
  torch::linear(make({2, 3}), make({2, 3}), make({2}));
  torch::matmul(make({2, 2, 3}), make({2, 3, 2}));
  torch::matmul(make({2, 3}, DType::bfloat16), make({3, 2}, DType::bfloat16));
  const bool expected[] = {true, false, false, true, true, true, false};
  ASSERT_EQ(trace.ops.size(), std::size(expected));
  for (size_t i = 0; i < std::size(expected); ++i) EXPECT_EQ(trace.ops[i].tf32, expected[i]) << i;
}

TEST_F(TraceTest, OpsKnowTheirStreamAndWhetherTheyAreInPlaceOrCausal) {
  const Tensor q = make({1, 2, 4, 8}, DType::bfloat16);
  torch::scaled_dot_product_attention(q, q, q, Tensor(), true);
  torch::scaled_dot_product_attention(q, q, q);
  torch::flash_attn_func(q, q, q, true);
  {
    const ContextGuard context;
    context->stream = 3;
    torch::add_(make({4}), make({4}));
  }
  torch::add(make({4}), make({4}));
  EXPECT_TRUE(trace.ops[0].causal);
  EXPECT_FALSE(trace.ops[1].causal);
  EXPECT_TRUE(trace.ops[2].causal);
  EXPECT_TRUE(trace.ops[3].in_place);
  EXPECT_EQ(trace.ops[3].stream, 3);
  EXPECT_FALSE(trace.ops[4].in_place);
  EXPECT_EQ(trace.ops[4].stream, 0);
}

// --- bytes that are added up when an op is recorded ---

TEST_F(TraceTest, InputsThatAreTheSameElementsCountOnce) {
  const Tensor x = make({4, 6});
  torch::cat({x, x, x.view({24}).view({4, 6}), x.narrow(0, 0, 2)}, 0);
  EXPECT_EQ(trace.ops[0].input_bytes, 4 * 24 + 4 * 12);  // a part is other elements, though within the first
  EXPECT_EQ(trace.ops[0].output_bytes, 4 * (24 * 3 + 12));
  torch::add(x.expand({4, 6}), x.t().t());
  EXPECT_EQ(trace.ops[1].input_bytes, 4 * 24);
  torch::neg(make({1, 6}).expand({1000, 6}));
  EXPECT_EQ(trace.ops[2].input_bytes, 4 * 6);
  EXPECT_EQ(trace.ops[2].output_bytes, 4 * 6000);
}

TEST_F(TraceTest, AKernelOfMoreTensorsThanAByteCountsIsAnError) {
  TensorList many;
  for (int i = 0; i < 256; ++i) many.push_back(make({1}));
  try {
    torch::cat(many, 0);
    FAIL() << "recorded";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "more than 255 tensors in one kernel: make the batch smaller");
  }
}

// --- inputs that a forward lets go ---

TEST_F(TraceTest, AConsumedInputIsGivenAndLowersLiveMemoryWhenItGoes) {
  Tensor cache = tracer.consumed_input({10}, DType::float32);
  EXPECT_EQ(trace.given_bytes, 40);
  EXPECT_EQ(tracer.live(), 0);
  cache = torch::cat({cache, make({1})}, 0);
  EXPECT_EQ(trace.ops[0].live, 4 + 44);
  EXPECT_EQ(tracer.live(), 44 - 40);
}

// --- loops that do not fit what was recorded ---

TEST_F(TraceTest, AGrowingLoopWhoseLastIterationDiffersIsAFault) {
  const auto error_of = [&](const std::function<void(int64_t, Tensor&)>& body) -> std::string {
    tracer.clear();
    try {
      Tensor grown = make({1, 4});
      repeat_steadily(9, {{}, {&grown}}, [&](int64_t i) { body(i, grown); });
      return "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::internal);
      return error.message();
    }
  };
  const auto grow = [&](Tensor& x) { x = torch::cat({x, make({1, 4})}, 0); };
  EXPECT_EQ(error_of([&](int64_t, Tensor& x) { grow(x); }), "no error");
  EXPECT_THAT(error_of([&](int64_t i, Tensor& x) {
                grow(x);
                if (i < 8) torch::neg(make({2}));
              }),
              HasSubstr("runs fewer kernels than the first"));
  EXPECT_THAT(error_of([&](int64_t i, Tensor& x) {
                if (i == 8) torch::neg(make({2}));
                grow(x);
              }),
              HasSubstr("runs other kernels than the first"));
  EXPECT_THAT(error_of([&](int64_t, Tensor& x) {
                torch::matmul(x, x.t());  // grows along two dimensions
                grow(x);
              }),
              HasSubstr("does not grow linearly"));
  tracer.clear();
}

}  // namespace
}  // namespace modelmeter
