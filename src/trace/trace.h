// A Trace: what one rank executes, op by op, with scopes, operands and lifetimes. Everything that modelmeter reports is
// derived from it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "trace/arena.h"
#include "trace/kernel.h"
#include "trace/tensor.h"

namespace modelmeter {

// One kernel launch: a kernel with its operands. Inputs first, then outputs, in Trace::operands.
struct Op {
  Kernel kernel;
  uint8_t inputs;
  uint8_t outputs;
  bool in_place;  // its output is its first input
  int32_t scope;
  int32_t operands;   // index of the first one
  int32_t last = -1;  // index in Trace::last_ops of the same op in the last repetition, where the two differ
  // Shape parameters that operands do not show, by kernel (attention: sequences, longest query, longest key).
  std::array<int64_t, 3> params;
  int64_t live;  // bytes of device memory above the start, right after the kernel
};

enum class ScopeKind : uint8_t {
  module,      // a call of a module
  function,    // a part of a module's forward that reports show by itself; PyTorch knows no such scope
  repetition,  // what runs `count` times
};

// Where ops happen. Scope 0 is the root. A parent has a lower index than its children.
struct Scope {
  std::string_view name;   // of the module within its parent ("self_attn.q"), or of the function
  std::string_view klass;  // the module's class, as in PyTorch
  const void* module;      // the layer object that ran, or null
  int64_t index;           // the number that follows the name ("blocks" 1), or -1
  int64_t count;           // how often it runs each time its parent runs (a repetition)
  int64_t calls;           // how often it was entered in the trace
  int64_t live_step;       // bytes by which live memory grows from one repetition to the next
  int64_t own_weights;  // bytes of the parameters and buffers that the module itself declares, without its children's
  int32_t parent;       // -1 for the root
  int32_t first_child;
  int32_t next_sibling;
  ScopeKind kind;
  bool growing = false;  // of its ops whose operands grow, the last repetition is recorded too
};

// A part of the run with memory of its own: a stage of a pipeline, and what is resident while it runs.
struct Residence {
  int32_t scope;
  int64_t given_bytes;    // weights, buffers and inputs on the device
  bool on_device = true;  // false: it runs on the host, and its activations are there
  bool streamed = false;  // weights of a module are on the device only while it runs (Scope::own_weights)
};

// What a growing repetition carries on: its size in the last one.
struct Grown {
  const Storage* first;  // as the recorded repetition finds or leaves it
  int64_t last_bytes;
  int32_t scope;  // the repetition
};

// What runs `count` times is recorded once, as it runs first. Where something grows with the repetition, it grows by
// the same amount each time: of an op whose operands grow, the last repetition is recorded too (`Op::last`), sizes and
// costs of those between lie on the line through the two; live memory of all others grows by `Scope::live_step`.
class Trace {
 public:
  std::vector<Op> ops;
  std::vector<Op> last_ops;
  std::vector<const TensorMeta*> operands;
  std::vector<Scope> scopes;
  std::vector<Grown> grown;
  int64_t given_bytes = 0;            // parameters, buffers and inputs: live before and after
  std::vector<Residence> residences;  // of a run in stages; given_bytes is then not used

  // Inputs, then outputs.
  const TensorMeta& operand(const Op& op, int i) const {
    const int at = op.operands + i;
    return *operands[static_cast<size_t>(at)];
  }
  const TensorMeta& input(const Op& op, int i) const { return operand(op, i); }
  const TensorMeta& output(const Op& op, int i) const { return operand(op, op.inputs + i); }
  // How often the scope runs in one run of the whole: the product of the counts up to the root. Error on overflow.
  int64_t executions(int32_t scope) const;
  bool is_within(int32_t scope, int32_t ancestor) const;  // or the ancestor itself
  // "blocks.1.self_attn.q": the modules only.
  std::string path(int32_t scope) const;

  void clear();

  Arena<TensorMeta> metas;
  Arena<Storage> storages;
};

}  // namespace modelmeter
