// Builds the report of a model: traces it, counts, rolls up.
#pragma once

#include <string>

#include "report/module_tree.h"
#include "report/report.h"
#include "timing/machine.h"

namespace modelmeter {

// report_id is the name of the run's folder. With a machine, it says how long the run takes there.
Report build_report(const AnalyticModel& model, const Evaluation& run, const std::string& report_id,
                    const ModuleTreeOptions& options = {}, const Machine* machine = nullptr);
// Evaluates the model first.
Report build_report(const AnalyticModel& model, const std::string& report_id, const ModuleTreeOptions& options = {});

}  // namespace modelmeter
