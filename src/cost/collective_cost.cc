#include "cost/collective_cost.h"

#include <algorithm>

#include "base/checked.h"
#include "base/dtype.h"
#include "cost/executions.h"

namespace modelmeter {
namespace {

constexpr const char* what_is_sent = "the number of bytes sent";

// By sizes: what no kernel has to move in device memory (trace/compulsory.h) goes over the links.
int64_t bytes_of(const Launch& op, int first, int count, int without = -1) {
  int64_t bytes = 0;
  for (int i = 0; i < count; ++i) {
    if (i == without) continue;
    const TensorMeta& t = *op.operands[first + i];
    bytes = checked_add(bytes, checked_mul(t.numel, size_of(t.dtype), what_is_sent), what_is_sent);
  }
  return bytes;
}

// Of a tensor in N equal parts all but one; of unknown N all.
int64_t but_one_part(int64_t bytes, int64_t ranks) { return ranks > 0 ? bytes - bytes / ranks : bytes; }

}  // namespace

LinkBytes link_bytes(const Launch& op) {
  const ProcessGroup group = group_of(op.params);
  const int64_t in = bytes_of(op, 0, op.inputs), out = bytes_of(op, op.inputs, op.outputs);
  switch (op.kernel) {
    case Kernel::alltoall_:
      return {bytes_of(op, 0, op.inputs, group.rank), bytes_of(op, op.inputs, op.outputs, group.rank)};
    case Kernel::alltoall_base_: return {but_one_part(in, group.size), but_one_part(out, group.size)};
    case Kernel::allgather_: {
      const int64_t others = bytes_of(op, op.inputs, op.outputs, group.rank);
      return {others, others};
    }
    case Kernel::allgather_base_: return {std::max<int64_t>(out - in, 0), std::max<int64_t>(out - in, 0)};
    case Kernel::reduce_scatter_base_: return {std::max<int64_t>(in - out, 0), std::max<int64_t>(in - out, 0)};
    case Kernel::allreduce_: {
      const int64_t twice = checked_mul(2, but_one_part(in, group.size), what_is_sent);
      return {twice, twice};
    }
    default: return {in, out};  // broadcast, send and recv; a recording's own
  }
}

size_t index_of(const std::vector<Communication>& all, const Trace& trace, const Op& op) {
  const ProcessGroup group = group_of(op);
  const std::string name = trace.kernel_name(op);
  const auto found = std::find_if(all.begin(), all.end(), [&](const Communication& c) {
    return c.name == name && c.group.axis == group.axis && c.group.size == group.size;
  });
  return static_cast<size_t>(found - all.begin());
}

std::vector<Communication> communication_of(const Trace& trace) {
  std::vector<Communication> out;
  for_each_execution(trace, [&](const Executions& e) {
    if (info(e.op.kernel).kind != OpKind::collective) return;
    const size_t at = index_of(out, trace, e.op);
    if (at == out.size()) out.push_back({trace.kernel_name(e.op), group_of(e.op)});
    Communication& found = out[at];
    found.calls += e.times;
    found.sent += e.sum([&](const Op& op) { return link_bytes(launch_of(trace, op)).sent; });
    found.received += e.sum([&](const Op& op) { return link_bytes(launch_of(trace, op)).received; });
  });
  return out;
}

}  // namespace modelmeter
