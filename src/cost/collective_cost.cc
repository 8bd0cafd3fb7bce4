#include "cost/collective_cost.h"

#include <algorithm>

#include "base/checked.h"
#include "cost/executions.h"

namespace modelmeter {
namespace {

int64_t bytes_of(const Launch& op, int first, int count, int without = -1) {
  int64_t bytes = 0;
  for (int i = 0; i < count; ++i) {
    if (i != without) bytes = checked_add(bytes, op.operands[first + i]->bytes, "the number of bytes sent");
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
      const int64_t twice = checked_mul(2, but_one_part(in, group.size), "the number of bytes sent");
      return {twice, twice};
    }
    default: return {in, out};  // broadcast, send and recv; a recording's own
  }
}

std::vector<Communication> communication_of(const Trace& trace) {
  std::vector<Communication> out;
  for_each_execution(trace, [&](const Executions& e) {
    if (info(e.op.kernel).kind != OpKind::collective) return;
    const ProcessGroup group = group_of(e.op.params.data());
    const auto alike = [&](const Communication& c) {
      return c.kernel == e.op.kernel && c.group.axis == group.axis && c.group.size == group.size;
    };
    auto found = std::find_if(out.begin(), out.end(), alike);
    if (found == out.end()) found = out.insert(out.end(), {e.op.kernel, group});
    found->calls += e.times;
    found->sent += e.sum([&](const Op& op) { return link_bytes(launch_of(trace, op)).sent; });
    found->received += e.sum([&](const Op& op) { return link_bytes(launch_of(trace, op)).received; });
  });
  return out;
}

}  // namespace modelmeter
