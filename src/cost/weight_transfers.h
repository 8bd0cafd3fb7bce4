// What offloading moves over the bus: weights that come while a model runs and go again are ops of the trace
// (layer/offload.h); those that move between the stages (`.to(device)`, `.cpu()`) are figures of its residences.
#pragma once

#include "base/count.h"
#include "trace/trace.h"

namespace modelmeter {

// Bytes, in the whole run. What loading the models brought to the device is among the first stage's.
struct WeightTransfers {
  Count to_device = 0;
  Count to_host = 0;
};

// Whether an op copies weights that are offloaded.
bool is_weight_transfer(const Trace& trace, const Op& op);

// Of one stage: what came before it began, what left then, and what is copied while it runs.
WeightTransfers weight_transfers(const Trace& trace, const Residence& residence);

}  // namespace modelmeter
