// What offloading moves over the bus: copies of weights, which no op of a forward is, since hooks around the modules
// make them (accelerate) or the pipeline between its stages (`.to(device)`, `.cpu()`).
#pragma once

#include "base/count.h"
#include "trace/trace.h"

namespace modelmeter {

// Bytes, in the whole run. Loading a model from files is not told apart from moving it: the first stage's has both.
struct WeightTransfers {
  Count to_device = 0;
  Count to_host = 0;
};

// Of one stage: what came before it began, what left then, and where its weights are streamed those of each module
// every time that it runs; the copies that are dropped after it are not copied back.
WeightTransfers weight_transfers(const Trace& trace, const Residence& residence);

}  // namespace modelmeter
