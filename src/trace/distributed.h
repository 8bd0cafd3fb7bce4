// torch.distributed's collectives on abstract tensors, by its names and with its arguments: those that receive are
// there before the call and live on after it. A trace is that of one rank; each of these is a kernel of kind collective
// on it, whose inputs are what the rank sends and whose outputs what it receives (cost/collective_cost.h: what of it
// goes over links).
//
// A group is the ranks of a plan that differ in one of its axes only: `size` of them, `stride` apart in the numbering
// of all ranks, which decides which links they use. Not here: what several calls at once (batch_isend_irecv,
// coalescing) save.
#pragma once

#include <cstdint>
#include <string_view>

#include "trace/tensor.h"

namespace modelmeter {

enum class GroupAxis : uint8_t {
  world,    // all ranks
  data,     // batches
  cfg,      // branches of classifier-free guidance
  ulysses,  // heads exchanged for tokens
  ring,     // keys and values passed round
  tensor,   // cut weights
};
std::string_view name_of(GroupAxis axis);

struct ProcessGroup {
  GroupAxis axis = GroupAxis::world;
  int32_t size = 1;
  int32_t rank = 0;    // this one's number within it
  int32_t stride = 1;  // from one of its ranks to the next, among all
};

// The stream of collectives that run beside the kernels (Op::stream).
inline constexpr uint8_t collective_stream = 2;

// Of an op of kind collective, by its params. A recording does not say the group: of `size` 0 there.
ProcessGroup group_of(const int64_t* params);

namespace torch::distributed {

// Each rank gets the part of every other that has its number: inputs and outputs are as many as the group has ranks.
void all_to_all(TensorList outputs, TensorList inputs, const ProcessGroup& group);
void all_to_all_single(Tensor output, Tensor input, const ProcessGroup& group);
// Every rank gets all parts: one output for each, or one of them in a row.
void all_gather(TensorList outputs, Tensor input, const ProcessGroup& group);
void all_gather_into_tensor(Tensor output, Tensor input, const ProcessGroup& group);
// The sum of the ranks' tensors: this rank's part of it, or all of it in place.
void reduce_scatter_tensor(Tensor output, Tensor input, const ProcessGroup& group);
void all_reduce(Tensor x, const ProcessGroup& group);
// One rank's tensor to all: it is what `source` sends and what the others receive.
void broadcast(Tensor x, int32_t source, const ProcessGroup& group);
// From rank to rank.
void send(Tensor x, const ProcessGroup& group);
void recv(Tensor x, const ProcessGroup& group);

}  // namespace torch::distributed
}  // namespace modelmeter
