// Units of the figures in device, host and stack files: a number is written with its unit, and read in base units (B,
// B/s, FLOP/s, Hz, W, J, s, USD/h). A unit of another kind than the figure needs is an error, so that no GiB stands for
// a GB/s, and no Gbit/s for a GB/s.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace modelmeter {

enum class Dimension {
  number,
  bytes,
  bandwidth,
  flop_rate,
  frequency,
  power,
  energy_per_flop,
  energy_per_byte,
  energy,
  time,
  price
};

std::string_view name_of(Dimension dimension);  // "a bandwidth"

// The factor that makes base units of it, or 0 where it is no unit of this dimension.
double factor_of(std::string_view unit, Dimension dimension);

// The units that are known of a dimension, for messages.
std::vector<std::string> units_of(Dimension dimension);

}  // namespace modelmeter
