#include "hardware/kernel_stack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "config/yaml.h"
#include "hardware/catalog.h"

namespace modelmeter {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

KernelStack read(const std::string& text) {
  const config::Node node = config::parse_yaml(text, "stack.yaml");
  return read_kernel_stack(config::View(node), "mine");
}

// A small stack: every class of kernels the same, one architecture.
std::string small() {
  std::string out = "name: mine\nsources:\n  fit: {title: a fit, date: 2026-11, kind: fitted}\nkernels:\n";
  for (const char* name : memory_class_names()) {
    out += "  " + std::string(name) + ":\n" +
           "    {fixed_us: 1.5, per_clock: 2, memory: 0.5, in_l2: 0.25, row_clocks: 30, element_ns: 7, overlap: 5,\n"
           "     ramp_us: 0.25, source: fit}\n";
  }
  return out + R"(
small_kernel: {value: 3, unit: us, source: fit}
architectures:
  sm90:
    gemm: {efficiency: 0.9, tile_loss: 8, wide_tile_loss: 0.05, prologue: 110, fixed_us: 2.5, step_us: 0.05,
           split_us: 6, drain_us: 0.5, memory: 0.9, unaligned_us: 0.2, unaligned_step_us: 0.3, vector: 0.7,
           operands: 90, stream: 60, wave_us: 0.4, latency_us: 0.75, overlap: 6, narrow: 0.875, between_us: 0.6,
           vector_product_us: 15, full_rate: 4096, source: fit}
    convolution:
      operands_2d: 80
      patch_step_clocks: 2000
      first_layer: 0.125
      vector: 0.2
      fixed_us: 4
      source: fit
      tf32: {tiles: 0.5, full: 0.6, pointwise: 0.7, operands: 70, source: fit}
      half: {tiles: 0.3, pointwise: 0.45, operands: 50, tile_loss: 1.5, wave_us: 0.75, fixed_us: 2, source: fit}
    attention:
      flash:
        head_64: {per_clock: 1000, rows: 64, keys: 10, step: 32, pad: 8, blocks: 2, alone: 0.75, fixed_us: 5,
                  masked: 0.5, source: fit}
        head_128: {per_clock: 2000, rows: 128, keys: 20, step: 16, pad: 4, blocks: 1, alone: 0.875, fixed_us: 6,
                   source: fit}
)";
}

TEST(KernelStack, FourBitsMayHaveConstantsOfTheirOwn) {
  std::string text = small();
  EXPECT_FALSE(read(text).architectures.front().gemm_fp4.has_value());
  const std::string others = "    convolution:\n";
  text.insert(text.find(others),
              "    gemm_fp4: {efficiency: 0.4, tile_loss: 8, wide_tile_loss: 0.05, prologue: 110, fixed_us: 2.5,\n"
              "               step_us: 0.05, split_us: 6, drain_us: 0.5, memory: 0.9, unaligned_us: 0.2,\n"
              "               unaligned_step_us: 0.3, vector: 0.7, source: fit}\n");
  const KernelStack stack = read(text);
  const ArchitectureConstants& architecture = stack.architectures.front();
  ASSERT_TRUE(architecture.gemm_fp4.has_value());
  EXPECT_DOUBLE_EQ(architecture.gemm_fp4->efficiency, 0.4);
  EXPECT_DOUBLE_EQ(architecture.gemm.efficiency, 0.9);
}

