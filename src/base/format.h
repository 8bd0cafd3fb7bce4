// Figures for people: six significant digits with a unit, and integers in groups of three.
#pragma once

#include <cstdint>
#include <string>

#include "base/count.h"

namespace modelmeter {

std::string grouped(Count value);           // "14,288,491,584"
std::string flops_text(Count flops);        // "522.393 TFLOP"; powers of 1000
std::string bytes_text(Count bytes);        // "884.751 GB"; powers of 1000
std::string gibibytes_text(int64_t bytes);  // "69.104 GiB"; MiB, KiB and B below 10 MiB
std::string percent_text(double share);     // "71.8 %"

// repr() of a Python float: 1.0, 0.0001, 1e-05, 1e+16, inf, nan.
std::string python_repr(double value);

}  // namespace modelmeter
