#include "cost/weight_transfers.h"

#include "cost/executions.h"

namespace modelmeter {

WeightTransfers weight_transfers(const Trace& trace, const Residence& residence) {
  WeightTransfers out;
  out.to_device = residence.arriving_bytes;
  out.to_host = residence.leaving_bytes;
  if (!residence.streamed || !residence.on_device) return out;
  expect_every_kernel(trace);
  const std::vector<int64_t> executions = executions_of_scopes(trace);
  for (size_t i = 0; i < trace.scopes.size(); ++i) {
    const Scope& scope = trace.scopes[i];
    if (scope.own_weights == 0 || !trace.is_within(static_cast<int32_t>(i), residence.scope)) continue;
    out.to_device += Count(scope.own_weights) * scope.calls * executions[i];
  }
  return out;
}

}  // namespace modelmeter
