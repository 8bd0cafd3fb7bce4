#include "cost/weight_transfers.h"

#include "cost/executions.h"

namespace modelmeter {

bool is_weight_transfer(const Trace& trace, const Op& op) {
  switch (trace.transfer_of(op)) {
    case Transfer::none: return false;
    case Transfer::to_device: return trace.output(op, 0).storage->role == streamed_role;
    case Transfer::to_host: return trace.input(op, 0).storage->role == streamed_role;
  }
  return false;
}

WeightTransfers weight_transfers(const Trace& trace, const Residence& residence) {
  WeightTransfers out;
  out.to_device = Count(residence.loaded_bytes) + Count(residence.arriving_bytes);
  out.to_host = residence.leaving_bytes;
  if (!residence.on_device) return out;
  const std::vector<int64_t> executions = executions_of_scopes(trace);
  for (const Op& op : trace.ops) {
    if (!trace.is_within(op.scope, residence.scope) || !is_weight_transfer(trace, op)) continue;
    const Count bytes = Count(trace.output(op, 0).bytes) * executions[static_cast<size_t>(op.scope)];
    (trace.transfer_of(op) == Transfer::to_device ? out.to_device : out.to_host) += bytes;
  }
  return out;
}

}  // namespace modelmeter
