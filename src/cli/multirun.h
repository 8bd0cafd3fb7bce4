// analyze --multirun: a job for each combination of what is swept, on all cores, and one table of them.
#pragma once

#include "cli/arguments.h"

namespace modelmeter::cli {

// Asked for by -m, by hydra.mode=MULTIRUN, sweep.store or sweep.shard on the command line, or by the mode of a
// configuration that sweeps stand beside. (Where there are none, Session::asks_for_multirun says it.)
bool is_multirun(const Arguments& arguments);

// 0, or 1 where a job failed, as Hydra has it.
int multirun(const Arguments& arguments);

}  // namespace modelmeter::cli
