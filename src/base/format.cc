#include "base/format.h"

#include <fmt/format.h>

namespace modelmeter {
namespace {

std::string scaled(Count value, const char* unit) {
  static const char* const prefixes[] = {"", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q"};
  double scaled = static_cast<double>(value);
  int step = 0;
  while (scaled >= 999.9995 && step < 10) {
    scaled /= 1000;
    ++step;
  }
  return step == 0 ? fmt::format("{} {}", to_string(value), unit)
                   : fmt::format("{:.3f} {}{}", scaled, prefixes[step], unit);
}

}  // namespace

std::string grouped(Count value) {
  std::string digits = to_string(value);
  const int first = value < 0 ? 1 : 0;
  for (int at = static_cast<int>(digits.size()) - 3; at > first; at -= 3) digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

std::string flops_text(Count flops) { return scaled(flops, "FLOP"); }
std::string bytes_text(Count bytes) { return scaled(bytes, "B"); }

std::string gibibytes_text(int64_t bytes) {
  const double size = static_cast<double>(bytes < 0 ? -bytes : bytes);
  const double value = static_cast<double>(bytes);
  if (size >= 10485760) return fmt::format("{:.3f} GiB", value / 1073741824);
  if (size >= 1048576) return fmt::format("{:.2f} MiB", value / 1048576);
  return size >= 1024 ? fmt::format("{:.1f} KiB", value / 1024) : fmt::format("{} B", bytes);
}

std::string percent_text(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::string python_repr(double value) {
  std::string out = fmt::format("{}", value);
  if (out == "-nan") return "nan";
  if (out.find_first_of(".en") == std::string::npos) out += ".0";
  return out;
}

}  // namespace modelmeter
