// A text as 16 digits, for golden/*.csv.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "entries.h"

namespace modelmeter {

// FNV-1a, without where the checkout is.
inline std::string fingerprint(std::string text) {
  for (size_t at; (at = text.find(entries::source)) != std::string::npos;) text.erase(at, entries::source.size());
  uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return fmt::format("{:016x}", hash);
}

}  // namespace modelmeter
