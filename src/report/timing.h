// Times in a report: what runs on a machine takes, of the whole, each stage and each module (timing/run_time.h).
#pragma once

#include "report/module_tree.h"
#include "report/report.h"
#include "timing/run_time.h"

namespace modelmeter {

// What a stage, or all of them, take.
TimeFigures time_figures(const StageTime& stage, const Machine& machine);

// The section `timing`, of one forward of each stage and of the whole run, which have the same stages.
Timing timing_of(const RunTime& forward, const RunTime& run, const Machine& machine);

// Sets the times of the modules; `report` was built of the tree and the run.
void set_module_times(const ModuleTreeNode& tree, const RunTime& run, Report& report);

}  // namespace modelmeter
