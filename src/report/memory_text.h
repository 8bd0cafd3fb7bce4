// A memory report for people: tables, chart and the way to what a device shows.
#pragma once

#include <string>

#include "memory/memory_report.h"

namespace modelmeter {

// The chart is as wide as fits in so many columns, 100 at most; 0: 100.
std::string memory_text(const MemoryReport& report, int width = 0);

}  // namespace modelmeter
