// Figures for people: six significant digits with a unit, integers in groups of three, and columns in one unit.
#pragma once

#include <cstdint>
#include <string>

#include "base/count.h"

namespace modelmeter {

std::string grouped(Count value);        // "14,288,491,584"
std::string percent_text(double share);  // "71.8 %"

// A unit for several figures that stand together: that of the largest.
struct Scale {
  double divisor = 1;
  std::string unit;  // "PFLOP"; "" for none

  // "652.344": three decimals, of what is below 0.1 four digits, six decimals at most; "0" is exact, "<0.000001" is
  // not 0. Integers where the divisor is 1.
  std::string number(Count value) const;
  std::string text(Count value) const;  // with the unit
};
Scale decimal_scale(Count largest, const char* unit);  // powers of 1000: "PFLOP", "TB"
Scale binary_scale(Count largest);                     // powers of 1024: "GiB"

// repr() of a Python float: 1.0, 0.0001, 1e-05, 1e+16, inf, nan.
std::string python_repr(double value);

}  // namespace modelmeter
