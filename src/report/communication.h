// What a rank sends and receives, in a report: the collectives of its run by kind and group.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"
#include "timing/run_time.h"

namespace modelmeter {

// Of a traced run; seconds of `time`, that of the run, where it is given.
std::vector<CommunicationFigures> communication_figures(const Trace& trace, const RunTime* time);

// The section of the summary, of a report that has any.
std::string communication_section(const Report& report);

}  // namespace modelmeter
