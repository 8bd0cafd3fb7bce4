// Times of a report for people.
#pragma once

#include <string>

#include "report/report.h"

namespace modelmeter {

// "## Time on h100_sxm": the run and its stages, and the layers that take longest.
std::string timing_section(const Report& report);

// "12.3 s", "45.6 ms", "7.8 us".
std::string seconds_text(double seconds);

}  // namespace modelmeter
