// Rankings: the layers and the categories of a report with the most FLOPs.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace modelmeter {

// The leaves with the most FLOPs, and the categories; ties by id.
std::vector<const ModuleMetricsSnapshot*> top_leaves(const Report& report, size_t most);
std::vector<OperatorMetrics> top_categories(const Report& report, size_t most);

// Both as tables, and as one JSON object.
std::string top_tables(const Report& report, size_t layers, size_t categories);
std::string top_json(const Report& report, size_t layers, size_t categories);

}  // namespace modelmeter
