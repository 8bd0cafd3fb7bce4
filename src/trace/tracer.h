// The Tracer records a Trace while a model's forward runs on abstract tensors, and carries the execution context that
// layers ask for (trace/context.h).
//
// One Tracer serves one thread; it is current between construction of a Tracer::Guard and its end. All Tensor handles
// must be gone before the Tracer is cleared or destroyed.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "base/checked.h"
#include "trace/calls.h"
#include "trace/context.h"
#include "trace/trace.h"

namespace modelmeter {

// What runs around the calls of modules, as hooks of torch.nn.Module do: before the forward, and after it while its
// arguments are still there. Both are called in the module's scope.
class ModuleHooks {
 public:
  ModuleHooks() = default;
  virtual ~ModuleHooks() = default;
  ModuleHooks(const ModuleHooks&) = delete;
  ModuleHooks& operator=(const ModuleHooks&) = delete;

  virtual void before_forward(const void* module, int64_t index) = 0;
  virtual void after_forward(const void* module, int64_t index) noexcept = 0;
};

class Tracer {
 public:
  Tracer() { clear(); }
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  static Tracer& current() {  // Error where there is none
    if (current_ == nullptr) throw_none();
    return *current_;
  }

  class Guard {
   public:
    explicit Guard(Tracer& tracer) : previous_(std::exchange(current_, &tracer)) {}
    ~Guard() { current_ = previous_; }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Tracer* previous_;
  };

  // Starts anew, keeping memory for reuse.
  void clear();

  const Trace& trace() const { return trace_; }
  Trace& trace() { return trace_; }
  int64_t live() const { return live_; }

  Context context;  // clear() resets it

  // Whether loops trace only what differs. Without, every iteration is traced: the slow oracle of what folding gives.
  bool folds = true;
  // Loops of up to so many iterations are traced in full all the same, but for the repetition of what is alike from the
  // first (repeat(), repeat_alike()): for readers that follow each allocation.
  int64_t unrolls = 0;
  // Whether layers that are alike are traced one by one: what hooks do depends on which of them it is.
  bool unrolls_layers = false;
  ModuleHooks* hooks = nullptr;

  // Tensors. A new one is contiguous unless strides are given.
  Tensor parameter(const Shape& sizes, DType dtype) { return make(sizes, dtype, Place::given); }
  // The same where it was prepared: numel and bytes are those of sizes and dtype.
  Tensor parameter(const Shape& sizes, DType dtype, int64_t numel, int64_t bytes) {
    return make(sizes, numel, bytes, dtype, Place::given);
  }
  Tensor input(const Shape& sizes, DType dtype);  // adds to the trace's given bytes
  // An input that the forward itself lets go, as a cache that it replaces: live memory falls below that at the start.
  Tensor consumed_input(const Shape& sizes, DType dtype);
  Tensor host(const Shape& sizes, DType dtype) { return make(sizes, dtype, Place::host); }
  Tensor allocate(const Shape& sizes, DType dtype) { return make(sizes, dtype, Place::device); }
  Tensor allocate(const Shape& sizes, const Shape& strides, DType dtype);
  // Contiguous, of the sizes of another.
  Tensor allocate_like(const Tensor& x, DType dtype) {
    const int64_t bytes = checked_mul(x.numel(), size_of(dtype), "the size of a tensor in bytes");
    return make(x.sizes(), x.numel(), bytes, dtype, Place::device);
  }

  // Records a kernel that made `outputs` out of `inputs`, of which some may be undefined. Inline: the lists are then no
  // more than their elements.
  Op& record(Kernel kernel, std::initializer_list<const Tensor*> inputs, std::initializer_list<const Tensor*> outputs,
             const std::array<int64_t, 3>& params = {}) {
    Op& op = begin_op(kernel, params);
    const TensorMeta** const first = trace_.operands.add(inputs.size() + outputs.size());
    const TensorMeta** next = first;
    for (const Tensor* input : inputs) {
      if (input->defined()) add_input(op, first, next++, input->meta());
    }
    op.inputs = static_cast<uint8_t>(next - first);
    op.outputs = static_cast<uint8_t>(outputs.size());
    for (const Tensor* output : outputs) add_output(op, next++, output->meta());
    trace_.operands.end_at(next);
    return op;
  }
  void record(Kernel kernel, const TensorList& inputs, const Tensor& output);
  // The same of several outputs, of which the first may be the first input (trace/distributed.h).
  void record_collective(Kernel kernel, const TensorList& inputs, const TensorList& outputs,
                         const std::array<int64_t, 3>& params);
  // Records a kernel that wrote into its first input.
  void record_in_place(Kernel kernel, std::initializer_list<const Tensor*> inputs) {
    record(kernel, inputs, {*inputs.begin()}).in_place = true;
  }

  // Scopes. A module or function scope is found again when it is entered again from the same parent; a repetition is
  // always new. `name` and `klass` must outlive the trace.
  int32_t enter_module(std::string_view name, std::string_view klass, const void* module, int64_t index = -1) {
    return enter(name, klass, module, index, ScopeKind::module);
  }
  int32_t enter_function(std::string_view name) { return enter(name, {}, nullptr, -1, ScopeKind::function); }
  int32_t enter_repetition(int64_t count);
  void leave() { scope_ = trace_.scopes[static_cast<size_t>(scope_)].parent; }
  int32_t scope() const { return scope_; }

  // Records the last repetition of a growing loop against the first, ops [first, end) in `scope`: kernel by kernel the
  // same, into Trace::last_ops. For trace/repeat.h. Error where they are not the same or one of them does not grow
  // linearly.
  void begin_replay(int32_t scope, size_t first, size_t end);
  void skip_replay(size_t end_op, int32_t end_scope);  // what is not recorded again
  void end_replay();
  bool replaying() const { return replay_.active; }

