#include "verify/validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "hardware/catalog.h"
#include "verify/csv.h"
#include "verify/launch_time.h"

namespace modelmeter {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* root = MODELMETER_SOURCE_DIR;

std::string written(const std::string& name, const std::string& content) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / ("modelmeter-validation-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = (folder / name).string();
  std::ofstream(path) << content;
  return path;
}

std::string error_of(const std::string& path) {
  const config::Repository repository(std::string(root) + "/configs");
  try {
    validate_file(path, {repository, {root}, "", "", {}});
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::vector<ValidationRow> rows_of(const std::string& path, const std::string& device = "") {
  const config::Repository repository(std::string(root) + "/configs");
  return validate_file(path, {repository, {root}, device, "", {}}).rows;
}

Machine h100() {
  const config::Repository repository(std::string(root) + "/configs");
  return Machine(load_device(repository, "h100_sxm"), load_kernel_stack(repository, "torch_2_11"),
                 load_host(repository, "cuda_graph"));
}

// --- files ---

TEST(Csv, ReadsQuotesWithinQuotesAndNumbers) {
  const CsvTable table(written("a.csv", "name,us\n\"a, \"\"b\"\"\",1.5\nc,\n"));
  ASSERT_EQ(table.rows(), 2u);
  EXPECT_EQ(table.text(0, "name"), "a, \"b\"");
  EXPECT_DOUBLE_EQ(table.number(0, "us"), 1.5);
  EXPECT_DOUBLE_EQ(table.number(1, "us"), 0);
  EXPECT_EQ(table.text(1, "other"), "");
  EXPECT_THROW(table.number(0, "name"), Error);
  EXPECT_THROW(CsvTable("nowhere.csv"), Error);
}

constexpr const char* header = "n,op,module,shapes,dtypes,us,kernels\n";

TEST(LaunchFile, ReadsShapesOfListsToo) {
  const auto launches = read_launch_file(
      written("launches-h100-x.csv", std::string(header) + "0,aten.cat,m,\"[[[1,2],[1,3]]]\",TensorList,4.5,k=4.5\n"
                                                           "1,aten.add,m,\"[[8],[]]\",f32 f32,1,k=1\n"));
  ASSERT_EQ(launches.size(), 2u);
  EXPECT_EQ(launches[0].op, "cat");
  EXPECT_EQ(launches[0].shapes, (std::vector<std::vector<int64_t>>{{1, 2}, {1, 3}}));
  EXPECT_EQ(launches[1].shapes, (std::vector<std::vector<int64_t>>{{8}, {}}));
  EXPECT_EQ(launches[1].dtypes, (std::vector<std::string>{"f32", "f32"}));
}

TEST(LaunchFile, WhatIsNoneIsRefused) {
  EXPECT_THAT(error_of(written("launches-h100-a.csv", "a,b\n1,2\n")),
              AllOf(HasSubstr("no column 'op'"), HasSubstr("op, module, shapes, dtypes, us, kernels")));
  EXPECT_THAT(error_of(written("launches-h100-b.csv", std::string(header) + "0,aten.add,m,7,f32,1,k\n")),
              HasSubstr("row 1: shapes are no list"));
  EXPECT_THAT(error_of(written("launches-h100-c.csv", std::string(header) + "0,aten.add,m,[[1]],f32,soon,k\n")),
              HasSubstr("row 1: us is no number: 'soon'"));
  EXPECT_THAT(error_of(written("launches-z9-d.csv", header)), HasSubstr("--device NAME says so"));
  EXPECT_THAT(error_of(written("mikro.csv", "a,b\n")), HasSubstr("did you mean 'micro.csv'?"));
}

// --- launches from their own shapes ---

MeasuredLaunch launch(const std::string& op, std::vector<std::vector<int64_t>> shapes, std::vector<std::string> dtypes,
                      const std::string& kernels = "") {
  MeasuredLaunch out;
  out.op = op;
  out.shapes = std::move(shapes);
  out.dtypes = std::move(dtypes);
  out.kernels = kernels;
  return out;
}

TEST(LaunchTime, KernelsFollowFromShapesAndDtypes) {
  const Machine m = h100();
  const auto cast = kernels_of(launch("copy_", {{64, 64}, {64, 64}}, {"bf16", "f32"}), m);
  ASSERT_TRUE(cast && cast->size() == 1);
  EXPECT_EQ(cast->at(0).memory, MemoryClass::vectorized);
  const auto strided =
      kernels_of(launch("copy_", {{64, 64}, {64, 64}}, {"f32", "f32"}, "elementwise_kernel<128, 2"), m);
  ASSERT_TRUE(strided && strided->size() == 1);
  EXPECT_EQ(strided->at(0).memory, MemoryClass::strided);
  const auto gemm = kernels_of(launch("addmm", {{5}, {3, 4}, {4, 5}}, {"bf16", "bf16", "bf16"}), m);
  ASSERT_TRUE(gemm && gemm->size() == 1);
  EXPECT_DOUBLE_EQ(gemm->at(0).m, 3);
  EXPECT_DOUBLE_EQ(gemm->at(0).n, 5);
  EXPECT_DOUBLE_EQ(gemm->at(0).k, 4);
  const auto attention = kernels_of(
      launch("_flash_attention_forward", {{100, 12, 128}, {50, 12, 128}, {50, 12, 128}}, {"bf16", "bf16", "bf16"}), m);
  ASSERT_TRUE(attention && attention->size() == 1);
  EXPECT_DOUBLE_EQ(attention->at(0).batch, 12);
  EXPECT_DOUBLE_EQ(attention->at(0).m, 100);
  EXPECT_DOUBLE_EQ(attention->at(0).n, 50);
}

TEST(LaunchTime, WhatIsLaunchedNextTellsWhatAConvolutionMakes) {
  std::vector<MeasuredLaunch> launches = {
      launch("cudnn_convolution", {{64, 256, 56, 56}, {128, 256, 3, 3}}, {"f16", "f16"}),
      launch("copy_", {{128}, {128}}, {"f32", "f16"}), launch("native_batch_norm", {{64, 128, 28, 28}}, {"f16"})};
  infer_outputs(launches);
  EXPECT_EQ(launches[0].output, (std::vector<int64_t>{64, 128, 28, 28}));
  const auto kernels = kernels_of(launches[0], h100());
  ASSERT_TRUE(kernels && kernels->size() == 4);
  EXPECT_DOUBLE_EQ(kernels->at(2).m, 64.0 * 28 * 28);
}

TEST(LaunchTime, TheNameOfTheKernelTellsWhichDimensionIsReduced) {
  const Machine m = h100();
  const auto inner = kernels_of(launch("sum", {{12608, 768}}, {"bf16"}, "reduce_kernel<512, 1"), m);
  ASSERT_TRUE(inner && inner->size() == 1);
  EXPECT_EQ(inner->at(0).memory, MemoryClass::reduction);
  EXPECT_DOUBLE_EQ(inner->at(0).width, 768);
  const auto outer = kernels_of(launch("sum", {{12608, 768}}, {"bf16"}, "reduce_kernel<128, 4"), m);
  ASSERT_TRUE(outer && outer->size() == 1);
  EXPECT_EQ(outer->at(0).memory, MemoryClass::reduction_outer);
  EXPECT_DOUBLE_EQ(outer->at(0).width, 12608);
}

TEST(LaunchTime, WhatNoRuleIsForIsNotPredicted) {
  const Machine m = h100();
  EXPECT_FALSE(kernels_of(launch("my_op", {{4}}, {"f32"}), m));
  EXPECT_FALSE(kernels_of(launch("add", {{4}, {5}}, {"f32", "f32"}), m));  // sizes that do not go together
  EXPECT_FALSE(kernels_of(launch("addmm", {{5}, {3, 4}}, {"bf16"}), m));   // an operand is missing
  EXPECT_FALSE(kernels_of(launch("add", {{4}, {4}}, {"f99", "f32"}), m));  // no dtype
}

// --- rows ---

TEST(Validation, ErrorsAreRelativeAndSigned) {
  ValidationRow row;
  EXPECT_FALSE(row.wall_error());
  row.predicted_wall_ms = 90;
  row.measured_wall_ms = 100;
  EXPECT_NEAR(*row.wall_error(), -0.1, 1e-12);
}

TEST(Validation, LaunchesOfAnUnknownForwardAreOnTheirOwn) {
  // 400 MB of negations at 3.04 TB/s take 131.6 us and 2.7 until they begin and end; one launch has no rule.
  const auto rows =
      rows_of(written("launches-h100-other.csv",
                      std::string(header) +
                          "0,aten.neg,m,\"[[50000000]]\",f32,130,vectorized=130\n1,aten.mine,m,\"[[4]]\",f32,7,x=7\n"));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].device, "h100_sxm");
  EXPECT_EQ(*rows[0].launches, 2);
  EXPECT_EQ(*rows[0].launches_in_place, 1);
  EXPECT_NEAR(*rows[0].not_predicted_ms, 0.007, 1e-9);
  EXPECT_NEAR(*rows[0].predicted_device_ms, 0.1343, 0.0005);
  EXPECT_NEAR(*rows[0].launch_error, std::abs(*rows[0].device_error()), 1e-9);
  const std::string one = std::string(header) + "0,aten.neg,m,\"[[64]]\",f32,2,k=2\n";
  EXPECT_EQ(rows_of(written("launches-mine.csv", one), "h200_sxm").at(0).device, "h200_sxm");
}

TEST(Validation, ForwardsThatAConfigurationIsKnownForAreTimed) {
  const auto rows = rows_of(written("forwards.csv",
                                    "device,name,wall_ms,joules_per_forward,allocated_at_start,peak_allocated\n"
                                    "h100,t2v-1.3b-official-ci-tiny,92.7,14.4,5779829760,5820101120\n"
                                    "h100,something-else,1,1,1,2\n"
                                    "unknown,umt5-official-512,1,1,1,2\n"));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].group, "DiT, host-bound");
  EXPECT_LT(std::abs(*rows[0].wall_error()), 0.15);
  EXPECT_TRUE(*rows[0].inside);
  EXPECT_LT(std::abs(*rows[0].peak_allocated_error()), 0.05);
}

TEST(Validation, TablesOfKernelsAreSummedUpByKind) {
  const auto rows = rows_of(written("micro.csv",
                                    "device,kind,op,m,n,k,dtype,us,read,write,note\n"
                                    "h100,gemm,,4096,4096,4096,bfloat16,180,,,\n"
                                    "h100,elementwise,add,,67108864,,f32,266,536870912,268435456,\n"
                                    "h100,elementwise,invented,,64,,f32,1,1,1,\n"));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].group, "gemm bfloat16");
  EXPECT_LT(std::abs(*rows[0].device_error()), 0.1);
  EXPECT_LT(std::abs(*rows[1].device_error()), 0.04);
  const std::string text = validation_text({rows, {}});
  EXPECT_THAT(text, HasSubstr("elementwise above 1 MiB"));
  EXPECT_THAT(validation_json({rows, {}}), AllOf(HasSubstr("\"device_ms_error\""), HasSubstr("\"summary\"")));
}

}  // namespace
}  // namespace modelmeter
