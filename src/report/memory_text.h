// A memory report for people: tables, chart and the way to what a device shows.
#pragma once

#include <string>

#include "report/memory.h"

namespace modelmeter {

std::string memory_text(const MemoryReport& report);

}  // namespace modelmeter