TEST(KernelStack, ReadsEachConstantInItsUnit) {
  const KernelStack stack = read(small());
  for (const MemoryConstants& c : stack.memory) {
    EXPECT_DOUBLE_EQ(c.fixed, 1.5e-6);
    EXPECT_DOUBLE_EQ(c.per_clock, 2);
    EXPECT_DOUBLE_EQ(c.memory, 0.5);
    EXPECT_DOUBLE_EQ(c.in_l2, 0.25);
    EXPECT_DOUBLE_EQ(c.row, 30);
    EXPECT_DOUBLE_EQ(c.element, 7e-9);
    EXPECT_DOUBLE_EQ(c.overlap, 5);
    EXPECT_DOUBLE_EQ(c.ramp, 0.25e-6);
  }
  EXPECT_DOUBLE_EQ(stack.small_kernel, 3e-6);
  const ArchitectureConstants& sm90 = stack.architecture("sm90");
  const GemmConstants& g = sm90.gemm;
  EXPECT_THAT((std::vector<double>{g.efficiency, g.tile_loss, g.wide_tile_loss, g.prologue, g.memory, g.vector,
                                   g.operands, g.stream, g.overlap, g.narrow, g.full_rate}),
              testing::ElementsAre(0.9, 8, 0.05, 110, 0.9, 0.7, 90, 60, 6, 0.875, 4096));
  EXPECT_DOUBLE_EQ(g.wave, 0.4e-6);
  EXPECT_DOUBLE_EQ(g.latency, 0.75e-6);
  EXPECT_DOUBLE_EQ(g.between, 0.6e-6);
  EXPECT_DOUBLE_EQ(g.unaligned, 0.2e-6);
  EXPECT_DOUBLE_EQ(g.fixed, 2.5e-6);
  EXPECT_DOUBLE_EQ(g.step, 0.05e-6);
  EXPECT_DOUBLE_EQ(g.split, 6e-6);
  EXPECT_DOUBLE_EQ(g.drain, 0.5e-6);
  EXPECT_DOUBLE_EQ(g.unaligned_step, 0.3e-6);
  EXPECT_DOUBLE_EQ(g.vector_product, 15e-6);
  const ConvolutionConstants& c = sm90.convolution;
  EXPECT_THAT((std::vector<double>{c.operands_2d, c.patch_step, c.first_layer, c.vector}),
              testing::ElementsAre(80, 2000, 0.125, 0.2));
  EXPECT_THAT((std::vector<double>{c.tf32.tiles, c.tf32.full, c.tf32.pointwise, c.tf32.operands}),
              testing::ElementsAre(0.5, 0.6, 0.7, 70));
  EXPECT_THAT((std::vector<double>{c.half.tiles, c.half.pointwise, c.half.operands, c.half.tile_loss}),
              testing::ElementsAre(0.3, 0.45, 50, 1.5));
  EXPECT_DOUBLE_EQ(c.half.wave, 0.75e-6);
  EXPECT_DOUBLE_EQ(c.half.fixed, 2e-6);
  EXPECT_DOUBLE_EQ(c.fixed, 4e-6);
  const auto& heads = sm90.attention.at("flash");
  ASSERT_EQ(heads.size(), 2u);
  const AttentionConstants &first = heads.at(64), &second = heads.at(128);
  EXPECT_THAT((std::vector<double>{first.per_clock, first.rows, first.keys, first.step, first.pad, first.blocks,
                                   first.alone, first.masked}),
              testing::ElementsAre(1000, 64, 10, 32, 8, 2, 0.75, 0.5));
  EXPECT_DOUBLE_EQ(first.fixed, 5e-6);
  EXPECT_THAT((std::vector<double>{second.per_clock, second.rows, second.keys, second.step, second.pad, second.blocks,
                                   second.alone}),
              testing::ElementsAre(2000, 128, 20, 16, 4, 1, 0.875));
  EXPECT_DOUBLE_EQ(second.fixed, 6e-6);
  EXPECT_DOUBLE_EQ(second.masked, 1);  // where the file does not say
}

