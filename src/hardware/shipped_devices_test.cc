// The files of configs/device against the figures by which the cards are known, as the vendors print them (where sheets
// disagree, docs/devices.md says which was taken), and against each other: a rate is what its units do at its clock,
// one of 8 bits is twice that of 16, and so on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "config/repository.h"
#include "hardware/catalog.h"
#include "hardware/device.h"

namespace modelmeter {
namespace {

const config::Repository& repository() {
  static const config::Repository configs(MODELMETER_SOURCE_DIR "/configs");
  return configs;
}

struct Sheet {
  const char* id;
  double memory_gb, bandwidth_gbs, sms, tensor_tflops, watts;  // 16 bits, dense; 0: the sheet does not say
};

// What tools and schedulers call the cards. Rates of 16 bits summed in 32 bits.
constexpr Sheet sheets[] = {
    {"a10", 24, 600, 72, 125, 150},
    {"a100_pcie", 80, 1935, 108, 312, 300},
    {"a100_pcie_40gb", 40, 1555, 108, 312, 250},
    {"a100_sxm", 80, 2039, 108, 312, 400},
    {"a100_sxm_40gb", 40, 1555, 108, 312, 400},
    {"a30", 24, 933, 56, 165, 165},
    {"a40", 48, 696, 84, 149.7, 300},
    {"a800_sxm", 80, 2039, 108, 312, 0},
    {"b200_sxm", 180, 7672, 148, 2250, 1000},
    {"gb200", 186, 8000, 152, 2500, 1200},
    {"gb300", 288, 8000, 152, 2500, 1400},
    {"gh200_144gb", 141, 4800, 132, 989, 0},
    {"gh200_96gb", 96, 4000, 132, 989, 0},
    {"h100_pcie", 80, 2000, 114, 756.5, 350},
    {"h100_sxm", 80, 3350, 132, 989, 700},
    {"h200_sxm", 141, 4800, 132, 989, 700},
    {"h800_sxm", 80, 3350, 132, 989, 700},
    {"l4", 24, 300, 60, 121, 72},
    {"l40", 48, 864, 142, 181, 300},
    {"l40s", 48, 864, 142, 362.05, 350},
    {"mi250x_gcd", 64, 1640, 110, 191.5, 280},
    {"mi300x", 192, 5300, 304, 1307, 750},
    {"mi325x", 256, 6000, 304, 1307, 1000},
    {"mi355x", 288, 8000, 256, 2500, 1400},
    {"rtx_3090", 24, 936, 82, 71, 0},
    {"rtx_4090", 24, 1008, 128, 165.2, 450},
    {"rtx_5090", 32, 1792, 170, 209.5, 575},
    {"rtx_a6000", 48, 768, 84, 154.8, 300},
    {"rtx_pro_6000", 96, 1792, 188, 503.8, 600},
    {"rtx_pro_6000_server", 96, 1792, 188, 467.8, 600},
    {"v100_sxm_16gb", 16, 900, 80, 125, 300},
    {"v100_sxm_32gb", 32, 900, 80, 125, 300},
};

double rate_of(const Device& device, const char* precision) {
  const TensorRate* rate = device.find_rate(precision);
  return rate == nullptr ? 0 : rate->rate.value;
}

TEST(ShippedDevices, HaveTheFiguresOfTheirSheets) {
  std::set<std::string> seen;
  for (const Sheet& sheet : sheets) {
    const Device d = load_device(repository(), sheet.id);
    seen.insert(sheet.id);
    EXPECT_DOUBLE_EQ(d.memory_size.value, sheet.memory_gb * 1e9) << sheet.id;
    EXPECT_DOUBLE_EQ(d.memory_bandwidth.value, sheet.bandwidth_gbs * 1e9) << sheet.id;
    EXPECT_DOUBLE_EQ(d.sm_count.value, sheet.sms) << sheet.id;
    EXPECT_DOUBLE_EQ(rate_of(d, "fp16"), sheet.tensor_tflops * 1e12) << sheet.id;
    EXPECT_DOUBLE_EQ(d.power_limit.value, sheet.watts) << sheet.id;
  }
  const std::vector<std::string> names = device_names(repository());
  EXPECT_EQ(seen, std::set<std::string>(names.begin(), names.end()));
}

// What one SM or compute unit does in a clock: multiply-adds of float32 outside matrix units (lanes, each counting 2),
// and FLOPs of matrix units of 16 bits.
struct Unit {
  double lanes, matrix;
};
const std::map<std::string, Unit>& units_of_architectures() {
  static const std::map<std::string, Unit> all = {
      {"sm70", {64, 1024}},   {"sm80", {64, 2048}},    {"sm86", {128, 1024}},   {"sm89", {128, 1024}},
      {"sm90", {128, 4096}},  {"sm100", {128, 8192}},  {"sm103", {128, 8192}},  {"sm120", {128, 1024}},
      {"gfx90a", {64, 1024}}, {"gfx942", {128, 2048}}, {"gfx950", {128, 4096}},
  };
  return all;
}

// Cards that do half as much where sums have 32 bits.
const std::set<std::string>& halved() {
  static const std::set<std::string> all = {"l40", "rtx_3090", "rtx_4090", "rtx_5090"};
  return all;
}

TEST(ShippedDevices, RatesAreWhatTheirUnitsDoAtTheirClocks) {
  for (const std::string& name : device_names(repository())) {
    const Device d = load_device(repository(), name);
    ASSERT_EQ(units_of_architectures().count(d.architecture), 1u) << name << " is of " << d.architecture;
    const Unit& unit = units_of_architectures().at(d.architecture);
    // A sheet rounds; B200's is of a variant with a slower clock.
    if (d.vector_rate.known()) {
      const double computed = d.sm_count.value * unit.lanes * 2 * d.boost_clock.value;
      EXPECT_NEAR(d.vector_rate.value / computed, 1, name == "b200_sxm" ? 0.08 : 0.015) << name;
    }
    const double clock = d.tensor_clock.known() ? d.tensor_clock.value : d.boost_clock.value;
    const double computed = d.sm_count.value * unit.matrix * clock;
    EXPECT_NEAR(rate_of(d, "fp16") / computed, halved().count(name) != 0 ? 0.5 : 1, 0.045) << name;
    EXPECT_LE(clock, d.boost_clock.value) << name;
  }
}

TEST(ShippedDevices, RatesOfPrecisionsGoTogether) {
  // int8 that is not twice bf16: GB300 has little of it; GeForce sums it whole; MI250X does as much as of 16 bits.
  const std::set<std::string> other_int8 = {"gb300", "rtx_4090", "rtx_5090", "mi250x_gcd"};
  for (const std::string& name : device_names(repository())) {
    const Device d = load_device(repository(), name);
    const double half = rate_of(d, "fp16");
    const auto expect_ratio = [&](const char* precision, double ratio) {
      if (const double rate = rate_of(d, precision); rate > 0) {
        EXPECT_NEAR(rate / half / ratio, 1, 0.015) << name << " " << precision;
      }
    };
    expect_ratio("bf16", 1);
    expect_ratio("tf32", 0.5);
    expect_ratio("fp8", 2);
    if (other_int8.count(name) == 0) expect_ratio("int8", 2);
    const bool volta = d.architecture == "sm70";
    EXPECT_EQ(rate_of(d, "bf16") == 0, volta) << name;  // matrix units have bfloat16 from Ampere on
    const bool has_fp8 = d.architecture >= "sm89" || d.architecture == "sm100" || d.architecture == "sm103" ||
                         d.architecture == "sm120" || d.architecture == "gfx942" || d.architecture == "gfx950";
    if (d.architecture != "gfx90a") {
      EXPECT_EQ(rate_of(d, "fp8") > 0, has_fp8) << name;
    }
    for (const TensorRate& rate : d.tensor_rates) {
      EXPECT_EQ(rate.accumulate, rate.precision == "int8" ? "int32" : "fp32") << name << " " << rate.precision;
    }
  }
}

TEST(ShippedDevices, EveryFigureHasASourceOfItsFile) {
  for (const std::string& name : device_names(repository())) {
    const Device d = load_device(repository(), name);
    std::set<std::string> used;
    for (const DeviceField& field : device_fields()) {
      const Quantity& quantity = d.*field.member;
      EXPECT_EQ(quantity.known(), !quantity.source.empty()) << name << " " << field.key;
      if (quantity.known()) used.insert(d.source(quantity.source).key);
    }
    for (const TensorRate& rate : d.tensor_rates) used.insert(d.source(rate.rate.source).key);
    if (d.power) {
      for (const Quantity* quantity : {&d.power->idle, &d.power->memory, &d.power->tensor, &d.power->attention,
                                       &d.power->sustained, &d.power->burst}) {
        used.insert(d.source(quantity->source).key);
      }
    }
    for (const Source& source : d.sources)
      EXPECT_EQ(used.count(source.key), 1u) << name << ": " << source.key << " is unused";
    // What was measured is no specification.
    if (d.memory_fraction.known()) {
      EXPECT_NE(d.source(d.memory_fraction.source).kind, "specification") << name;
    }
  }
}

// Links of one direction: no card's is above its NVLink generation's, PCIe 3 has 16, 4 has 31.5, 5 has 63 GB/s.
TEST(ShippedDevices, LinksAreOfOneDirection) {
  for (const std::string& name : device_names(repository())) {
    const Device d = load_device(repository(), name);
    EXPECT_LE(d.link_bandwidth.value, 900e9) << name;
    if (d.pcie_bandwidth.known()) {
      EXPECT_THAT(d.pcie_bandwidth.value / 1e9, testing::AnyOf(16, 31, 31.5, 63, 64)) << name;
    }
  }
  EXPECT_DOUBLE_EQ(load_device(repository(), "h100_sxm").link_bandwidth.value, 450e9);
  EXPECT_DOUBLE_EQ(load_device(repository(), "a100_sxm").link_bandwidth.value, 300e9);
  EXPECT_DOUBLE_EQ(load_device(repository(), "b200_sxm").link_bandwidth.value, 900e9);
}

}  // namespace
}  // namespace modelmeter
