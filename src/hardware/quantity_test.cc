// Units and figures: what each unit is in base units, and what a file may not say.
#include "hardware/quantity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/yaml.h"
#include "hardware/catalog.h"
#include "hardware/host.h"

namespace modelmeter {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr Dimension dimensions[] = {Dimension::number,
                                    Dimension::bytes,
                                    Dimension::bandwidth,
                                    Dimension::flop_rate,
                                    Dimension::frequency,
                                    Dimension::power,
                                    Dimension::energy_per_flop,
                                    Dimension::energy_per_byte,
                                    Dimension::energy,
                                    Dimension::time,
                                    Dimension::price};

TEST(Units, AreOfOneDimensionEach) {
  struct Unit {
    const char* name;
    Dimension dimension;
    double factor;
  };
  const Unit units[] = {
      {"1", Dimension::number, 1},
      {"B", Dimension::bytes, 1},
      {"KiB", Dimension::bytes, 1024},
      {"MiB", Dimension::bytes, 1048576},
      {"GiB", Dimension::bytes, 1073741824},
      {"MB", Dimension::bytes, 1e6},
      {"GB", Dimension::bytes, 1e9},
      {"GB/s", Dimension::bandwidth, 1e9},
      {"TB/s", Dimension::bandwidth, 1e12},
      {"TFLOP/s", Dimension::flop_rate, 1e12},
      {"TOP/s", Dimension::flop_rate, 1e12},
      {"MHz", Dimension::frequency, 1e6},
      {"GHz", Dimension::frequency, 1e9},
      {"W", Dimension::power, 1},
      {"pJ/FLOP", Dimension::energy_per_flop, 1e-12},
      {"pJ/B", Dimension::energy_per_byte, 1e-12},
      {"J", Dimension::energy, 1},
      {"us", Dimension::time, 1e-6},
      {"ns", Dimension::time, 1e-9},
      {"USD/h", Dimension::price, 1},
  };
  size_t listed = 0;
  for (const Dimension dimension : dimensions) {
    listed += units_of(dimension).size();
    EXPECT_FALSE(name_of(dimension).empty());
    for (const Unit& unit : units) {
      EXPECT_DOUBLE_EQ(factor_of(unit.name, dimension), unit.dimension == dimension ? unit.factor : 0)
          << unit.name << " as " << name_of(dimension);
    }
    for (const char* unit : {"", "gb", "Gb/s", "GiB/s", "TFLOPS", "kW", "s", "%"}) {
      EXPECT_EQ(factor_of(unit, dimension), 0) << unit;
    }
  }
  EXPECT_EQ(listed, std::size(units));
}

constexpr const char* sources =
    "sources:\n"
    "  sheet: {title: a sheet, date: 2026-11, kind: specification}\n"
    "  run: {title: a run, date: 2026-11-05, kind: measured}\n";

std::string error_of(const std::string& text, Dimension dimension) {
  try {
    const config::Node node = config::parse_yaml(sources + text, "mine.yaml");
    const config::View view(node);
    read_quantity(view, "x", dimension, read_sources(view));
    return "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 1);
    return error.what();
  }
}

TEST(Quantity, IsReadInBaseUnitsWithItsSource) {
  const config::Node node = config::parse_yaml(std::string(sources) + "x: {value: 2.5, unit: GHz, source: run}\n", "f");
  const config::View view(node);
  const Quantity x = read_quantity(view, "x", Dimension::frequency, read_sources(view));
  EXPECT_DOUBLE_EQ(x.value, 2.5e9);
  EXPECT_EQ(x.source, "run");
  EXPECT_TRUE(x.known());
  EXPECT_FALSE(read_optional_quantity(view, "y", Dimension::frequency, read_sources(view)).known());
  const std::vector<Source> read = read_sources(view);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[1].key, "run");
  EXPECT_EQ(read[1].title, "a run");
  EXPECT_EQ(read[1].date, "2026-11-05");
  EXPECT_EQ(read[1].kind, "measured");
}

