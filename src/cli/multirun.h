// analyze --multirun: a job for each combination of what is swept, on all cores, and one table of them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "sweep/run_sweep.h"

namespace modelmeter::cli {

// Asked for by -m, by hydra.mode=MULTIRUN, sweep.store or sweep.shard on the command line, or by the mode of a
// configuration that sweeps stand beside. (Where there are none, Session::asks_for_multirun says it.)
bool is_multirun(const Arguments& arguments);

// 0, or 1 where a job failed, as Hydra has it.
int multirun(const Arguments& arguments);

// The same of these words, sweep.store=FILE among them, for a front end that is no command line: nothing is printed,
// and what jobs end in is in the store. `progress` is told the sweep's number there, once it has one, and then as
// SweepRun::progress; what it throws ends the sweep.
using TellProgress = std::function<void(int64_t sweep, const SweepProgress& progress)>;
void sweep_into_store(const std::vector<std::string>& words, const TellProgress& progress);

}  // namespace modelmeter::cli
