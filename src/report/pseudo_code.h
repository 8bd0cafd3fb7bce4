// The forward of a module as the trace has it, in the manner of PyTorch code: calls of its children and its own
// kernels, in order, with the shapes of what they make.
#pragma once

#include <string>
#include <vector>

#include "trace/trace.h"

namespace modelmeter {

// At most `most` lines; a last one says how many are left out. Views do not show: a tensor keeps its name through them.
std::vector<std::string> pseudo_code(const Trace& trace, int32_t scope, size_t most);

}  // namespace modelmeter
