#include "trace/tracer.h"

#include <algorithm>

#include "base/error.h"

namespace modelmeter {
namespace {

enum class Growth { none, linear, uneven };

// How an op's operands grow over `steps` repetitions. Linear: along at most one dimension of each operand, and in at
// most one parameter, by the same amount each time; FLOPs and bytes are then linear too.
Growth growth_between(const Trace& trace, const Op& first, const Op& last, int64_t steps) {
  Growth out = Growth::none;
  if (first.inputs != last.inputs || first.outputs != last.outputs) return Growth::uneven;
  const auto grows = [&](int64_t from, int64_t to, int& growing) {
    if (from == to) return true;
    out = Growth::linear;
    return ++growing == 1 && (to - from) % steps == 0;
  };
  for (int i = 0; i < first.inputs + first.outputs; ++i) {
    const TensorMeta& a = trace.operand(first, i);
    const TensorMeta& b = trace.operand(last, i);
    if (a.dtype != b.dtype || a.sizes.rank() != b.sizes.rank()) return Growth::uneven;
    int dims = 0;
    for (int d = 0; d < a.sizes.rank(); ++d) {
      if (!grows(a.sizes[d], b.sizes[d], dims)) return Growth::uneven;
    }
  }
  int params = 0;
  for (size_t i = 0; i < first.params.size(); ++i) {
    if (!grows(first.params[i], last.params[i], params)) return Growth::uneven;
  }
  return (last.live - first.live) % steps == 0 ? out : Growth::uneven;
}

}  // namespace

void Tracer::throw_none() { throw Error(ErrorCode::internal, "a forward ran without a Tracer"); }

void Tracer::clear() {
  trace_.clear();
  calls_.clear();
  share_calls(shares_calls_);
  trace_.scopes.push_back({{}, {}, nullptr, -1, 1, 1, 0, -1, -1, -1, ScopeKind::module, false});
  context = {};
  folds = true;
  unrolls = 0;
  unrolls_layers = false;
  hooks = nullptr;
  parts = nullptr;
  live_ = 0;
  scope_ = 0;
  replay_ = {};
}

Tensor Tracer::make(const Shape& sizes, DType dtype, Place place) {
  const int64_t numel = sizes.numel();
  return make(sizes, numel, checked_mul(numel, size_of(dtype), "the size of a tensor in bytes"), dtype, place);
}

Tensor Tracer::make(const Shape& sizes, int64_t numel, int64_t bytes, DType dtype, Place place) {
  TensorMeta* meta = trace_.metas.add();
  Storage* storage = trace_.storages.add();
  meta->storage = storage;
  meta->own_strides = nullptr;
  meta->numel = numel;
  meta->bytes = bytes;
  meta->offset = 0;
  meta->dtype = dtype;
  meta->sizes = sizes;
  storage->tracer = this;
  storage->bytes = bytes;
  storage->handles = 0;
  storage->born = -1;
  storage->died = -1;
  storage->place = place;
  storage->role = nullptr;
  if (place == Place::device) {
    storage->born = static_cast<int32_t>(trace_.ops.size());
    live_ = checked_add(live_, bytes, "live memory");
  }
  return Tensor(meta);
}

Tensor Tracer::allocate(const Shape& sizes, const Shape& strides, DType dtype) {
  Tensor out = allocate(sizes, dtype);
  if (!is_contiguous(sizes, strides)) {
    Shape* own = trace_.strides.add();
    *own = strides;
    const_cast<TensorMeta&>(out.meta()).own_strides = own;
  }
  return out;
}

Tensor Tracer::allocate_result(const TensorMeta& like) {
  Tensor out = make(like.sizes, like.numel, like.bytes, like.dtype, Place::device);
  auto& meta = const_cast<TensorMeta&>(out.meta());
  meta.offset = like.offset;
  meta.own_strides = like.own_strides;
  live_ += like.storage->bytes - like.bytes;
  meta.storage->bytes = like.storage->bytes;
  return out;
}

Tensor Tracer::input(const Shape& sizes, DType dtype) {
  Tensor out = make(sizes, dtype, Place::given);
  trace_.given_bytes = checked_add(trace_.given_bytes, out.meta().storage->bytes, "the size of the inputs");
  return out;
}

Tensor Tracer::consumed_input(const Shape& sizes, DType dtype) {
  Tensor out = make(sizes, dtype, Place::device);
  Storage& storage = *out.meta().storage;
  storage.born = -1;
  live_ -= storage.bytes;
  trace_.given_bytes = checked_add(trace_.given_bytes, storage.bytes, "the size of the inputs");
  return out;
}

void Tensor::release() { meta_->storage->tracer->release(*meta_->storage); }

Op& Tracer::begin_last_op(Kernel kernel) {
  const bool known = replay_.next_op < replay_.end_op;
  Op* first = known ? &trace_.ops[replay_.next_op++] : nullptr;
  if (!known || first->kernel != kernel || first->scope != scope_ || first->last >= 0) {
    throw Error(ErrorCode::internal, "the last repetition of a loop runs other kernels than the first");
  }
  first->last = static_cast<int32_t>(trace_.last_ops.size());
  return *trace_.last_ops.add();
}

void Tracer::record(Kernel kernel, const TensorList& inputs, const Tensor& output) {
  if (inputs.size() > 255) throw Error("more than 255 tensors in one kernel: make the batch smaller");
  Op& op = begin_op(kernel, {});
  op.inputs = static_cast<uint8_t>(inputs.size());
  op.outputs = 1;
  const TensorMeta** const first = trace_.operands.add(inputs.size() + 1);
  const TensorMeta** next = first;
  for (const Tensor& input : inputs) add_input(op, first, next++, input.meta());
  add_output(op, next, output.meta());
}

void Tracer::record_collective(Kernel kernel, const TensorList& inputs, const TensorList& outputs,
                               const std::array<int64_t, 3>& params) {
  if (std::max(inputs.size(), outputs.size()) > 255) throw Error("more than 255 tensors in one collective");
  Op& op = begin_op(kernel, params);
  op.inputs = static_cast<uint8_t>(inputs.size());
  op.outputs = static_cast<uint8_t>(outputs.size());
  op.in_place = !inputs.empty() && !outputs.empty() && &inputs.front().meta() == &outputs.front().meta();
  const TensorMeta** const first = trace_.operands.add(inputs.size() + outputs.size());
  const TensorMeta** next = first;
  for (const Tensor& input : inputs) add_input(op, first, next++, input.meta());
  for (const Tensor& output : outputs) add_output(op, next++, output.meta());
}

int32_t Tracer::enter(std::string_view name, std::string_view klass, const void* module, int64_t index,
                      ScopeKind kind) {
  for (int32_t child = trace_.scopes[static_cast<size_t>(scope_)].first_child; child >= 0;
       child = trace_.scopes[static_cast<size_t>(child)].next_sibling) {
    Scope& s = trace_.scopes[static_cast<size_t>(child)];
    if (s.module == module && s.index == index && s.kind == kind && s.name == name) {
      if (!replay_.active) ++s.calls;
      return scope_ = child;
    }
  }
  return add_scope(name, klass, module, index, 1, kind);
}

int32_t Tracer::enter_repetition(int64_t count) {
  if (replay_.active) return enter_recorded_repetition();
  return add_scope({}, {}, nullptr, -1, count, ScopeKind::repetition);
}

int32_t Tracer::enter_recorded_repetition() {
  for (auto at = static_cast<size_t>(replay_.next_scope); at < trace_.scopes.size(); ++at) {
    if (trace_.scopes[at].kind != ScopeKind::repetition || trace_.scopes[at].parent != scope_) continue;
    replay_.next_scope = static_cast<int32_t>(at) + 1;
    return scope_ = static_cast<int32_t>(at);
  }
  throw Error(ErrorCode::internal, "the last repetition of a loop has other loops in it than the first");
}

void Tracer::begin_replay(int32_t scope, size_t first, size_t end) {
  if (replay_.active) throw Error(ErrorCode::internal, "a growing loop in a growing loop");
  replay_ = {true, first, first, end, scope + 1, scope_};
  scope_ = scope;
}

void Tracer::skip_replay(size_t end_op, int32_t end_scope) {
  replay_.next_op = end_op;
  replay_.next_scope = std::max(replay_.next_scope, end_scope);
}

void Tracer::end_replay() {
  if (replay_.next_op != replay_.end_op) {
    throw Error(ErrorCode::internal, "the last repetition of a loop runs fewer kernels than the first");
  }
  const Scope& loop = trace_.scopes[static_cast<size_t>(scope_)];
  for (size_t i = replay_.first_op; i < replay_.end_op; ++i) {
    Op& first = trace_.ops[i];
    if (first.last < 0) continue;
    const Op& last = trace_.last_ops[static_cast<size_t>(first.last)];
    const Growth growth = growth_between(trace_, first, last, loop.count - 1);
    if (growth == Growth::uneven) {
      throw Error(ErrorCode::internal, "an op of a loop does not grow linearly with its repetition");
    }
    if (growth == Growth::none && last.live - first.live == loop.live_step * (loop.count - 1)) first.last = -1;
  }
  scope_ = replay_.outer_scope;
  replay_.active = false;
}

int32_t Tracer::add_scope(std::string_view name, std::string_view klass, const void* module, int64_t index,
                          int64_t count, ScopeKind kind) {
  const int32_t made = static_cast<int32_t>(trace_.scopes.size());
  const int32_t sibling = std::exchange(trace_.scopes[static_cast<size_t>(scope_)].first_child, made);
  *trace_.scopes.add() = {name, klass, module, index, count, 1, 0, scope_, -1, sibling, kind, false};
  return scope_ = made;
}

}  // namespace modelmeter