  // A part of a growing loop's body that is the same in every repetition.
  struct Part {
    size_t end_op;
    int32_t end_scope;
    const TensorMeta* result;
    bool skippable;  // it left nothing behind but its result
    bool shared;     // calls in it were shared
  };
  struct Parts {
    std::vector<Part> list;
    size_t next = 0;            // while replaying
    bool shares_calls = false;  // as outside the loop: parts are not recorded against the last repetition
  };
  Parts* parts = nullptr;  // of the innermost growing loop

  // Where only sums and peaks are wanted, calls of pure functions that are like an earlier one are not recorded again
  // (trace/shared_call.h), and of scopes only those that multiply. Off by default; clear() does not change it.
  void share_calls(bool on) {
    shares_calls_ = shares_calls_now_ = on;
    names_scopes_ = !on;
  }
  bool shares_calls() const { return shares_calls_now_; }
  bool names_scopes() const { return names_scopes_; }
  // For a part of the forward; clear() ends it.
  bool exchange_shares_calls(bool on) { return std::exchange(shares_calls_now_, on && shares_calls_); }
  bool exchange_names_scopes(bool on) { return std::exchange(names_scopes_, on); }
  Calls& calls() { return calls_; }
  // A tensor like another that a call left behind, in memory of its own.
  Tensor allocate_result(const TensorMeta& like);

  void release(Storage& storage) {
    if (storage.place != Place::device) return;
    live_ -= storage.bytes;
    storage.died = static_cast<int32_t>(trace_.ops.size());
  }

 private:
  [[noreturn]] static void throw_none();
  Tensor make(const Shape& sizes, DType dtype, Place place);
  Tensor make(const Shape& sizes, int64_t numel, int64_t bytes, DType dtype, Place place);
  int32_t enter(std::string_view name, std::string_view klass, const void* module, int64_t index, ScopeKind kind);
  int32_t enter_recorded_repetition();
  int32_t add_scope(std::string_view name, std::string_view klass, const void* module, int64_t index, int64_t count,
                    ScopeKind kind);
  Op& begin_op(Kernel kernel, const std::array<int64_t, 3>& params) {
    Op& op = replay_.active ? begin_last_op(kernel) : *trace_.ops.add();
    op.kernel = kernel;
    op.in_place = op.causal = op.tf32 = false;
    op.stream = context.stream;
    op.scope = scope_;
    op.operands = static_cast<int32_t>(trace_.operands.size());
    op.last = -1;
    op.params = params;
    op.live = live_;
    op.input_bytes = op.output_bytes = 0;
    return op;
  }
  // Puts an operand at `at`; `first` is the place of the first input.
  static void add_input(Op& op, const TensorMeta** first, const TensorMeta** at, const TensorMeta& input) {
    *at = &input;
    for (; first != at; ++first) {
      if ((*first)->same_as(input)) return;
    }
    op.input_bytes = checked_add(op.input_bytes, input.bytes, "the number of bytes moved");
  }
  static void add_output(Op& op, const TensorMeta** at, const TensorMeta& output) {
    *at = &output;
    op.output_bytes = checked_add(op.output_bytes, output.bytes, "the number of bytes moved");
  }
  Op& begin_last_op(Kernel kernel);

  struct Replay {
    bool active = false;
    size_t first_op = 0, next_op = 0, end_op = 0;
    int32_t next_scope = 0;
    int32_t outer_scope = 0;
  };

  static inline constinit thread_local Tracer* current_ = nullptr;

  Trace trace_;
  int64_t live_ = 0;
  int32_t scope_ = 0;
  Replay replay_;
  Calls calls_;
  bool shares_calls_ = false, shares_calls_now_ = false;
  bool names_scopes_ = true;
};

// A scope that tells where ops happen and nothing else: left out where that is not wanted.
class NamedScope {
 public:
  // enter(tracer) enters it.
  template <class Enter>
  explicit NamedScope(Enter enter) : tracer_(Tracer::current()), entered_(tracer_.names_scopes()) {
    if (entered_) enter(tracer_);
  }
  ~NamedScope() {
    if (entered_) tracer_.leave();
  }
  NamedScope(const NamedScope&) = delete;
  NamedScope& operator=(const NamedScope&) = delete;

 private:
  Tracer& tracer_;
  bool entered_;
};

// A part of a forward that reports show by itself.
class FunctionScope {
 public:
  explicit FunctionScope(std::string_view name) : scope_([&](Tracer& tracer) { tracer.enter_function(name); }) {}

 private:
  NamedScope scope_;
};

// Changes the context for as long as it lives; then it is again what it was.
class ContextGuard {
 public:
  ContextGuard() : tracer_(Tracer::current()), previous_(tracer_.context) {}
  ~ContextGuard() { tracer_.context = previous_; }
  ContextGuard(const ContextGuard&) = delete;
  ContextGuard& operator=(const ContextGuard&) = delete;

  Context* operator->() const { return &tracer_.context; }

 private:
  Tracer& tracer_;
  Context previous_;
};

// Attention of a sequence to itself, which a sparse kernel may run.
class SparseAttentionGuard {
 public:
  SparseAttentionGuard() { context_->attention_density = context_->self_attention_density; }

 private:
  ContextGuard context_;
};

// `with torch.autocast(dtype=...)`; enabled = false is `autocast(enabled=False)`.
class AutocastGuard {
 public:
  explicit AutocastGuard(DType dtype, bool enabled = true) { context_->autocast = {enabled, dtype}; }

 private:
  ContextGuard context_;
};

}  // namespace modelmeter
