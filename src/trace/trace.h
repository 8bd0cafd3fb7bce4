// A Trace: what one rank executes, op by op, with scopes, operands and lifetimes. Everything that modelmeter reports is
// derived from it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "trace/arena.h"
#include "trace/execution.h"
#include "trace/kernel.h"
#include "trace/tensor.h"

namespace modelmeter {

// One kernel launch: a kernel with its operands. Inputs first, then outputs, in Trace::operands.
struct Op {
  Kernel kernel;
  uint8_t inputs;
  uint8_t outputs;
  bool in_place;   // its output is its first input
  bool causal;     // attention: a query sees the keys up to its own place, the last query all of them
  bool tf32;       // a matrix product or convolution of float32 that may compute in TF32
  uint8_t stream;  // Context::stream
  int32_t scope;
  int32_t operands;  // index of the first one
  int32_t last;      // index in Trace::last_ops of the same op in the last repetition, where the two differ; or -1
  // Shape parameters that operands do not show, by kernel. Attention: sequences, longest query, longest key;
  // convolution: conv_params().
  std::array<int64_t, 3> params;
  int64_t live;  // bytes of device memory above the start, right after the kernel
  // Bytes of its operands, an expanded dimension once: of the inputs, each that differs from those before it, and of
  // the outputs.
  int64_t input_bytes, output_bytes;
};

// How a convolution goes over its input, one number for each spatial dimension. Its groups are the channels of the
// input over those of a filter.
struct ConvGeometry {
  Shape stride, padding, dilation;
};
std::array<int64_t, 3> conv_params(const ConvGeometry& geometry);  // Error for numbers past 20 bits

// A kernel as a recording has it: its name ("aten.convolution_backward") and what one execution costs. Its kind is that
// of its Kernel (recorded_conv).
struct RecordedKernel {
  std::string_view name;
  int64_t flops_tensor, flops_vector;
  int64_t read, written;  // bytes
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
  int32_t parent;          // -1 for the root
  int32_t first_child;
  int32_t next_sibling;
  ScopeKind kind;
  bool growing;  // of its ops whose operands grow, the last repetition is recorded too
};

// A part of the run with memory of its own: a stage of a pipeline, and what is resident while it runs.
struct Residence {
  int32_t scope;
  int64_t given_bytes;    // weights, buffers and inputs on the device
  bool on_device = true;  // false: it runs on the host, and its activations are there
  // Weights copied to the device and back to the host before it runs, from and to pageable memory; of the first, also
  // those that loading the models brought there. Copies while it runs are ops (cost/weight_transfers.h).
  int64_t arriving_bytes = 0, leaving_bytes = 0, loaded_bytes = 0;
  bool records_stream = false;  // the host does not wait for kernels before it lets go of the weights that they read
};

// What a growing repetition carries on: its size in the last one.
struct Grown {
  const Storage* first;  // as the recorded repetition finds or leaves it
  int64_t last_bytes;
  int32_t scope;  // the repetition
};

// State that a repetition takes over from the one before it: what one finds is what that one left. Of the repetition
// that is recorded; where it leaves in place what it found, there is none.
struct Carried {
  int32_t scope;  // the repetition
  const Storage *found, *left;
};

// A recorded call of a pure function (trace/shared_call.h), in the order in which they ended.
struct RecordedCall {
  int32_t scope;  // in which it was called
  int32_t first_op, end_op;
  int32_t first_shared, end_shared;  // of Trace::shared_calls
  int64_t live;                      // live memory when it began
};

// A call like a recorded one, not recorded again: it runs the same kernels and leaves the same result.
struct SharedCall {
  int32_t like;   // index in Trace::calls
  int32_t scope;  // in which it was called
  int64_t live;   // live memory when it began
};

// Which memories a copy is between.
enum class Transfer : uint8_t { none, to_device, to_host };

// Of weights that come while a model runs (layer/offload.h): the role of their storages on the device, and of those on
// the host that are pinned, all the time or for each copy anew. Copies that run beside the kernels are on a stream.
inline constexpr char streamed_role[] = "weights", pinned_role[] = "pinned", pinned_anew_role[] = "pinned anew";
inline constexpr uint8_t copy_stream = 1;

// What runs `count` times is recorded once, as it runs first. Where something grows with the repetition, it grows by
// the same amount each time: of an op whose operands grow, the last repetition is recorded too (`Op::last`), sizes and
// costs of those between lie on the line through the two; live memory of all others grows by `Scope::live_step`.
class Trace {
 public:
  Buffer<Op> ops;
  Buffer<Op> last_ops;
  Buffer<const TensorMeta*> operands;
  Buffer<RecordedKernel> recorded;  // of ops whose kernel is_recorded()
  Buffer<Scope> scopes;
  std::vector<Grown> grown;
  std::vector<Carried> carried;
  std::vector<const Storage*> handed_on;  // what iterations of loops leave to what comes after them
  // Only where the Tracer shares calls, for sums: other readers want every kernel where it runs.
  Buffer<RecordedCall> calls;
  Buffer<SharedCall> shared_calls;
  // Where stages leave memory to later ones (recordings): all memory by its number in the model, null where it is not
  // there yet. Live memory is then above the start of the run, not of the stage. Empty elsewhere.
  std::vector<Storage*> of_stages;
  Execution execution = Execution::eager;
  int64_t given_bytes = 0;            // parameters, buffers and inputs: live before and after
  std::vector<Residence> residences;  // of a run in stages; given_bytes is then not used

  // Inputs, then outputs.
  const TensorMeta& operand(const Op& op, int i) const {
    const int at = op.operands + i;
    return *operands[static_cast<size_t>(at)];
  }
  const TensorMeta& input(const Op& op, int i) const { return operand(op, i); }
  const TensorMeta& output(const Op& op, int i) const { return operand(op, op.inputs + i); }
  // Of a recorded kernel, else null.
  const RecordedKernel* recorded_kernel(const Op& op) const {
    return is_recorded(op.kernel) ? &recorded[static_cast<size_t>(op.params[0])] : nullptr;
  }
  // As PyTorch calls it: "aten.addmm".
  std::string kernel_name(const Op& op) const;
  std::string short_kernel_name(const Op& op) const;  // without "aten."
  // Of an op of kind conv.
  ConvGeometry conv_geometry(const Op& op) const;
  // Whether a copy goes over the bus, and which way.
  Transfer transfer_of(const Op& op) const;
  // The kind of its kernel; `transfer` for a copy between host and device.
  OpKind kind_of(const Op& op) const {
    return transfer_of(op) != Transfer::none ? OpKind::transfer : info(op.kernel).kind;
  }
  // How often the scope runs in one run of the whole: the product of the counts up to the root. Error on overflow.
  int64_t executions(int32_t scope) const;
  bool is_within(int32_t scope, int32_t ancestor) const;  // or the ancestor itself
  // "blocks.1.self_attn.q": the modules only.
  std::string path(int32_t scope) const;

  void clear();

  Arena<TensorMeta> metas;
  Arena<Shape> strides;  // of those that are not contiguous
  Arena<Storage> storages;
};

}  // namespace modelmeter
