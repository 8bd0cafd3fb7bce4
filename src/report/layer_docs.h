// Layer pages: for each module of a report what it is, its forward, the formulas of its kernels with this workload's
// numbers put in, and what they come to; with a machine also each kernel's time and the parts of it. All of it is read
// off the trace that the report is made of.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "report/module_tree.h"
#include "report/report.h"
#include "timing/machine.h"

namespace modelmeter {

// (file name, Markdown): summary.md, and a page for each module id with its slashes as underscores. The report must be
// of this model and these options.
std::vector<std::pair<std::string, std::string>> layer_docs(const AnalyticModel& model, const Evaluation& run,
                                                            const Report& report, const ModuleTreeOptions& options,
                                                            const Machine* machine = nullptr);

// The name of a module's page: "vision_vit_model.md".
std::string layer_page_name(const std::string& module_id);

}  // namespace modelmeter
