// A stage of a recording as a trace: its ops in the scopes of their modules, with their operands and live memory.
//
// An op is one of modelmeter's own kernels where the operands give the recording's FLOPs and bytes by that kernel's own
// rule; else a kernel as it is recorded (RecordedKernel). So the sums of the trace are those of the file, always.
#pragma once

#include "model/recordings/layers.h"
#include "recording/recording.h"
#include "trace/tracer.h"

namespace modelmeter::recordings {

// Records into the tracer's current scope. `after_others`: the stages before are in the same trace, and live memory is
// above the start of the recording; else above that of the stage, where what they left is given. Error naming the op
// whose operands make no sense.
void replay(const Recording& recording, const RecordedStage& stage, const RecordedLayers& layers, bool after_others,
            Tracer& tracer);

}  // namespace modelmeter::recordings
