// Calls of pure functions that are recorded once and shared by those like them.
//
// A function is pure, here, when the kernels that it runs follow from what it is, the numbers and tensors that it is
// given and the execution context, and when all that it leaves behind is one new tensor. Its arguments stay alive until
// it returns, as those of a module call do.
//
// Only a Tracer that shares calls does so (Tracer::share_calls), for sums and peaks: its trace holds the kernels of
// each call once, and Trace::shared_calls says where others like it ran. A debug build records those as well and
// compares.
#pragma once

#include "trace/calls.h"
#include "trace/tracer.h"

namespace modelmeter {

// One call being recorded; the non-template part of shared_call().
class CallRecorder {
 public:
  CallRecorder(Tracer& tracer, const CallKey& key);
  // Error where this call, like `like`, ran other kernels than it.
  void compare(int32_t like, const Tensor& out) const;
  // Keeps it for others, if it is pure as seen from outside.
  void keep(const Tensor& out);

 private:
  Tracer& tracer_;
  const CallKey& key_;
  RecordedCall call_;
};

// The result of a call like `like`, which is not recorded.
Tensor share_call(Tracer& tracer, int32_t like);

// Runs out = body(), or shares a call of the same function on tensors and numbers like these. `function` is of
// structure_id(), the inputs at most CallKey::most_inputs; some may be undefined.
template <class Body>
Tensor shared_call(Tracer& tracer, int32_t function, std::initializer_list<const Tensor*> inputs, const Shape& numbers,
                   Body body) {
  if (!tracer.shares_calls()) return body();
  CallKey key;
  key.function = function;
  key.context = tracer.context.key();
  key.numbers = numbers;
  key.inputs_used = inputs.size();
  key.elements = 0;
  size_t i = 0;
  for (const Tensor* input : inputs) {
    key.inputs[i++] = input->defined() ? &input->meta() : nullptr;
    if (input->defined()) key.elements += static_cast<uint64_t>(input->numel());
  }
  if (!key.apart()) return body();
  const int32_t like = tracer.calls().find(key);
#ifdef NDEBUG
  if (like >= 0) return share_call(tracer, like);
#endif
  CallRecorder recorder(tracer, key);
  Tensor out = body();
  if (like >= 0) {
    recorder.compare(like, out);
  } else {
    recorder.keep(out);
  }
  return out;
}

}  // namespace modelmeter