TEST(Quantity, RefusesWhatIsNoFigure) {
  struct Case {
    const char *text, *error;
    Dimension dimension = Dimension::bytes;
  };
  const Case cases[] = {
      {"x: {value: 1, unit: GB, source: sheet}\n", "no error"},
      {"x: {value: 1, unit: GB}\n", "x.source: missing"},
      {"x: {value: 1, source: sheet}\n", "x.unit: missing"},
      {"x: {unit: GB, source: sheet}\n", "x.value: missing"},
      {"x: {value: 0, unit: GB, source: sheet}\n", "x.value: expected a number above 0, got 0"},
      {"x: {value: -1, unit: GB, source: sheet}\n", "x.value: expected a number above 0, got -1"},
      {"x: {value: .inf, unit: GB, source: sheet}\n", "x.value: expected a finite number"},
      {"x: {value: '1', unit: GB, source: sheet}\n", "x.value: expected a number, got '1'"},
      {"x: {value: 1, unit: GB, source: run, note: y}\n", "x.note: unknown key"},
      {"x: {value: 1, unit: GB/s, source: sheet}\n", "'GB/s' is no unit of an amount of memory"},
      {"x: {value: 1, unit: GB, source: sheet}\n", "'GB' is no unit of a bandwidth", Dimension::bandwidth},
      {"x: {value: 1, unit: MHz, source: sheet}\n", "'MHz' is no unit of a plain number", Dimension::number},
      {"x: {value: 1, source: sheet}\n", "no error", Dimension::number},
      {"x: {value: 1, unit: GB, source: shet}\n", "no source 'shet' in this file"},
      {"x: 1\n", "x: expected a map, got 1"},
      {"", "x: missing"},
  };
  for (const Case& c : cases) EXPECT_THAT(error_of(c.text, c.dimension), HasSubstr(c.error)) << c.text;
  EXPECT_THAT(error_of("x: {value: 1, unit: TB, source: sheet}\n", Dimension::bandwidth),
              AllOf(HasSubstr("units: GB/s, TB/s"), HasSubstr("mine.yaml:4")));
}

TEST(Sources, HaveATitleADateAndAKind) {
  const auto error = [](const std::string& text) -> std::string {
    try {
      const config::Node node = config::parse_yaml(text, "mine.yaml");
      read_sources(config::View(node));
      return "no error";
    } catch (const Error& e) {
      return e.what();
    }
  };
  const auto with = [&](const std::string& source) { return error("sources:\n  a: {" + source + "}\n"); };
  for (const char* date : {"2026", "2026-11", "2026-11-05"}) {
    EXPECT_EQ(with("title: t, kind: fitted, date: " + std::string(date)), "no error") << date;
  }
  for (const char* date :
       {"26", "2026-1", "2026/11", "2026-11-5", "11-2026", "2026_11", "20261105", "x", "2026-11:05"}) {
    EXPECT_THAT(with("title: t, kind: fitted, date: '" + std::string(date) + "'"), HasSubstr("expected a date"))
        << date;
  }
  EXPECT_THAT(with("title: t, kind: fitted"), HasSubstr("a.date: missing"));
  EXPECT_THAT(with("date: 2026, kind: fitted"), HasSubstr("a.title: missing"));
  EXPECT_THAT(with("title: '', date: 2026, kind: fitted"), HasSubstr("expected a title"));
  EXPECT_THAT(with("title: t, date: 2026, kind: measurd"),
              AllOf(HasSubstr("unknown value 'measurd'"), HasSubstr("did you mean 'measured'?")));
  EXPECT_THAT(with("title: t, date: 2026, kind: fitted, url: x"), HasSubstr("a.url: unknown key"));
  EXPECT_THAT(error("x: 1\n"), HasSubstr("sources: missing"));
}