TEST(KernelStack, RefusesWhatIsMissingOrUnknown) {
  struct Case {
    const char *from, *to, *error;
  };
  const Case cases[] = {
      {"  fill:", "  fil:", "did you mean 'fill'?"},
      {"  fill:\n    {fixed_us: 1.5, ", "  fill:\n    {", "kernels.fill.fixed_us: missing"},
      {"  fill:\n    {fixed_us: 1.5", "  fill:\n    {fixed_us: -1.5", "expected a number of 0 or more"},
      {"source: fit}\n  vectorized_heavy", "source: fi}\n  vectorized_heavy", "no source 'fi' in this file"},
      {"unaligned_step_us: 0.3, vector: 0.7", "unaligned_step_us: 0.3", "gemm.vector: missing"},
      {"ramp_us: 0.25, source: fit}", "ramp_us: 0.25}", "source: missing"},
      {"overlap: 5,", "overlap: 0.5,", "expected a power of 1 or more"},
      {"small_kernel: {value: 3, unit: us", "small_kernel: {value: 3, unit: GB", "'GB' is no unit of a time"},
      {"efficiency: 0.9, ", "", "gemm.efficiency: missing"},
      {"      first_layer: 0.125\n", "", "convolution.first_layer: missing"},
      {"      tf32:", "      tf23:", "did you mean 'tf32'?"},
      {"overlap: 6", "overlap: 0.5", "gemm.overlap: expected a power of 1 or more"},
      {"{tiles: 0.3, ", "{", "convolution.half.tiles: missing"},
      {"alone: 0.75, ", "", "head_64.alone: missing"},
      {"rows: 64, ", "", "head_64.rows: missing"},
      {"head_64", "head64", "a head size is written head_128"},
      {"head_64", "head_", "a head size is written head_128"},
      {"head_64", "head_6x", "a head size is written head_128"},
      {"      flash:", "      flsh:", "did you mean 'flash'?"},
      {"    gemm:", "    gem:", "did you mean 'gemm'?"},
  };
  for (const Case& c : cases) {
    std::string text = small();
    const size_t at = text.find(c.from);
    ASSERT_NE(at, std::string::npos) << c.from;
    text.replace(at, std::string(c.from).size(), c.to);
    try {
      read(text);
      ADD_FAILURE() << c.to << " is read";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 1);
      EXPECT_THAT(error.what(), AllOf(HasSubstr(c.error), HasSubstr("stack.yaml:"))) << c.to;
    }
  }
}

TEST(KernelStack, AnArchitectureThatItLacksIsRefused) {
  const KernelStack stack = read(small());
  try {
    stack.architecture("sm9");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("the stack mine has no kernels for sm9"), HasSubstr("architectures: sm90")));
  }
}

// Shares are shares, and no kernel starts in no time; every class of kernels has a name of its own.
TEST(KernelStack, TheShippedOneIsPlausible) {
  const KernelStack stack = load_kernel_stack(config::Repository(MODELMETER_SOURCE_DIR "/configs"), "torch_2_11");
  for (size_t i = 0; i < memory_classes; ++i) {
    const MemoryConstants& c = stack.memory[i];
    EXPECT_GT(c.fixed, 0.5e-6) << memory_class_names()[i];
    EXPECT_LT(c.fixed, 20e-6) << memory_class_names()[i];
    EXPECT_GT(c.memory, 0.5) << memory_class_names()[i];
    EXPECT_LT(c.memory, 1.2) << memory_class_names()[i];
  }
  ASSERT_FALSE(stack.architectures.empty());
  for (const ArchitectureConstants& a : stack.architectures) {
    EXPECT_GT(a.gemm.efficiency, 0.3) << a.name;
    const double of_large_tiles = 1 + a.gemm.tile_loss / 128 + a.gemm.tile_loss / 256;
    EXPECT_LE(a.gemm.efficiency / of_large_tiles, 1) << a.name;
    for (const auto& [kernel, heads] : a.attention) {
      for (const auto& [size, c] : heads) {
        if (kernel != "efficient") {  // which takes heads of any size
          EXPECT_LE(size, 256) << a.name << " " << kernel;
        }
        EXPECT_GT(c.per_clock, 0) << a.name << " " << kernel;
        EXPECT_LE(c.masked, 1) << a.name << " " << kernel;
      }
    }
  }
}

}  // namespace
}  // namespace modelmeter
