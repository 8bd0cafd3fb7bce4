// Device kernels of measured launches, made up of the shapes and dtypes that a profile has of each kind of op.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hardware/catalog.h"
#include "verify/launch_time.h"

namespace modelmeter {
namespace {

const Machine& h100() {
  static const config::Repository repository(MODELMETER_SOURCE_DIR "/configs");
  static const Machine machine(load_device(repository, "h100_sxm"), load_kernel_stack(repository, "torch_2_11"),
                               load_host(repository, "cuda_graph"));
  return machine;
}

using Shapes = std::vector<std::vector<int64_t>>;

// The only kernel of a launch.
std::optional<DeviceKernel> kernel_of(const std::string& op, Shapes shapes, std::vector<std::string> dtypes,
                                      const std::string& kernels = "") {
  MeasuredLaunch launch;
  launch.op = op;
  launch.shapes = std::move(shapes);
  launch.dtypes = std::move(dtypes);
  launch.kernels = kernels;
  const auto all = kernels_of(launch, h100());
  if (!all || all->size() != 1) return std::nullopt;
  return all->front();
}

TEST(LaunchKernels, OfProductsAreTheirMatrices) {
  struct Case {
    const char* op;
    Shapes shapes;
    double batch, m, n, k;
  };
  const Case cases[] = {
      {"mm", {{30, 40}, {40, 50}}, 1, 30, 50, 40},
      {"addmm", {{50}, {30, 40}, {40, 50}}, 1, 30, 50, 40},
      {"bmm", {{7, 30, 40}, {7, 40, 50}}, 7, 30, 50, 40},
      {"baddbmm", {{7, 30, 50}, {7, 30, 40}, {7, 40, 50}}, 7, 30, 50, 40},
  };
  for (const Case& c : cases) {
    for (const char* dtype : {"bf16", "f16"}) {
      const auto kernel = kernel_of(c.op, c.shapes, std::vector<std::string>(c.shapes.size(), dtype));
      ASSERT_TRUE(kernel) << c.op;
      EXPECT_EQ(kernel->shape, KernelShape::gemm) << c.op;
      EXPECT_EQ(kernel->batch, c.batch) << c.op;
      EXPECT_EQ(kernel->m, c.m) << c.op;
      EXPECT_EQ(kernel->n, c.n) << c.op;
      EXPECT_EQ(kernel->k, c.k) << c.op;
      EXPECT_STREQ(kernel->precision, std::string(dtype) == "bf16" ? "bf16" : "fp16") << c.op;
    }
  }
  EXPECT_FALSE(kernel_of("mm", {{30, 40}, {41, 50}}, {"bf16", "bf16"}));     // k does not agree
  EXPECT_FALSE(kernel_of("mm", {{30, 40}, {2, 40, 50}}, {"bf16", "bf16"}));  // ranks do not
  EXPECT_FALSE(kernel_of("mm", {{30, 40}}, {"bf16"}));
}

TEST(LaunchKernels, OfElementwiseOpsMoveTheirOperands) {
  const auto add = kernel_of("add", {{64, 128}, {64, 128}}, {"f32", "f32"});
  ASSERT_TRUE(add);
  EXPECT_EQ(add->shape, KernelShape::memory);
  EXPECT_EQ(add->read, 2 * 64 * 128 * 4);
  EXPECT_EQ(add->written, 64 * 128 * 4);
  const auto row = kernel_of("mul", {{64, 128}, {128}}, {"f32", "f32"});
  ASSERT_TRUE(row);
  EXPECT_EQ(row->memory, MemoryClass::broadcast);
  EXPECT_EQ(row->written, 64 * 128 * 4);
  const auto narrow = kernel_of("mul", {{64, 128}, {128}}, {"bf16", "bf16"});
  ASSERT_TRUE(narrow);
  EXPECT_EQ(narrow->memory, MemoryClass::broadcast_narrow);
  EXPECT_EQ(narrow->written, 64 * 128 * 2);
  // bf16 with f32 makes f32; a number that a Python scalar is has no shape.
  const auto mixed = kernel_of("add", {{64, 128}, {64, 128}}, {"bf16", "f32"});
  ASSERT_TRUE(mixed);
  EXPECT_EQ(mixed->read, 64 * 128 * 6);
  EXPECT_EQ(mixed->written, 64 * 128 * 4);
  const auto scalar = kernel_of("mul", {{64, 128}, {}}, {"f32", "f32"});
  ASSERT_TRUE(scalar);
  EXPECT_EQ(scalar->written, 64 * 128 * 4);
  for (const char* compared : {"eq", "ne", "lt", "le", "gt", "ge"}) {
    const auto kernel = kernel_of(compared, {{64, 128}, {64, 128}}, {"f32", "f32"});
    ASSERT_TRUE(kernel) << compared;
    EXPECT_EQ(kernel->written, 64 * 128) << compared;  // truth values
  }
}

// By the error function gelu takes a fifth more instructions than by tanh.
TEST(LaunchKernels, OfGeluAreOfTheFormThatTheNameSays) {
  const auto elements = [](const char* form) {
    return kernel_of("gelu", {{64, 1024}}, {"bf16"}, std::string("GeluCUDAKernelImpl(at::native::GeluType)") + form)
        ->elements;
  };
  EXPECT_DOUBLE_EQ(elements("::{lambda()#1}::operator()"), 64.0 * 1024);
  EXPECT_DOUBLE_EQ(elements("::{lambda()#2}::operator()"), 64.0 * 1024 * 1.22);
}

TEST(LaunchKernels, OfCopiesGoFromTheSecondToTheFirst) {
  const auto widen = kernel_of("copy_", {{64, 128}, {64, 128}}, {"f32", "bf16"});
  ASSERT_TRUE(widen);
  EXPECT_EQ(widen->read, 64 * 128 * 2);
  EXPECT_EQ(widen->written, 64 * 128 * 4);
  const auto strided = kernel_of("copy_", {{64, 128}, {64, 128}}, {"bf16", "bf16"}, "elementwise_kernel<128, 4");
  ASSERT_TRUE(strided);
  EXPECT_EQ(strided->memory, MemoryClass::strided_narrow);
  EXPECT_FALSE(kernel_of("copy_", {{64, 128}}, {"f32"}));
}

TEST(LaunchKernels, OfCatAreJoinedWhereTheyDiffer) {
  const auto cat =
      kernel_of("cat", {{2, 30, 8}, {2, 50, 8}}, {"TensorList"}, "CatArrayBatchedCopy_contig<OpaqueType<2u>");
  ASSERT_TRUE(cat);
  EXPECT_EQ(cat->written, 2 * 80 * 8 * 2);
  const auto wide =
      kernel_of("cat", {{2, 30, 8}, {2, 50, 8}}, {"TensorList"}, "CatArrayBatchedCopy_contig<OpaqueType<4u>");
  ASSERT_TRUE(wide);
  EXPECT_EQ(wide->written, 2 * 80 * 8 * 4);
  EXPECT_FALSE(kernel_of("cat", {{2, 30, 8}, {2, 50}}, {"TensorList"}));
  EXPECT_FALSE(kernel_of("cat", {{2, 30, 8}, {2, 50, 8}}, {"TensorList"}, "gpu_memcpy"));  // says no dtype
}

TEST(LaunchKernels, OfAttentionHaveHeadsQueriesAndKeys) {
  const auto varlen =
      kernel_of("_flash_attention_forward", {{100, 12, 128}, {50, 12, 128}, {50, 12, 128}}, {"bf16", "bf16", "bf16"});
  ASSERT_TRUE(varlen);
  EXPECT_EQ(varlen->shape, KernelShape::attention);
  EXPECT_EQ(varlen->batch, 12);
  EXPECT_EQ(varlen->m, 100);
  EXPECT_EQ(varlen->n, 50);
  EXPECT_EQ(varlen->k, 128);
  const auto batched = kernel_of("_flash_attention_forward", {{3, 100, 12, 64}, {3, 50, 12, 64}, {3, 50, 12, 64}},
                                 {"bf16", "bf16", "bf16"});
  ASSERT_TRUE(batched);
  EXPECT_EQ(batched->batch, 36);
  EXPECT_EQ(batched->m, 100);
  // Of cuDNN heads come first; with a mask it is the memory-efficient kernel.
  const auto cudnn = kernel_of("_cudnn_attention_forward", {{3, 12, 100, 64}, {3, 12, 50, 64}, {3, 12, 50, 64}},
                               {"bf16", "bf16", "bf16"});
  ASSERT_TRUE(cudnn);
  EXPECT_EQ(cudnn->batch, 36);
  EXPECT_EQ(cudnn->m, 100);
  EXPECT_EQ(cudnn->n, 50);
  const auto efficient = kernel_of("_efficient_attention_forward", {{3, 100, 12, 64}, {3, 50, 12, 64}, {3, 50, 12, 64}},
                                   {"f32", "f32", "f32"});
  ASSERT_TRUE(efficient);
  EXPECT_STREQ(efficient->attention, "efficient");
  EXPECT_EQ(efficient->m, 100);
  EXPECT_EQ(efficient->n, 50);
  EXPECT_FALSE(kernel_of("_flash_attention_forward", {{100, 12, 128}, {50, 12, 128}}, {"bf16", "bf16"}));
}

TEST(LaunchKernels, OfEmbeddingsReadTheRowsThatTheyMake) {
  const auto rows = kernel_of("gather", {{1000, 64}, {}, {32, 64}}, {"bf16", "", "i64"});
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->written, 32 * 64 * 2);
  EXPECT_FALSE(kernel_of("gather", {{1000, 64}}, {"bf16"}));
}

}  // namespace
}  // namespace modelmeter
