// Memory that a kernel asks for while it runs, beside its operands.
//
// Known for convolutions only. cuDNN runs a channels-first convolution on tensor cores channels-last: it copies input
// and weight into a workspace, and where its kernel does not write channels-first also the output (hardware/stack.cc
// has the measurements); where there is no room for that, PyTorch takes a kernel that needs none. Which kernel runs is
// cuDNN's choice, by device and version; without TF32 there may be no copy. Not modelled: what some of its kernels take
// beside the copies (up to 8 MiB), attention's running sums.
#pragma once

#include <cstdint>

#include "hardware/stack.h"
#include "trace/trace.h"

namespace modelmeter {

// In bytes; 0 for kernels that have none.
int64_t workspace_bytes(const Trace& trace, const Op& op, const Stack& stack);

}  // namespace modelmeter
