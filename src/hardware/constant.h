// A figure of hardware or of a library, with its unit and where it is from.
#pragma once

#include <cstdint>

namespace modelmeter {

struct Constant {
  int64_t value = 0;
  const char* unit = "";    // "B"
  const char* source = "";  // as shown beside what it gives
  const char* date = "";    // when it was read or measured: "2026-11"
};

}  // namespace modelmeter
