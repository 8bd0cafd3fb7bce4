#include "hardware/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "config/yaml.h"
#include "hardware/catalog.h"

namespace modelmeter {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* configs = MODELMETER_SOURCE_DIR "/configs";

// A device of round figures: 100 SMs of sm90 at 1 GHz are 409.6 TFLOP/s.
std::string small_device() {
  return "name: Small\n"
         "vendor: Nobody\n"
         "architecture: sm90\n"
         "sources:\n"
         "  sheet: {title: a sheet, date: 2026-11, kind: specification}\n"
         "memory_size: {value: 16, unit: GiB, source: sheet}\n"
         "memory_bandwidth: {value: 2, unit: TB/s, source: sheet}\n"
         "sm_count: {value: 100, source: sheet}\n"
         "boost_clock: {value: 1, unit: GHz, source: sheet}\n"
         "tensor_rates:\n"
         "  bf16: {value: 400, unit: TFLOP/s, source: sheet, accumulate: fp32}\n";
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), with);
}

Device read(const std::string& text) {
  const config::Node node = config::parse_yaml(text, "mine.yaml");
  return read_device(config::View(node, "device"), "mine");
}

std::string error_of(const std::string& text) {
  try {
    read(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Device, ReadsFiguresInBaseUnits) {
  const Device d = read(small_device());
  EXPECT_EQ(d.id, "mine");
  EXPECT_DOUBLE_EQ(d.memory_size.value, 16.0 * 1024 * 1024 * 1024);
  EXPECT_DOUBLE_EQ(d.memory_bandwidth.value, 2e12);
  EXPECT_DOUBLE_EQ(d.boost_clock.value, 1e9);
  EXPECT_DOUBLE_EQ(d.rate("bf16").rate.value, 4e14);
  EXPECT_EQ(d.rate("bf16").accumulate, "fp32");
  EXPECT_EQ(d.source("sheet").date, "2026-11");
  EXPECT_FALSE(d.l2_size.known());
}

TEST(Device, APrecisionThatItLacksIsRefusedWithThoseItHas) {
  const Device d = read(small_device());
  EXPECT_EQ(d.find_rate("fp8"), nullptr);
  try {
    d.rate("fp8");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("Small has no matrix units for fp8"), HasSubstr("it has: bf16")));
  }
}

TEST(Device, RefusesAWrongUnit) {
  const std::string text = replaced(small_device(), "unit: TB/s", "unit: GiB");
  EXPECT_THAT(error_of(text), AllOf(HasSubstr("device.memory_bandwidth.unit: 'GiB' is no unit of a bandwidth"),
                                    HasSubstr("units: GB/s, TB/s"), HasSubstr("mine.yaml:7")));
}

TEST(Device, RefusesAFigureWithoutAUnit) {
  EXPECT_THAT(error_of(replaced(small_device(), " unit: TB/s,", "")), HasSubstr("unit"));
}

TEST(Device, RefusesAFigureWithoutASource) {
  EXPECT_THAT(error_of(replaced(small_device(), "unit: TB/s, source: sheet", "unit: TB/s")), HasSubstr("source"));
  EXPECT_THAT(error_of(replaced(small_device(), "unit: TB/s, source: sheet", "unit: TB/s, source: shet")),
              AllOf(HasSubstr("no source 'shet' in this file"), HasSubstr("did you mean 'sheet'?")));
}

TEST(Device, RefusesASourceWithoutADateOrOfAnotherKind) {
  EXPECT_THAT(error_of(replaced(small_device(), "2026-11", "yesterday")), HasSubstr("expected a date"));
  EXPECT_THAT(error_of(replaced(small_device(), "2026-11", "2026")), "no error");
  EXPECT_THAT(error_of(replaced(small_device(), "kind: specification", "kind: guess")), HasSubstr("'guess'"));
}

TEST(Device, RefusesARateWithSparsity) {
  EXPECT_THAT(error_of(replaced(small_device(), "value: 400", "value: 800")),
              AllOf(HasSubstr("800.0 TFLOP/s is more than 100 matrix units at 1000 MHz do (409.6)"),
                    HasSubstr("sparsity is twice")));
}

TEST(Device, RefusesWhatItDoesNotKnowAndWhatIsNotAboveZero) {
  EXPECT_THAT(error_of(small_device() + "memory_bandwith: {value: 1, unit: GB/s, source: sheet}\n"),
              AllOf(HasSubstr("unknown key"), HasSubstr("did you mean 'memory_bandwidth'?")));
  EXPECT_THAT(error_of(replaced(small_device(), "value: 2, unit", "value: 0, unit")), HasSubstr("a number above 0"));
  EXPECT_THAT(error_of(replaced(small_device(), "sm_count: {value: 100, source: sheet}\n", "")), HasSubstr("sm_count"));
}

TEST(Catalog, EveryShippedFileReads) {
  const config::Repository repository(configs);
  const std::vector<std::string> names = device_names(repository);
  EXPECT_GE(names.size(), 32u);
  for (const std::string& name : names) {
    const Device d = load_device(repository, name);
    EXPECT_EQ(d.id, name);
    EXPECT_FALSE(d.name.empty()) << name;
    EXPECT_LE(d.memory_fraction.value, 1.0) << name;
  }
}

TEST(Catalog, FiguresAreThoseOfTheSheets) {
  const config::Repository repository(configs);
  const Device h100 = load_device(repository, "h100_sxm");
  EXPECT_DOUBLE_EQ(h100.memory_bandwidth.value, 3.35e12);
  EXPECT_DOUBLE_EQ(h100.rate("bf16").rate.value, 989e12);
  EXPECT_DOUBLE_EQ(h100.tensor_clock.value, 1.83e9);
  // GeForce cards do half as much with sums of 32 bits.
  EXPECT_DOUBLE_EQ(load_device(repository, "rtx_4090").rate("bf16").rate.value, 165.2e12);
}

TEST(Catalog, AnUnknownDeviceIsRefusedWithTheNearest) {
  try {
    load_device(config::Repository(configs), "h100_smx");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("unknown device 'h100_smx'"), HasSubstr("did you mean 'h100_sxm'?")));
  }
}

TEST(Catalog, AUsersFileStandsInTheGroup) {
  const std::string path = (std::filesystem::path(::testing::TempDir()) / "mine_device.yaml").string();
  FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs(small_device().c_str(), file);
  std::fclose(file);
  const UserFile mine{"device", path};
  EXPECT_EQ(mine.option(), "mine_device");
  const UserFiles user(configs, {mine});
  const config::Repository repository(user.file_system(), configs);
  EXPECT_EQ(load_device(repository, "mine_device").name, "Small");
  EXPECT_EQ(load_device(repository, "h100_sxm").vendor, "NVIDIA");
  SourceSpan span;
  span.file = std::string(configs) + "/device/mine_device.yaml";
  EXPECT_EQ(user.renamed(Error("wrong", span)).span().file, path);
  std::filesystem::remove(path);
  EXPECT_THROW(UserFiles(configs, {mine}), Error);
}

}  // namespace
}  // namespace modelmeter
