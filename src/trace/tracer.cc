#include "trace/tracer.h"

#include "base/error.h"

namespace modelmeter {
namespace {

thread_local Tracer* current_tracer = nullptr;

}  // namespace

Tracer& Tracer::current() {
  if (current_tracer == nullptr) throw Error(ErrorCode::internal, "a forward ran without a Tracer");
  return *current_tracer;
}

Tracer::Guard::Guard(Tracer& tracer) : previous_(std::exchange(current_tracer, &tracer)) {}
Tracer::Guard::~Guard() { current_tracer = previous_; }

void Tracer::clear() {
  trace_.clear();
  trace_.scopes.push_back({{}, {}, nullptr, -1, 1, 1, -1, -1, -1, ScopeKind::module});
  autocast = {};
  live_ = 0;
  scope_ = 0;
}

Tensor Tracer::make(const Shape& sizes, const Shape& strides, DType dtype, Place place) {
  TensorMeta* meta = trace_.metas.add();
  meta->sizes = sizes;
  meta->strides = strides;
  meta->numel = sizes.numel();
  meta->offset = 0;
  meta->dtype = dtype;
  meta->contiguous = is_contiguous(sizes, strides);
  Storage* storage = trace_.storages.add();
  storage->tracer = this;
  storage->bytes = checked_mul(meta->numel, size_of(dtype), "the size of a tensor in bytes");
  storage->handles = 0;
  storage->born = place == Place::device ? static_cast<int32_t>(trace_.ops.size()) : -1;
  storage->died = -1;
  storage->place = place;
  meta->storage = storage;
  if (place == Place::device) live_ = checked_add(live_, storage->bytes, "live memory");
  return Tensor(meta);
}

Tensor Tracer::input(const Shape& sizes, DType dtype) {
  Tensor out = make(sizes, contiguous_strides(sizes), dtype, Place::given);
  trace_.given_bytes = checked_add(trace_.given_bytes, out.meta().storage->bytes, "the size of the inputs");
  return out;
}

void Tracer::release(Storage& storage) {
  if (storage.place != Place::device) return;
  live_ -= storage.bytes;
  storage.died = static_cast<int32_t>(trace_.ops.size());
}

Op& Tracer::begin_op(Kernel kernel) {
  Op& op = trace_.ops.emplace_back();
  op.kernel = kernel;
  op.in_place = false;
  op.scope = scope_;
  op.operands = static_cast<int32_t>(trace_.operands.size());
  op.live = live_;
  return op;
}

void Tracer::record(Kernel kernel, std::initializer_list<const Tensor*> inputs,
                    std::initializer_list<const Tensor*> outputs, std::array<int64_t, 3> params) {
  Op& op = begin_op(kernel);
  op.params = params;
  int n = 0;
  for (const Tensor* input : inputs) {
    if (!input->defined()) continue;
    trace_.operands.push_back(&input->meta());
    ++n;
  }
  op.inputs = static_cast<uint8_t>(n);
  op.outputs = static_cast<uint8_t>(outputs.size());
  for (const Tensor* output : outputs) trace_.operands.push_back(&output->meta());
}

void Tracer::record(Kernel kernel, const std::vector<Tensor>& inputs, const Tensor& output) {
  if (inputs.size() > 255) throw Error(ErrorCode::internal, "more than 255 tensors in one kernel");
  Op& op = begin_op(kernel);
  op.params = {};
  op.inputs = static_cast<uint8_t>(inputs.size());
  op.outputs = 1;
  for (const Tensor& input : inputs) trace_.operands.push_back(&input.meta());
  trace_.operands.push_back(&output.meta());
}

void Tracer::record_in_place(Kernel kernel, std::initializer_list<const Tensor*> inputs) {
  record(kernel, inputs, {*inputs.begin()});
  trace_.ops.back().in_place = true;
}

int32_t Tracer::enter(std::string_view name, std::string_view klass, const void* module, int64_t index,
                      ScopeKind kind) {
  for (int32_t child = trace_.scopes[static_cast<size_t>(scope_)].first_child; child >= 0;
       child = trace_.scopes[static_cast<size_t>(child)].next_sibling) {
    Scope& s = trace_.scopes[static_cast<size_t>(child)];
    if (s.module == module && s.index == index && s.kind == kind && s.name == name) {
      ++s.calls;
      return scope_ = child;
    }
  }
  return add_scope(name, klass, module, index, 1, kind);
}

int32_t Tracer::enter_repetition(int64_t count) {
  return add_scope({}, {}, nullptr, -1, count, ScopeKind::repetition);
}

int32_t Tracer::add_scope(std::string_view name, std::string_view klass, const void* module, int64_t index,
                          int64_t count, ScopeKind kind) {
  const int32_t made = static_cast<int32_t>(trace_.scopes.size());
  const int32_t sibling = std::exchange(trace_.scopes[static_cast<size_t>(scope_)].first_child, made);
  trace_.scopes.push_back({name, klass, module, index, count, 1, scope_, -1, sibling, kind});
  return scope_ = made;
}

}  // namespace modelmeter
