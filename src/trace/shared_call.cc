#include "trace/shared_call.h"

#include "base/error.h"

namespace modelmeter {
namespace {

bool same_operands(const Trace& trace, const Op& a, const Op& b) {
  if (a.inputs != b.inputs || a.outputs != b.outputs) return false;
  const TensorMeta* const* of_a = trace.operands.data() + a.operands;
  const TensorMeta* const* of_b = trace.operands.data() + b.operands;
  for (int i = 0; i < a.inputs + a.outputs; ++i) {
    const TensorMeta& x = *of_a[i];
    const TensorMeta& y = *of_b[i];
    if (!x.same_layout(y) || x.storage->place != y.storage->place) return false;
  }
  return true;
}

}  // namespace

CallRecorder::CallRecorder(Tracer& tracer, const CallKey& key) : tracer_(tracer), key_(key) {
  const Trace& trace = tracer.trace();
  call_.scope = tracer.scope();
  call_.first_op = call_.end_op = static_cast<int32_t>(trace.ops.size());
  call_.first_shared = call_.end_shared = static_cast<int32_t>(trace.shared_calls.size());
  call_.live = tracer.live();
}

void CallRecorder::compare(int32_t like, const Tensor& out) const {
  const Trace& trace = tracer_.trace();
  const RecordedCall& known = trace.calls[static_cast<size_t>(like)];
  const auto n = trace.ops.size() - static_cast<size_t>(call_.first_op);
  bool same = n == static_cast<size_t>(known.end_op - known.first_op);
  for (size_t i = 0; same && i < n; ++i) {
    const Op& a = trace.ops[static_cast<size_t>(known.first_op) + i];
    const Op& b = trace.ops[static_cast<size_t>(call_.first_op) + i];
    same = a.kernel == b.kernel && a.params == b.params && a.live - known.live == b.live - call_.live &&
           (a.last < 0) == (b.last < 0) && same_operands(trace, a, b);
  }
  const TensorMeta& result = tracer_.calls().result(like);
  same = same && out.defined() && result.same_layout(out.meta()) && result.storage->bytes == out.meta().storage->bytes;
  if (!same) throw Error(ErrorCode::internal, "two calls that look alike run different kernels");
}

void CallRecorder::keep(const Tensor& out) {
  if (!out.defined()) return;
  const Trace& trace = tracer_.trace();
  const Storage& storage = *out.meta().storage;
  const bool made_here = storage.place == Place::device && storage.born >= call_.first_op;
  if (!made_here || tracer_.live() - call_.live != storage.bytes || tracer_.replaying()) return;
  call_.end_op = static_cast<int32_t>(trace.ops.size());
  call_.end_shared = static_cast<int32_t>(trace.shared_calls.size());
  tracer_.trace().calls.push_back(call_);
  tracer_.calls().add(key_, out.meta());
}

Tensor share_call(Tracer& tracer, int32_t like) {
  tracer.trace().shared_calls.push_back({like, tracer.scope(), tracer.live()});
  return tracer.allocate_result(tracer.calls().result(like));
}

}  // namespace modelmeter
