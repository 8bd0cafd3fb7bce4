// A trace with its repetitions written out, as a recording of the same run lists it. Of what grows with a repetition,
// sizes and costs lie on the line through the first and the last execution.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "recording/recording.h"
#include "trace/trace.h"

namespace modelmeter {

// Every execution of every op, in order. Error above ten million.
std::vector<RecordedOp> recorded_ops(const Trace& trace);

// How often each module was called, by path.
// In which memory the operands of these ops lie, and what operands do not say. Nothing of a trace that has repetitions:
// one storage stands for many there.
void add_storages(const Trace& trace, Recording& out);

std::map<std::string, int64_t> module_calls(const Trace& trace);

}  // namespace modelmeter
