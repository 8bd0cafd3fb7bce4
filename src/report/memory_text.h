// A memory report for people: tables, chart and the way to what a device shows.
#pragma once

#include <string>

#include "memory/memory_report.h"

namespace modelmeter {

std::string memory_text(const MemoryReport& report);

}  // namespace modelmeter
