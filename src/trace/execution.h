// How a model's kernels are run: one by one, as eager PyTorch launches them, or otherwise.
//
//   eager     each reads its inputs and writes its outputs: the trace as it was recorded
//   compiled  torch.compile: kernels generated for chains of elementwise work and reductions (trace/fusion.h)
//   ideal     no layer's intermediate results move: what no kernels of any kind can do without (trace/compulsory.h)
//
// The other two are made of an eager trace by one pass over the ops of a stage, after it was recorded; all who read the
// trace follow.
#pragma once

#include <cstddef>
#include <cstdint>

namespace modelmeter {

class Trace;

enum class Execution : uint8_t { eager, compiled, ideal };
inline constexpr Execution execution_modes[] = {Execution::eager, Execution::compiled, Execution::ideal};

constexpr const char* name_of(Execution execution) {
  return execution == Execution::eager ? "eager" : execution == Execution::compiled ? "compiled" : "ideal";
}

// Replaces the ops from `first` on, which eager PyTorch launches, by those of another execution. Ops, live memory and
// the lives of tensors are then of that; scopes and how often they run stay. Error (internal) where calls were shared.
void execute(Trace& trace, size_t first, Execution execution);

}  // namespace modelmeter
