// The Tracer records a Trace while a model's forward runs on abstract tensors, and carries the execution context that
// layers ask for: autocast and the attention kernel.
//
// One Tracer serves one thread; it is current between construction of a Tracer::Guard and its end. All Tensor handles
// must be gone before the Tracer is cleared or destroyed.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "base/checked.h"
#include "trace/trace.h"

namespace modelmeter {

// Which kernel F.scaled_dot_product_attention and flash_attn run: PyTorch's fused one, or matmul, softmax, matmul.
enum class AttentionKernel : uint8_t { flash, math };

struct Autocast {
  bool enabled = false;
  DType dtype = DType::bfloat16;
};

class Tracer {
 public:
  Tracer() { clear(); }
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  static Tracer& current();  // Error where there is none

  class Guard {
   public:
    explicit Guard(Tracer& tracer);
    ~Guard();
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

  // Execution context.
  Autocast autocast;
  AttentionKernel attention = AttentionKernel::flash;

  // Whether loops trace only what differs. Without, every iteration is traced: the slow oracle of what folding gives.
  bool folds = true;

  // Tensors. A new one is contiguous unless strides are given.
  Tensor parameter(const Shape& sizes, DType dtype) { return make(sizes, dtype, Place::given); }
  Tensor input(const Shape& sizes, DType dtype);  // adds to the trace's given bytes
  // An input that the forward itself lets go, as a cache that it replaces: live memory falls below that at the start.
  Tensor consumed_input(const Shape& sizes, DType dtype);
  Tensor host(const Shape& sizes, DType dtype) { return make(sizes, dtype, Place::host); }
  Tensor allocate(const Shape& sizes, DType dtype) { return make(sizes, dtype, Place::device); }
  Tensor allocate(const Shape& sizes, const Shape& strides, DType dtype) {
    return make(sizes, strides, dtype, Place::device);
  }

  // Records a kernel that made `outputs` out of `inputs`.
  void record(Kernel kernel, std::initializer_list<const Tensor*> inputs, std::initializer_list<const Tensor*> outputs,
              std::array<int64_t, 3> params = {});
  void record(Kernel kernel, const std::vector<Tensor>& inputs, const Tensor& output);
  // Records a kernel that wrote into its first input.
  void record_in_place(Kernel kernel, std::initializer_list<const Tensor*> inputs);

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
  };
  struct Parts {
    std::vector<Part> list;
    size_t next = 0;  // while replaying
  };
  Parts* parts = nullptr;  // of the innermost growing loop

  TensorMeta* new_meta() { return trace_.metas.add(); }
  void release(Storage& storage);

 private:
  friend class Tensor;
  Tensor make(const Shape& sizes, const Shape& strides, DType dtype, Place place);
  Tensor make(const Shape& sizes, DType dtype, Place place);
  Tensor make(TensorMeta* meta, DType dtype, Place place);
  int32_t enter(std::string_view name, std::string_view klass, const void* module, int64_t index, ScopeKind kind);
  int32_t enter_recorded_repetition();
  int32_t add_scope(std::string_view name, std::string_view klass, const void* module, int64_t index, int64_t count,
                    ScopeKind kind);
  Op& begin_op(Kernel kernel);
  Op& begin_last_op(Kernel kernel);
  Op& record_op(Kernel kernel, std::initializer_list<const Tensor*> inputs,
                std::initializer_list<const Tensor*> outputs, std::array<int64_t, 3> params);

  struct Replay {
    bool active = false;
    size_t first_op = 0, next_op = 0, end_op = 0;
    int32_t next_scope = 0;
    int32_t outer_scope = 0;
  };

  Trace trace_;
  int64_t live_ = 0;
  int32_t scope_ = 0;
  Replay replay_;
};

// A part of a forward that reports show by itself.
class FunctionScope {
 public:
  explicit FunctionScope(std::string_view name) : tracer_(Tracer::current()) { tracer_.enter_function(name); }
  ~FunctionScope() { tracer_.leave(); }
  FunctionScope(const FunctionScope&) = delete;
  FunctionScope& operator=(const FunctionScope&) = delete;

 private:
  Tracer& tracer_;
};

// `with torch.autocast(dtype=...)`; enabled = false is `autocast(enabled=False)`.
class AutocastGuard {
 public:
  AutocastGuard(DType dtype, bool enabled = true) : tracer_(Tracer::current()), previous_(tracer_.autocast) {
    tracer_.autocast = {enabled, dtype};
  }
  ~AutocastGuard() { tracer_.autocast = previous_; }
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  Tracer& tracer_;
  Autocast previous_;
};

}  // namespace modelmeter
