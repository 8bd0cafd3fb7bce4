// BaseLayer: everything that has a forward, as torch.nn.Module. A layer declares its parameters and children with the
// checkpoint's names; what it costs is read off a trace of its forward, here, once for all layers.
//
// A layer is built, stored in other formats than its dtypes if a configuration says so (store()), and does not change
// from then on; one object may be traced from many threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/fields.h"
#include "cost/rollup.h"
#include "layer/build_context.h"
#include "layer/weight_format.h"
#include "trace/functional.h"
#include "trace/shared_call.h"
#include "trace/tracer.h"

namespace modelmeter {

class BaseLayer {
 public:
  explicit BaseLayer(std::string_view class_name) : class_name_(class_name) {}
  virtual ~BaseLayer() = default;
  BaseLayer(const BaseLayer&) = delete;
  BaseLayer& operator=(const BaseLayer&) = delete;

  struct Parameter {
    std::string name;
    TensorSpec spec;
    bool persistent;       // false: a buffer that the checkpoint does not hold
    int64_t numel, bytes;  // of the tensor that the forward computes with
  };
  struct Child {
    std::string name;
    const BaseLayer* layer;
    int64_t count;      // 1, or the length of a ModuleList of equal layers: `name`.0, `name`.1, …
    bool list;          // a ModuleList, even of one
    int64_t first = 0;  // number of the first: a list of several kinds of layers is registered run by run
    std::string_view list_class = "ModuleList";  // or Sequential
  };

  std::string_view class_name() const { return class_name_; }
  std::string_view name() const { return name_; }  // within its parent; "" for a root
  const std::vector<Parameter>& parameters() const { return parameters_; }
  const std::vector<Child>& children() const { return children_; }
  // The layer whose parameters this one uses as its own (tied weights), or null. They are counted with their owner.
  const BaseLayer* tied_to() const { return tied_to_; }
  // How its weight is kept, where that is not as its dtype; else null.
  const WeightFormat* weight_format() const { return format_; }
  // Keeps layers of the tree in other formats, as libraries replace modules of a model that they load: `how` is asked
  // for each layer that has a weight to store, by its path ("blocks.0.attn1.to_q"; a list of equal layers is asked for
  // its first). Before anything is traced.
  using Storing = std::function<StoredAs(const BaseLayer& layer, const std::string& path)>;
  void store(const Storing& how, const std::string& path = "");
  // Calls visit(spec) for each tensor that it holds itself, as it is kept: parameters, or buffers.
  template <class Visit>
  void for_each_own(bool buffers, const Visit& visit) const {
    for (size_t i = 0; i < parameters_.size(); ++i) {
      const Parameter& p = parameters_[i];
      if (p.persistent == buffers) continue;
      if (i == 0 && !stored_.empty()) {
        for (const Stored& s : stored_) visit(s.spec);
      } else if (format_ != nullptr && format_->is_cast() && p.persistent) {
        visit(TensorSpec{p.spec.sizes, format_->values});
      } else {
        visit(p.spec);
      }
    }
  }
  const Fields& constructor_params() const { return constructor_params_; }  // for reports
  // The same number for layers of one class with the same options, parameters and children.
  int32_t structure() const {
    const int32_t known = structure_.load(std::memory_order_relaxed);
    return known >= 0 ? known : find_structure();
  }

  // Calls visit(name, spec) for every parameter below, in the order of the checkpoint ("blocks.0.self_attn.q.weight").
  void for_each_parameter(const std::function<void(const std::string&, const TensorSpec&)>& visit,
                          const std::string& prefix = "") const;
  int64_t parameter_count() const { return size_.parameters; }
  int64_t parameter_bytes() const { return size_.bytes; }
  int64_t buffer_bytes() const { return size_.buffer_bytes; }

  // The forerunner's contract: what one forward of this layer costs on inputs of these shapes. Each traces the forward.
  Count forward_tensor_core_flops(const std::vector<TensorSpec>& inputs) const;  // matrix products, conv, attention
  Count forward_cuda_core_flops(const std::vector<TensorSpec>& inputs) const;    // all other arithmetic
  Count forward_cal_io(const std::vector<TensorSpec>& inputs) const;             // bytes read and written
  double forward_arithmetic_intensity(const std::vector<TensorSpec>& inputs) const;
  int64_t forward_memory_weight() const { return parameter_bytes(); }
  int64_t forward_memory_activation(const std::vector<TensorSpec>& inputs) const;  // peak above weights and inputs
  virtual int64_t forward_memory_kvcache(const std::vector<TensorSpec>&) const { return 0; }

  // Of the backward pass, from the same trace: each matrix product has two (by input and by weight), fused attention
  // five for two (it computes the scores again), other kernels as much arithmetic again as forward and their operands
  // read and their gradients written. Activations kept for it are the outputs of every kernel.
  Count backward_tensor_core_flops(const std::vector<TensorSpec>& inputs) const;
  Count backward_cuda_core_flops(const std::vector<TensorSpec>& inputs) const;
  Count backward_cal_io(const std::vector<TensorSpec>& inputs) const;
  double backward_arithmetic_intensity(const std::vector<TensorSpec>& inputs) const;
  int64_t backward_memory_weight() const { return parameter_bytes(); }  // the gradients
  Count backward_memory_activation(const std::vector<TensorSpec>& inputs) const;
  int64_t backward_memory_kvcache(const std::vector<TensorSpec>&) const { return 0; }

  // Runs the forward on these tensors as a call of the module does. Error where the layer takes other arguments.
  virtual void run(const std::vector<Tensor>& inputs) const;

