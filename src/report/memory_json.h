// A memory report as one JSON object; every figure an integer in bytes. docs/memory.md says what the fields are.
#pragma once

#include <string>

#include "memory/memory_report.h"

namespace modelmeter {

std::string memory_json(const MemoryReport& report);

}  // namespace modelmeter
