#include "base/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace modelmeter {
std::string grouped(Count value) {
  std::string digits = to_string(value);
  const int first = value < 0 ? 1 : 0;
  for (int at = static_cast<int>(digits.size()) - 3; at > first; at -= 3) digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

Scale decimal_scale(Count largest, const char* unit) {
  static const char* const prefixes[] = {"", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q"};
  const double value = static_cast<double>(largest);
  Scale out;
  int step = 0;
  while (value / out.divisor >= 999.9995 && step < 10) {
    out.divisor *= 1000;
    ++step;
  }
  out.unit = fmt::format("{}{}", prefixes[step], unit);
  return out;
}

Scale binary_scale(Count largest) {
  static const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  const double value = static_cast<double>(largest);
  Scale out;
  int step = 0;
  while (value / out.divisor >= 1023.9995 && step < 4) {
    out.divisor *= 1024;
    ++step;
  }
  out.unit = units[step];
  return out;
}

std::string Scale::number(Count value) const {
  if (divisor == 1 || value == 0) return grouped(value);
  const double scaled = static_cast<double>(value) / divisor, size = std::fabs(scaled);
  if (size >= 0.09995) return fmt::format("{:.3f}", scaled);
  if (size < 0.0000005) return value < 0 ? ">-0.000001" : "<0.000001";
  const int leading = -static_cast<int>(std::floor(std::log10(size)));  // 2 of 0.05
  return fmt::format("{:.{}f}", scaled, std::min(leading + 3, 6));
}

std::string Scale::text(Count value) const {
  return unit.empty() ? number(value) : fmt::format("{} {}", number(value), unit);
}

std::string percent_text(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::string python_repr(double value) {
  std::string out = fmt::format("{}", value);
  if (out == "-nan") return "nan";
  if (out.find_first_of(".en") == std::string::npos) out += ".0";
  return out;
}

}  // namespace modelmeter