 protected:
  void describe(std::string name, FieldValue value) { constructor_params_.emplace_back(std::move(name), value); }
  // In the constructor, in the order of the original.
  void register_parameter(std::string name, Shape sizes, const BuildContext& context);
  void register_parameter(std::string name, Shape sizes, DType dtype);  // of a dtype that nobody chooses
  void register_buffer(std::string name, Shape sizes, DType dtype);
  void register_module(std::string name, BaseLayer& layer);
  void register_module_list(std::string name, BaseLayer& prototype, int64_t count, int64_t first = 0,
                            std::string_view list_class = "ModuleList");

  // Options that decide what forward() does and are not described: layers that differ in them differ in structure.
  void vary_by(std::initializer_list<int64_t> options);

  void tie_to(const BaseLayer& owner) { tied_to_ = &owner; }

  // Whether the layer, whose first parameter is its weight, runs with it kept so.
  virtual bool can_be_stored_as(const StoredAs&) const { return false; }
  bool is_stored_otherwise() const { return format_ != nullptr || lora_rank_ > 0; }
  int64_t lora_rank() const { return lora_rank_; }
  size_t stored_tensors() const { return stored_.size(); }
  // One of the tensors that the weight is kept as, WeightFormat::tensors().
  Tensor stored(size_t index) const {
    const Stored& s = stored_[index];
    return Tracer::current().parameter(s.spec.sizes, s.spec.dtype, s.numel, s.bytes);
  }

  // The parameter as a tensor of the current trace.
  Tensor parameter(size_t index) const {
    const Parameter& p = parameters_[index];
    return Tracer::current().parameter(p.spec.sizes, p.spec.dtype, p.numel, p.bytes);
  }

 private:
  void add_parameter(std::string name, TensorSpec spec);

  std::string class_name_;
  std::string name_;
  std::vector<Parameter> parameters_;
  std::vector<Child> children_;
  const BaseLayer* tied_to_ = nullptr;
  Fields constructor_params_;
  std::vector<BaseLayer*> modules_;  // the children

  struct Stored {
    TensorSpec spec;
    int64_t numel, bytes;
  };
  const WeightFormat* format_ = nullptr;
  int64_t lora_rank_ = 0;
  std::vector<Stored> stored_;

  int32_t find_structure() const;
  void store_own(const StoredAs& as);
  void add_up();

  std::vector<int64_t> varies_by_;
  mutable std::atomic<int32_t> structure_ = -1;  // of structure_id(), once it was asked for

  // Of the layer with its children; grows as they are registered, complete themselves by then.
  struct Size {
    int64_t parameters = 0, bytes = 0, buffer_bytes = 0;
    void add(const Size& other, int64_t count);
  };
  Size size_;
};

// One call of a module: a scope of the trace, named as the parent registered the layer, with what hooks run around it.
class ModuleCall {
 public:
  explicit ModuleCall(const BaseLayer& layer, int64_t index = -1)
      : scope_([&](Tracer& tracer) { tracer.enter_module(layer.name(), layer.class_name(), &layer, index); }),
        hooks_(Tracer::current().hooks),
        layer_(&layer),
        index_(index) {
    if (hooks_ != nullptr) hooks_->before_forward(layer_, index_);
  }
  // Of a layer further down, past its parents: `path` is its name here ("language_model.embed_tokens").
  ModuleCall(const BaseLayer& layer, std::string_view path)
      : scope_([&](Tracer& tracer) { tracer.enter_module(path, layer.class_name(), &layer); }) {}
  ~ModuleCall() {
    if (hooks_ != nullptr) hooks_->after_forward(layer_, index_);
  }
  ModuleCall(const ModuleCall&) = delete;
  ModuleCall& operator=(const ModuleCall&) = delete;

 private:
  NamedScope scope_;  // left after the hooks ran
  ModuleHooks* hooks_ = nullptr;
  const BaseLayer* layer_ = nullptr;
  int64_t index_ = -1;
};

// Gives a layer class its call: `Self::forward(args...)` in a scope of its own. As in nn.Module, the arguments stay
// alive until the call returns. What several classes share may stand in a Base of theirs.
template <class Self, class Base = BaseLayer>
// NOLINTNEXTLINE(bugprone-crtp-constructor-accessibility): inherited constructors keep the access that Base gave them
class Module : public Base {
 public:
  using Base::Base;

  // Whether its calls can be shared: forward() takes tensors, gives a new one, and follows from its arguments and the
  // layer's structure().
  static constexpr bool pure = false;

  template <class... Args>
  auto operator()(Args&&... args) const {
    return call_as(-1, args...);
  }
  // As number `index` of a ModuleList.
  template <class... Args>
  auto call_as(int64_t index, Args&&... args) const {
    const auto call = [&] {
      ModuleCall scope(*this, index);
      return static_cast<const Self*>(this)->forward(args...);
    };
    if constexpr (Self::pure && (std::is_same_v<std::remove_cvref_t<Args>, Tensor> && ...)) {
      Tracer& tracer = Tracer::current();
      if (tracer.shares_calls()) return shared_call(tracer, this->structure(), {&args...}, {}, call);
    }
    return call();
  }

  void run(const std::vector<Tensor>& in) const override {
    const Self& self = *static_cast<const Self*>(this);
    if constexpr (requires { self.forward(in[0]); }) {
      if (in.size() == 1) return static_cast<void>(self(in[0]));
    }
    if constexpr (requires { self.forward(in[0], in[1]); }) {
      if (in.size() == 2) return static_cast<void>(self(in[0], in[1]));
    }
    if constexpr (requires { self.forward(in[0], in[1], in[2]); }) {
      if (in.size() == 3) return static_cast<void>(self(in[0], in[1], in[2]));
    }
    BaseLayer::run(in);
  }
};

}  // namespace modelmeter
