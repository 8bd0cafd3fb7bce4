// Kernels, clock and queues on a device of round figures: 100 SMs at 1 GHz, 1 TB/s, no L2, 409.6 TFLOP/s.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "config/yaml.h"
#include "hardware/catalog.h"
#include "timing/launches.h"
#include "timing/run_time.h"
#include "timing/sensitivity.h"
#include "trace/functional.h"

namespace modelmeter {
namespace {

using ::testing::HasSubstr;

constexpr const char* configs = MODELMETER_SOURCE_DIR "/configs";
constexpr double us = 1e-6;

constexpr const char* device_text =
    "name: Round\n"
    "vendor: Nobody\n"
    "architecture: sm90\n"
    "sources:\n"
    "  sheet: {title: a sheet, date: 2026-11, kind: specification}\n"
    "memory_size: {value: 16, unit: GB, source: sheet}\n"
    "memory_bandwidth: {value: 1, unit: TB/s, source: sheet}\n"
    "memory_fraction: {value: 1, source: sheet}\n"
    "sm_count: {value: 100, source: sheet}\n"
    "boost_clock: {value: 1, unit: GHz, source: sheet}\n"
    "vector_rate: {value: 20, unit: TFLOP/s, source: sheet}\n"
    "pcie_bandwidth: {value: 10, unit: GB/s, source: sheet}\n"
    "tensor_rates:\n"
    "  bf16: {value: 400, unit: TFLOP/s, source: sheet, accumulate: fp32}\n";
constexpr const char* power_text =
    "power_limit: {value: 500, unit: W, source: sheet}\n"
    "power:\n"
    "  idle: {value: 100, unit: W, source: sheet}\n"
    "  sustained: {value: 1, source: sheet}\n"
    "  burst: {value: 1, unit: J, source: sheet}\n"
    "  memory: {value: 100, unit: pJ/B, source: sheet}\n"
    "  tensor: {value: 2, unit: pJ/FLOP, source: sheet}\n"
    "  attention: {value: 3, unit: pJ/FLOP, source: sheet}\n";

Device device_of(const std::string& text) {
  const config::Node node = config::parse_yaml(text, "round.yaml");
  return read_device(config::View(node), "round");
}

KernelStack stack() {
  static const KernelStack read = load_kernel_stack(config::Repository(configs), "torch_2_11");
  return read;
}

Host host(const std::string& name) { return load_host(config::Repository(configs), name); }

Machine machine(const std::string& text = device_text, const std::string& host_name = "cuda_graph") {
  return Machine(device_of(text), stack(), host(host_name));
}

double fixed(MemoryClass name) { return stack().memory[static_cast<size_t>(name)].fixed; }

DeviceKernel memory_kernel(MemoryClass name, double elements, double bytes_an_element) {
  DeviceKernel k;
  k.shape = KernelShape::memory;
  k.memory = name;
  k.elements = elements;
  k.read = k.written = elements * bytes_an_element / 2;
  return k;
}

// --- times ---

TEST(KernelTime, AStreamTakesItsBytesAtTheBandwidth) {
  const KernelTime t = time_of(memory_kernel(MemoryClass::vectorized, 1e9, 8), machine());
  EXPECT_NEAR(t.seconds(1), fixed(MemoryClass::vectorized) + 8e-3, 4e-6);  // and the way to memory and back
  EXPECT_DOUBLE_EQ(t.light, 8e-3);
  EXPECT_DOUBLE_EQ(t.seconds(0.5), t.seconds(1));  // no clock in it
}

TEST(KernelTime, InstructionsAndBytesOverlapByTheCube) {
  // 1.47 elements of an SM and clock: 1e9 elements take 6.8027 ms; 8 ms of bytes; the cube root of the sum of cubes.
  const KernelTime t = time_of(memory_kernel(MemoryClass::broadcast, 1e9, 8), machine());
  EXPECT_NEAR(t.compute, 6.8027e-3, 1e-7);
  EXPECT_NEAR(t.seconds(1) - t.fixed, 9.3857e-3, 1e-6);
  EXPECT_GT(t.seconds(0.5), t.seconds(1));
}

// Enough warps have loads under way that the longer of the two decides: 3.55 elements of an SM and clock.
TEST(KernelTime, GeluTakesTheLongerOfItsInstructionsAndBytes) {
  const KernelTime slow = time_of(memory_kernel(MemoryClass::vectorized_heavy, 1e9, 1), machine());
  EXPECT_NEAR(slow.seconds(1) - slow.fixed, 2.8169e-3, 1e-5);
  const KernelTime streams = time_of(memory_kernel(MemoryClass::vectorized_heavy, 1e9, 4), machine());
  EXPECT_NEAR(streams.seconds(1) - streams.fixed, 4e-3, 1e-5);
}

// L2 takes less than it gives, and a small kernel's first blocks work while others start.
TEST(KernelTime, SmallKernelsOverlapTheirStart) {
  const Machine m = machine(std::string(device_text) + "l2_size: {value: 100, unit: MB, source: sheet}\n");
  EXPECT_NEAR(m.memory_seconds(26e6, 0, 0), 10e-6, 1e-12);  // 26 and 15.5 bytes of an SM and clock
  EXPECT_NEAR(m.memory_seconds(0, 15.5e6, 0), 10e-6, 1e-12);
  const double nothing = time_of(memory_kernel(MemoryClass::vectorized, 1, 8), m).seconds(1);
  const double small = time_of(memory_kernel(MemoryClass::vectorized, 1e5, 8), m).seconds(1);
  EXPECT_LT(small - nothing, 0.6 * m.memory_seconds(4e5, 4e5, 0));
  const double large = time_of(memory_kernel(MemoryClass::vectorized, 1e7, 8), m).seconds(1);
  const double ramp = stack().memory[static_cast<size_t>(MemoryClass::vectorized)].ramp * 1.98;  // at 1 GHz
  EXPECT_NEAR(large, m.memory_seconds(4e7, 4e7, 0) + nothing - ramp, 0.05e-6);
}

// A kernel that the stack has one constant of for all architectures starts in so many clocks.
TEST(KernelTime, StartsFollowTheClock) {
  const config::Repository repository(configs);
  const Machine h100(load_device(repository, "h100_sxm"), stack(), host("cuda_graph"));
  const Machine h200(load_device(repository, "h200_sxm"), stack(), host("cuda_graph"));
  const Machine a100(load_device(repository, "a100_sxm"), stack(), host("cuda_graph"));
  EXPECT_DOUBLE_EQ(h100.start_at_clock(1), 1);
  EXPECT_DOUBLE_EQ(h200.start_at_clock(1), 0.9);  // its file says so
  EXPECT_DOUBLE_EQ(a100.start_at_clock(1), 1.98 / 1.41);
  EXPECT_DOUBLE_EQ(a100.start(1), 1);  // of constants that are its own
}

TEST(KernelTime, WhatFitsIntoL2IsFasterUnlessItIsCold) {
  const Machine m = machine(std::string(device_text) + "l2_size: {value: 100, unit: MB, source: sheet}\n");
  EXPECT_DOUBLE_EQ(m.memory_seconds(200e6, 0), 200e-6);
  EXPECT_DOUBLE_EQ(m.memory_seconds(50e6, 0), 50e6 / (22.15 * 100 * 1e9));  // bytes of an SM and clock
  EXPECT_GT(m.memory_seconds(50e6, 50e6), m.memory_seconds(50e6, 0));
  EXPECT_LT(m.memory_seconds(100e6, 0), 100e-6);
  EXPECT_DOUBLE_EQ(m.miss(50e6), 0);
  EXPECT_DOUBLE_EQ(m.miss(200e6), 1);
  EXPECT_DOUBLE_EQ(m.memory_latency(50e6, 0), 0);
  EXPECT_GT(m.memory_latency(200e6, 0), m.memory_latency(50e6, 5e6));
}

TEST(KernelTime, AReductionGivesARowToAWarp) {
  DeviceKernel k = memory_kernel(MemoryClass::reduction, 512 * 4096, 4);
  k.rows = 512;
  k.width = 4096;
  const double one = time_of(k, machine()).compute;
  k.width = 8192;
  EXPECT_NEAR(time_of(k, machine()).compute, 2 * one, 1e-9);  // elements of a row wait for each other
  k.rows = 1, k.elements = k.width;                           // sixteen warps
  EXPECT_NEAR(time_of(k, machine()).compute, one / 8, 1e-9);
}

TEST(KernelTime, LongRowsOfALayerNormAreReadTwice) {
  DeviceKernel k = memory_kernel(MemoryClass::layer_norm, 1e8, 8);
  k.width = 1000;
  k.rows = 1e5;
  const double once = time_of(k, machine()).memory;
  k.width = 10000;
  k.rows = 1e4;
  EXPECT_NEAR(time_of(k, machine()).memory / once, 1.5, 1e-9);
}

DeviceKernel gemm(double m, double n, double k) {
  DeviceKernel out;
  out.shape = KernelShape::gemm;
  out.precision = "bf16";
  out.m = m;
  out.n = n;
  out.k = k;
  out.read = 2 * (m * k + k * n);
  out.written = 2 * m * n;
  return out;
}

TEST(GemmTime, AWholeWaveOfTilesComesNearThePeakAndNeverPastIt) {
  const Machine m = machine();
  const KernelTime t = time_of(gemm(25600, 1280, 8192), m);  // 100 x 10 tiles of 256 x 128: ten waves of 100 SMs
  const double flops = 2.0 * 25600 * 1280 * 8192;
  EXPECT_DOUBLE_EQ(t.light, flops / 400e12);
  EXPECT_GT(t.light / t.seconds(1), 0.8);
  EXPECT_LT(t.light / t.seconds(1), 0.95);
}

TEST(GemmTime, TenTimesTheRowsAreTenTimesTheWaves) {
  const Machine m = machine();
  const double one = time_of(gemm(25600, 1280, 8192), m).compute;
  EXPECT_NEAR(time_of(gemm(256000, 1280, 8192), m).compute / one, 10, 0.2);
}

TEST(GemmTime, OneRowIsBoundByTheWeights) {
  const KernelTime t = time_of(gemm(1, 65536, 8192), machine());
  EXPECT_GT(t.memory, t.compute);
  EXPECT_NEAR(t.memory, 2.0 * 65536 * 8192 / (1e12 * 0.845), 2e-5);
}

TEST(GemmTime, RowsThatAreNotAlignedAreSlow) {
  DeviceKernel k = gemm(4096, 4096, 4096);
  const double aligned = time_of(k, machine()).seconds(1);
  k.aligned = false;
  k.n = 4097;  // loaded element by element
  const double odd = time_of(k, machine()).seconds(1);
  EXPECT_GT(odd, 4 * aligned);
  k.n = 4100;  // four at a time
  EXPECT_NEAR(time_of(k, machine()).seconds(1) / odd, 0.25, 0.02);
}

// Narrow results take as long to store as to load for: with few elements of k, so many blocks times the least of one.
TEST(GemmTime, ShortRowsThatAreNotAlignedWaitForTheirResults) {
  DeviceKernel k = gemm(12800, 6399, 2);
  k.aligned = false;
  EXPECT_NEAR(time_of(k, machine()).compute, 200 * 0.87e-6, 1e-8);  // 200 x 100 blocks on 100 SMs
}

// Two blocks of 128 x 128 share an SM; where these would be alone, two of 64 x 128 do, which load an eighth more.
TEST(GemmTime, VectorUnitsHaveTwoBlocksOnAnSm) {
  DeviceKernel k = gemm(12800, 256, 8192);
  k.precision = "";
  const double pair = time_of(k, machine()).compute;  // 200 blocks on 100 SMs
  k.m = 6400;
  EXPECT_NEAR(time_of(k, machine()).compute / pair, 0.5 * 1.125, 1e-3);
  k.m = 25600;
  EXPECT_NEAR(time_of(k, machine()).compute / pair, 2, 1e-9);
}

TEST(GemmTime, APrecisionThatTheDeviceLacksIsRefused) {
  DeviceKernel k = gemm(64, 64, 64);
  k.precision = "fp8";
  try {
    time_of(k, machine());
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("Round has no matrix units for fp8"));
    EXPECT_THAT(error.what(), HasSubstr("it has: bf16"));
  }
}

DeviceKernel attention(double heads, double queries, double keys) {
  DeviceKernel k;
  k.shape = KernelShape::attention;
  k.attention = "flash";
  k.precision = "bf16";
  k.batch = heads;
  k.m = queries;
  k.n = keys;
  k.k = 128;
  return k;
}

TEST(AttentionTime, AWaveIsTwoBlocksOnEachSm) {
  // 200 blocks of 128 queries: one wave. A block's 4 x 128 x 128 x (6400 + 75) FLOP at half of 1450 a clock of 1 GHz.
  const KernelTime t = time_of(attention(100, 256, 6400), machine());
  EXPECT_NEAR(t.compute, 4.0 * 128 * 128 * 6475 * 2 / 1450e9, 1e-9);
  // A block more for each head: another wave, in which each has an SM for itself and takes 1.18 times its half.
  EXPECT_NEAR(time_of(attention(100, 257, 6400), machine()).compute, (1 + 1.18 / 2) * t.compute, 1e-9);
  // Heads are padded to multiples of 32.
  DeviceKernel narrow = attention(100, 256, 6400);
  narrow.k = 100;
  EXPECT_DOUBLE_EQ(time_of(narrow, machine()).compute, t.compute);
}

// 10 blocks of 64 queries leave 200 slots idle. 283 keys are 3 steps of 128: three parts. 100 heads have blocks enough.
TEST(AttentionTime, FlashSplitsTheKeysOfFewQueries) {
  const double split = time_of(attention(10, 1, 283), machine()).compute;
  EXPECT_NEAR(split, 4.0 * 64 * 128 * (128 + 75) * 1.18 / 1450e9, 1e-12);
  DeviceKernel packed = attention(10, 1, 283);
  packed.splits = false;
  EXPECT_NEAR(time_of(packed, machine()).compute, 4.0 * 128 * 128 * (320 + 75) * 1.18 / 1450e9, 1e-12);
  EXPECT_GT(time_of(attention(10, 1, 283), machine()).fixed, time_of(packed, machine()).fixed);
}

TEST(AttentionTime, CausalIsAboutHalf) {
  DeviceKernel k = attention(100, 8192, 8192);
  const double all = time_of(k, machine()).compute;
  k.causal = true;
  // 6400 blocks in 32 waves; the last half of the longest.
  EXPECT_NEAR(time_of(k, machine()).compute / all, 0.5 + 0.5 / 32, 0.015);
}

TEST(AttentionTime, AStackWithoutTheKernelSaysSo) {
  DeviceKernel k = attention(1, 256, 256);
  k.k = 512;
  EXPECT_THROW(time_of(k, machine()), Error);
}

// --- launches ---

std::vector<DeviceKernel> kernels_of_last(const Tracer& tracer, const Machine& m) {
  std::vector<DeviceKernel> out;
  const Trace& trace = tracer.trace();
  const Op& op = trace.ops[trace.ops.size() - 1];
  device_kernels(launch_of(trace, op), {op.causal, op.tf32, false}, m, out);
  return out;
}

MemoryClass class_of_last(const Tracer& tracer) {
  const std::vector<DeviceKernel> kernels = kernels_of_last(tracer, machine());
  EXPECT_EQ(kernels.size(), 1u);
  EXPECT_EQ(kernels.at(0).shape, KernelShape::memory);
  return kernels.at(0).memory;
}

class LaunchesTest : public ::testing::Test {
 protected:
  Tensor made(const Shape& sizes, DType dtype) { return tracer_.allocate(sizes, dtype); }
  Tracer tracer_;
};

TEST_F(LaunchesTest, ElementwiseKernelsByLayoutAndDtype) {
  const Tensor wide = made({64, 256}, DType::float32), narrow = made({64, 256}, DType::bfloat16);
  const Tensor row = made({256}, DType::float32), narrow_row = made({256}, DType::bfloat16);
  torch::add(wide, wide);
  EXPECT_EQ(class_of_last(tracer_), MemoryClass::vectorized);
  torch::add(wide, narrow);
  EXPECT_EQ(class_of_last(tracer_), MemoryClass::unrolled_binary);
  torch::mul(wide, row);
  EXPECT_EQ(class_of_last(tracer_), MemoryClass::broadcast);
  torch::mul(narrow, narrow_row);
  EXPECT_EQ(class_of_last(tracer_), MemoryClass::broadcast_narrow);
  torch::mul(narrow, row);
  EXPECT_EQ(class_of_last(tracer_), MemoryClass::broadcast_mixed);
  torch::add(wide.transpose(0, 1), wide.transpose(0, 1));  // one layout, dense: as good as contiguous
  EXPECT_EQ(class_of_last(tracer_), MemoryClass::vectorized);
  torch::add(wide.narrow(1, 0, 128), made({64, 128}, DType::float32));
  EXPECT_EQ(class_of_last(tracer_), MemoryClass::strided);
}

TEST_F(LaunchesTest, CastsDownAreVectorizedAndUpUnrolled) {
  torch::to(made({64, 256}, DType::float32), DType::bfloat16);
  EXPECT_EQ(class_of_last(tracer_), MemoryClass::vectorized);
  torch::to(made({64, 256}, DType::bfloat16), DType::float32);
  EXPECT_EQ(class_of_last(tracer_), MemoryClass::unrolled_widen);
  torch::to(made({64, 256}, DType::float32), DType::float64);
  EXPECT_EQ(class_of_last(tracer_), MemoryClass::unrolled_wide);
  torch::to(made({64, 256}, DType::float64), DType::float32);
  EXPECT_EQ(class_of_last(tracer_), MemoryClass::unrolled_from_wide);
  torch::to(made({256}, DType::bfloat16), DType::float32);  // one block
  EXPECT_EQ(class_of_last(tracer_), MemoryClass::vectorized);
  torch::clone(made({64, 256}, DType::float32));
  EXPECT_EQ(class_of_last(tracer_), MemoryClass::copy);
}

// L2 delivers a sector for each element and loses none before its neighbours are wanted, unless it is too small.
TEST_F(LaunchesTest, ATransposedCopyReadsASectorForEachElement) {
  torch::contiguous(made({512, 1024}, DType::bfloat16).transpose(0, 1));
  const Machine with_l2 = machine(std::string(device_text) + "l2_size: {value: 1, unit: MB, source: sheet}\n");
  const std::vector<DeviceKernel> kernels = kernels_of_last(tracer_, with_l2);
  EXPECT_EQ(kernels.at(0).memory, MemoryClass::strided_narrow);
  EXPECT_DOUBLE_EQ(kernels.at(0).read, 512.0 * 1024 * 2);
  EXPECT_DOUBLE_EQ(kernels.at(0).written, 512.0 * 1024 * 2);
  EXPECT_DOUBLE_EQ(kernels.at(0).sectors, 512.0 * 1024 * (32 + 2));
  EXPECT_DOUBLE_EQ(kernels_of_last(tracer_, machine()).at(0).read, 512.0 * 1024 * 32);
}

// Every second element of rows, as a rotary embedding has them: memory brings both.
TEST_F(LaunchesTest, EverySecondElementCostsItsNeighbour) {
  const Tensor pairs = made({512, 64, 2}, DType::float32), one = pairs.select(2, 0);
  torch::mul(one, made({512, 64}, DType::float32));
  const std::vector<DeviceKernel> read = kernels_of_last(tracer_, machine());
  EXPECT_DOUBLE_EQ(read.at(0).read, 512.0 * 64 * 4 * (2 + 1));
  EXPECT_DOUBLE_EQ(read.at(0).written, 512.0 * 64 * 4);
}

TEST_F(LaunchesTest, CatByItsShapes) {
  const Tensor a = made({4, 64}, DType::float32), b = made({4, 63}, DType::float32);
  torch::cat({a, a}, 1);
  EXPECT_EQ(class_of_last(tracer_), MemoryClass::vectorized);
  torch::cat({b, b}, 1);
  EXPECT_EQ(class_of_last(tracer_), MemoryClass::cat_batched);
  const Tensor five = made({1, 2, 3, 4, 5}, DType::float32);
  torch::cat({five, five}, 2);
  EXPECT_EQ(kernels_of_last(tracer_, machine()).size(), 2u);
}

TEST_F(LaunchesTest, AConvolutionConvertsLayoutsAroundItsGemm) {
  torch::conv3d(made({1, 32, 4, 16, 16}, DType::bfloat16), made({64, 32, 3, 3, 3}, DType::bfloat16), Tensor(),
                {1, 1, 1});
  std::vector<DeviceKernel> kernels;
  for (const Op& op : tracer_.trace().ops) {
    if (op.kernel != Kernel::convolution) continue;
    device_kernels(launch_of(tracer_.trace(), op), {}, machine(), kernels);
  }
  ASSERT_EQ(kernels.size(), 4u);
  EXPECT_EQ(kernels[0].memory, MemoryClass::to_channels_last_narrow);
  EXPECT_EQ(kernels[2].shape, KernelShape::convolution);
  EXPECT_DOUBLE_EQ(kernels[2].k, 32.0 * 27);
  EXPECT_TRUE(kernels[2].three_d);
  EXPECT_EQ(kernels[3].memory, MemoryClass::from_channels_last_narrow);
  // Layouts are converted in tiles of 32 channels by 32 positions: 32 by 4 x 16 x 16, and of 64 filters 32 by 27.
  EXPECT_DOUBLE_EQ(kernels[0].elements, 32.0 * 1024);
  EXPECT_DOUBLE_EQ(kernels[1].elements, 64.0 * 32 * 32);
}

// A patch embedding of 16 bits: channels are padded to 8 and each step of 32 gathers four taps, on as few SMs as there
// are tiles of 128 by 128.
TEST_F(LaunchesTest, APatchEmbeddingGathersTapByTap) {
  const auto patches_of = [&](int64_t images, int64_t channels_out) {
    torch::conv2d(made({images, 3, 224, 224}, DType::bfloat16), made({channels_out, 3, 14, 14}, DType::bfloat16),
                  Tensor(), {14, 14});
    std::vector<DeviceKernel> kernels;
    for (const Op& op : tracer_.trace().ops) {
      if (op.kernel != Kernel::convolution) continue;
      kernels.clear();
      device_kernels(launch_of(tracer_.trace(), op), {}, machine(), kernels);
    }
    return kernels;
  };
  const std::vector<DeviceKernel> kernels = patches_of(1, 1280);
  ASSERT_EQ(kernels.size(), 6u);  // zeros, the image, zeros, the filter, the product, its layout
  EXPECT_EQ(kernels[0].memory, MemoryClass::fill);
  EXPECT_DOUBLE_EQ(kernels[0].written, 224.0 * 224 * 8 * 2);
  EXPECT_DOUBLE_EQ(kernels[1].written, 224.0 * 224 * 8 * 2);
  EXPECT_DOUBLE_EQ(kernels[4].k, 14.0 * 14 * 8);
  const double one = time_of(kernels[4], machine()).compute;
  EXPECT_NEAR(one, 49 * 2356 / 1e9, 1e-12);  // 20 tiles on 100 SMs
  EXPECT_NEAR(time_of(patches_of(8, 1280)[4], machine()).compute, 2 * one, 1e-12);
}

TEST_F(LaunchesTest, SdpaIsCudnnsOnHopperWithAMaskToo) {
  const Tensor q = made({1, 8, 64, 64}, DType::bfloat16);
  torch::scaled_dot_product_attention(q, q, q, made({1, 8, 64, 64}, DType::bfloat16), false);
  const DeviceKernel kernel = kernels_of_last(tracer_, machine()).at(0);
  EXPECT_STREQ(kernel.attention, "cudnn");
  EXPECT_TRUE(kernel.masked);
  const Machine ampere(load_device(config::Repository(configs), "a100_sxm"), stack(), host("cuda_graph"));
  EXPECT_STREQ(kernels_of_last(tracer_, ampere).at(0).attention, "efficient");
}

// --- clock ---

TEST(Clock, GivesWaySoThatWattsStayUnderTheLimit) {
  const Device device = device_of(std::string(device_text) + power_text);
  TimedKernel k;
  k.time.compute = 1;  // 1 s at the highest clock, 900 J: 1000 W with the idle 100
  k.time.joules_at_clock = 900;
  k.times = 1000;
  const RunPower power = solve_clock({k}, device);
  // 100 + 900 c^3 = 500, but for 1 J in 1300 s.
  EXPECT_NEAR(power.clock, std::cbrt(400.0 / 900), 1e-4);
  EXPECT_NEAR(power.joules / power.seconds, 500, 0.01);
}

TEST(Clock, AShortRunIsNotHeldBack) {
  const Device device = device_of(std::string(device_text) + power_text);
  TimedKernel k;
  k.time.compute = 1e-3;
  k.time.joules_at_clock = 0.9;
  EXPECT_DOUBLE_EQ(solve_clock({k}, device).clock, 1);
}

TEST(Clock, WithoutAPowerModelItIsTheHighest) {
  TimedKernel k;
  k.time.compute = 1;
  k.time.joules_at_clock = 1e6;
  const RunPower power = solve_clock({k}, device_of(device_text));
  EXPECT_DOUBLE_EQ(power.clock, 1);
  EXPECT_DOUBLE_EQ(power.joules, 0);
}

// --- runs ---

// A run of one stage: `body` times `count`.
template <class Body>
Evaluation run_of(int64_t count, const Body& body) {
  auto tracer = std::make_unique<Tracer>();
  tracer->enter_function("stage");
  const int32_t scope = tracer->scope();
  tracer->enter_repetition(count);
  body(*tracer);
  tracer->leave();
  tracer->leave();
  tracer->trace().residences.push_back({scope, 0});
  return Evaluation(std::move(tracer));
}

void add_large(Tracer& tracer) {
  const Tensor x = tracer.allocate({1000, 1000, 100}, DType::float32);
  torch::add(x, x);
}

void add_small(Tracer& tracer) {
  const Tensor x = tracer.allocate({16}, DType::float32);
  torch::add(x, x);
}

TEST(RunTime, RepetitionsMultiplyAndTheDeviceIsTheLonger) {
  const Machine m = machine(device_text, "virtual_16_cores");
  const RunTime once = time_run(run_of(1, add_large), m), many = time_run(run_of(50, add_large), m);
  ASSERT_EQ(many.stages.size(), 1u);
  EXPECT_NEAR(many.stages[0].part.device, 50 * once.stages[0].part.device, 1e-9);
  EXPECT_FALSE(many.stages[0].host_bound());
  EXPECT_GE(many.stages[0].wall, many.stages[0].part.device);
  EXPECT_LT(many.stages[0].wall, many.stages[0].part.device * 1.01);
  EXPECT_DOUBLE_EQ(many.stages[0].launches, 50);
  EXPECT_LT(many.stages[0].low, many.stages[0].wall);
  EXPECT_GT(many.stages[0].high, many.stages[0].wall);
}

TEST(RunTime, SmallKernelsWaitForTheHost) {
  const RunTime slow = time_run(run_of(1000, add_small), machine(device_text, "virtual_16_cores"));
  EXPECT_TRUE(slow.stages[0].host_bound());
  EXPECT_NEAR(slow.stages[0].wall, 1000 * (11.2 + 10.5) * us, 10 * us);
  const RunTime graph = time_run(run_of(1000, add_small), machine());
  EXPECT_FALSE(graph.stages[0].host_bound());
  EXPECT_NEAR(graph.stages[0].wall, graph.stages[0].part.device, 1e-9);
}

TEST(RunTime, ScopesAddUpToTheStage) {
  const RunTime run = time_run(run_of(7, add_large), machine());
  double sum = 0;
  for (const PartTime& part : run.scopes) sum += part.device;
  EXPECT_NEAR(sum, run.stages[0].part.device, 1e-12);
  EXPECT_EQ(run.stages[0].part.bound(), Bound::memory);
  EXPECT_DOUBLE_EQ(run.total().wall, run.stages[0].wall);
}

// A run that memory bounds is shorter by that share of its time with more bandwidth, and by nothing else.
TEST(Sensitivity, SaysWhatTheRunWaitsFor) {
  const Evaluation run = run_of(50, add_large);
  const Machine m = machine();
  const double wall = time_run(run, m).total().wall;
  size_t found = 0;
  for (const Sensitivity& s : sensitivities(run, m)) {
    if (s.resource == "memory bandwidth") {
      EXPECT_NEAR(s.seconds / wall, 1 / 1.1, 1e-3);
      ++found;
    } else {
      const double starts = s.resource == std::string("clock") ? 1e-3 : 1e-9;  // which follow the clock
      EXPECT_NEAR(s.seconds / wall, 1, starts) << s.resource;
    }
    EXPECT_NE(s.resource, "L2");  // the device has none
  }
  EXPECT_EQ(found, 1u);
  const Machine slow = machine(device_text, "virtual_16_cores");
  const Evaluation small = run_of(1000, add_small);
  const double host_bound = time_run(small, slow).total().wall;
  EXPECT_NEAR(sensitivities(small, slow).back().seconds / host_bound, 1 / 1.1, 1e-3);
}

TEST(Machine, ACopyHasItsOwnKernels) {
  std::optional<Machine> first(machine());
  const Machine copy = *first;
  first.reset();
  EXPECT_EQ(copy.kernels().name, "sm90");
}

TEST(Machine, AnArchitectureThatTheStackHasNoKernelsForIsRefused) {
  try {
    Machine(load_device(config::Repository(configs), "mi300x"), stack(), host("fast"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the stack torch_2_11 has no kernels for gfx942"));
  }
}

}  // namespace
}  // namespace modelmeter
