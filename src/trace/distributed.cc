#include "trace/distributed.h"

#include <array>

#include "trace/tracer.h"

namespace modelmeter {
namespace {

constexpr int rank_bits = 32;

// Op::params: size, stride, and the axis with the rank above it.
std::array<int64_t, 3> params_of(const ProcessGroup& group) {
  return {group.size, group.stride, int64_t{group.rank} << rank_bits | static_cast<int64_t>(group.axis)};
}

}  // namespace

std::string_view name_of(GroupAxis axis) {
  switch (axis) {
    case GroupAxis::world: return "world";
    case GroupAxis::data: return "data";
    case GroupAxis::cfg: return "cfg";
    case GroupAxis::ulysses: return "ulysses";
    case GroupAxis::ring: return "ring";
    case GroupAxis::tensor: return "tensor";
  }
  return "";
}

ProcessGroup group_of(const int64_t* params) {
  constexpr int64_t axis_mask = (int64_t{1} << rank_bits) - 1;
  ProcessGroup out;
  out.size = static_cast<int32_t>(params[0]);
  out.stride = static_cast<int32_t>(params[1]);
  out.axis = static_cast<GroupAxis>(params[2] & axis_mask);
  out.rank = static_cast<int32_t>(params[2] >> rank_bits);
  return out;
}

namespace torch::distributed {
namespace {

void record(Kernel kernel, const TensorList& inputs, const TensorList& outputs, const ProcessGroup& group) {
  Tracer& tracer = (inputs.empty() ? outputs : inputs).front().tracer();
  tracer.record_collective(kernel, inputs, outputs, params_of(group));
}

}  // namespace

void all_to_all(TensorList outputs, TensorList inputs, const ProcessGroup& group) {
  record(Kernel::alltoall_, inputs, outputs, group);
  inputs.clear();
  outputs.clear();
}

void all_to_all_single(Tensor output, Tensor input, const ProcessGroup& group) {
  record(Kernel::alltoall_base_, {std::move(input)}, {std::move(output)}, group);
}

void all_gather(TensorList outputs, Tensor input, const ProcessGroup& group) {
  record(Kernel::allgather_, {std::move(input)}, outputs, group);
  outputs.clear();
}

void all_gather_into_tensor(Tensor output, Tensor input, const ProcessGroup& group) {
  record(Kernel::allgather_base_, {std::move(input)}, {std::move(output)}, group);
}

void reduce_scatter_tensor(Tensor output, Tensor input, const ProcessGroup& group) {
  record(Kernel::reduce_scatter_base_, {std::move(input)}, {std::move(output)}, group);
}

void all_reduce(Tensor x, const ProcessGroup& group) { record(Kernel::allreduce_, {x}, {x}, group); }

void broadcast(Tensor x, int32_t source, const ProcessGroup& group) {
  if (group.rank == source) {
    record(Kernel::broadcast_, {std::move(x)}, {}, group);
  } else {
    record(Kernel::broadcast_, {}, {std::move(x)}, group);
  }
}

void send(Tensor x, const ProcessGroup& group) { record(Kernel::send, {std::move(x)}, {}, group); }

void recv(Tensor x, const ProcessGroup& group) { record(Kernel::recv_, {}, {std::move(x)}, group); }

}  // namespace torch::distributed
}  // namespace modelmeter
