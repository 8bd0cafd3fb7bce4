// The report as a page for people: Markdown, read as well in a terminal.
#pragma once

#include <string>

#include "report/report.h"

namespace modelmeter {

// summary.md: model, workload, totals, the ten leaf layers and the five categories with the most FLOPs, notes.
std::string summary_markdown(const Report& report);

}  // namespace modelmeter