constexpr const char* host =
    "name: a host\n"
    "sources:\n"
    "  run: {title: a run, date: 2026-11, kind: measured}\n"
    "source: run\n"
    "elementwise_us: 1\n"
    "matmul_us: 2\n"
    "norm_us: 3\n"
    "attention_us: 4\n"
    "convolution_us: 5\n"
    "python_us: 0\n"
    "spread: 0.25\n"
    "copies_source: run\n"
    "pinned_share: 0.5\n"
    "pageable_to_device_gb_s: 6\n"
    "pageable_to_host_gb_s: 7\n";

Host host_of(const std::string& text) {
  const config::Node node = config::parse_yaml(text, "host.yaml");
  return read_host(config::View(node), "mine");
}

TEST(Host, HasATimeForEachKindOfCall) {
  const Host h = host_of(host);
  EXPECT_EQ(h.id, "mine");
  EXPECT_EQ(h.name, "a host");
  EXPECT_DOUBLE_EQ(h.elementwise, 1e-6);
  EXPECT_DOUBLE_EQ(h.matmul, 2e-6);
  EXPECT_DOUBLE_EQ(h.norm, 3e-6);
  EXPECT_DOUBLE_EQ(h.attention, 4e-6);
  EXPECT_DOUBLE_EQ(h.convolution, 5e-6);
  EXPECT_DOUBLE_EQ(h.python, 0);
  EXPECT_DOUBLE_EQ(h.spread, 0.25);
  EXPECT_DOUBLE_EQ(h.pinned_share, 0.5);
  EXPECT_DOUBLE_EQ(h.pageable_to_device, 6e9);
  EXPECT_DOUBLE_EQ(h.pageable_to_host, 7e9);
}

TEST(Host, EveryKeyIsNeeded) {
  const std::string text = host;
  for (const char* key :
       {"name", "sources", "elementwise_us", "matmul_us", "norm_us", "attention_us", "convolution_us", "python_us",
        "spread", "copies_source", "pinned_share", "pageable_to_device_gb_s", "pageable_to_host_gb_s"}) {
    std::string without = text;
    const size_t at = without.find(std::string(key) + ":");
    without.replace(at, std::string(key).size(), "_target_");  // a key that every node may have
    try {
      host_of(without);
      ADD_FAILURE() << key << " may be left out";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(std::string(key) + ": missing")) << key;
    }
  }
  for (const char* wrong : {"spread: -1", "spread: x", "spred: 0.25"}) {
    std::string other = text;
    other.replace(other.find("spread: 0.25"), std::string("spread: 0.25").size(), wrong);
    EXPECT_THROW(host_of(other), Error) << wrong;
  }
}

TEST(Host, PinnedMemoryIsNoFasterThanTheLink) {
  std::string text = host;
  const size_t at = text.find("pinned_share: 0.5");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 17, "pinned_share: 1.5");
  try {
    host_of(text);
    ADD_FAILURE() << "a share of 1.5 is read";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("pinned_share: expected a share of 1"));
  }
}

TEST(Host, ShippedOnesAreThere) {
  const config::Repository repository(MODELMETER_SOURCE_DIR "/configs");
  const Host cloud = load_host(repository, "virtual_16_cores"), desktop = load_host(repository, "fast");
  const Host graph = load_host(repository, "cuda_graph");
  EXPECT_DOUBLE_EQ(cloud.matmul, 18.6e-6);
  EXPECT_DOUBLE_EQ(cloud.spread, 0.25);
  for (double Host::* call :
       {&Host::elementwise, &Host::matmul, &Host::norm, &Host::attention, &Host::convolution, &Host::python}) {
    EXPECT_EQ(graph.*call, 0);
    EXPECT_NEAR(desktop.*call / (cloud.*call), 0.5, 0.005);  // half of what a virtual core needs
  }
  try {
    load_host(repository, "cuda_grph");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("unknown host 'cuda_grph'"), HasSubstr("did you mean 'cuda_graph'?")));
  }
}

}  // namespace
}  // namespace modelmeter
