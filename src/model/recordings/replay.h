// A recording as a trace: its ops in the scopes of their modules, with their operands and live memory.
//
// An op is one of modelmeter's own kernels where the operands give the recording's FLOPs and bytes by that kernel's own
// rule; else a kernel as it is recorded (RecordedKernel). So the sums of the trace are those of the file, always.
#pragma once

#include <memory>
#include <vector>

#include "model/recordings/layers.h"
#include "recording/recording.h"
#include "trace/tracer.h"

namespace modelmeter::recordings {

// Records into the tracer's current scope. `layers`: of each stage, or one of all. Error naming the op whose operands
// make no sense.
void replay(const Recording& recording, const std::vector<std::unique_ptr<RecordedLayers>>& layers, Tracer& tracer);

}  // namespace modelmeter::recordings
