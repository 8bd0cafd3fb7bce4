#include "config/key.h"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>

namespace modelmeter::config {

std::optional<double> number_of(const Key& key) {
  switch (key.kind) {
    case KeyKind::boolean: return key.text == "true" ? 1.0 : 0.0;
    case KeyKind::integer:
    case KeyKind::floating: return std::strtod(key.text.c_str(), nullptr);
    case KeyKind::string:
    case KeyKind::null: return std::nullopt;
  }
  return std::nullopt;
}

bool operator==(const Key& a, const Key& b) {
  if (a.kind == b.kind && a.text == b.text) return true;
  if (a.kind == KeyKind::string || b.kind == KeyKind::string) return false;
  const std::optional<double> x = number_of(a), y = number_of(b);
  return x && y && *x == *y;
}

std::string key_below(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

}  // namespace modelmeter::config
