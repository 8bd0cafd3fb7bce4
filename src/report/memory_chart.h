// Live memory over the sequence of ops as lines of text: weights and inputs below, activations above, the stages under
// the axis. An op that repeats is drawn once, at its highest. What is on the device all the time is below the axis, so
// that it shows what changes.
#pragma once

#include <string>

#include "memory/memory_report.h"

namespace modelmeter {

struct ChartSize {
  int width = 100, height = 12;
};

std::string memory_chart(const MemoryReport& report, ChartSize size = {});

}  // namespace modelmeter
