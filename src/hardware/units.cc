#include "hardware/units.h"

namespace modelmeter {
namespace {

struct Unit {
  std::string_view name;
  Dimension dimension;
  double factor;
};

constexpr double kibi = 1024;

constexpr Unit units[] = {
    {"1", Dimension::number, 1},
    {"B", Dimension::bytes, 1},
    {"KiB", Dimension::bytes, kibi},
    {"MiB", Dimension::bytes, kibi* kibi},
    {"GiB", Dimension::bytes, kibi* kibi* kibi},
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

}  // namespace

std::string_view name_of(Dimension dimension) {
  switch (dimension) {
    case Dimension::number: return "a plain number";
    case Dimension::bytes: return "an amount of memory";
    case Dimension::bandwidth: return "a bandwidth";
    case Dimension::flop_rate: return "a rate of operations";
    case Dimension::frequency: return "a frequency";
    case Dimension::power: return "a power";
    case Dimension::energy_per_flop: return "an energy for each operation";
    case Dimension::energy_per_byte: return "an energy for each byte";
    case Dimension::energy: return "an energy";
    case Dimension::time: return "a time";
    case Dimension::price: return "a price";
  }
  return "";
}

double factor_of(std::string_view unit, Dimension dimension) {
  for (const Unit& known : units) {
    if (known.name == unit && known.dimension == dimension) return known.factor;
  }
  return 0;
}

std::vector<std::string> units_of(Dimension dimension) {
  std::vector<std::string> out;
  for (const Unit& known : units) {
    if (known.dimension == dimension) out.emplace_back(known.name);
  }
  return out;
}

}  // namespace modelmeter
