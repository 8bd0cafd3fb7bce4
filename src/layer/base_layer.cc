#include "layer/base_layer.h"

#include <fmt/format.h>

#include <algorithm>
#include <typeinfo>

#include "base/checked.h"
#include "base/error.h"
#include "cost/executions.h"

namespace modelmeter {
namespace {

int64_t count_of(int64_t a, int64_t b) { return checked_mul(a, b, "the number of parameters"); }
int64_t sum_of(int64_t a, int64_t b) { return checked_add(a, b, "the number of parameters"); }

void check_whole(const BuildContext& context) {
  if (context.parallel.tensor != 1) throw Error(ErrorCode::internal, "no layer can be built with its weights cut");
}

// A trace of one call of the layer on inputs of these shapes.
struct Run {
  Run(const BaseLayer& layer, const std::vector<TensorSpec>& inputs) {
    Tracer::Guard guard(tracer);
    std::vector<Tensor> tensors;
    for (const TensorSpec& spec : inputs) tensors.push_back(tracer.input(spec.sizes, spec.dtype));
    layer.run(tensors);
    rollup = roll_up(tracer.trace());
  }
  const Trace& trace() const { return tracer.trace(); }
  const Cost& cost() const { return rollup.total(); }

  Tracer tracer;
  Rollup rollup;
};

// What is linear in the size of what an op takes and makes, over all executions.
Count sum_over_ops(const Trace& trace, int64_t (*of)(const Trace&, const Op&)) {
  Count total;
  for_each_execution(trace, [&](const Executions& e) { total += e.sum([&](const Op& op) { return of(trace, op); }); });
  return total;
}

}  // namespace

void BaseLayer::for_each_parameter(const std::function<void(const std::string&, const TensorSpec&)>& visit,
                                   const std::string& prefix) const {
  for (const Parameter& parameter : parameters_) {
    if (parameter.persistent) visit(prefix + parameter.name, parameter.spec);
  }
  for (const Child& child : children_) {
    if (!child.list) {
      child.layer->for_each_parameter(visit, prefix + child.name + ".");
    } else {
      for (int64_t i = 0; i < child.count; ++i) {
        child.layer->for_each_parameter(visit, fmt::format("{}{}.{}.", prefix, child.name, child.first + i));
      }
    }
  }
}

void BaseLayer::vary_by(std::initializer_list<int64_t> options) {
  for (int64_t option : options) varies_by_.push_back(option);
}

int32_t BaseLayer::find_structure() const {
  std::string text = fmt::format("{} {}", typeid(*this).name(), class_name_);
  for (const auto& [name, value] : constructor_params_) text += fmt::format(" {}={}", name, text_of(value));
  for (int64_t option : varies_by_) text += fmt::format(" {}", option);
  for (const Parameter& p : parameters_) {
    text += fmt::format(" {}:{}{}", p.name, torch_name(p.spec.dtype), p.spec.sizes.to_string());
  }
  if (format_ != nullptr) text += fmt::format(" stored as {} {}", format_->name, format_->group);
  for (const Child& child : children_) {
    text += fmt::format(" {}({} {} {})", child.name, child.layer->structure(), child.count, child.first);
  }
  const int32_t id = structure_id(text);
  structure_.store(id, std::memory_order_relaxed);
  return id;
}

void BaseLayer::Size::add(const Size& other, int64_t count) {
  parameters = sum_of(parameters, count_of(other.parameters, count));
  bytes = sum_of(bytes, count_of(other.bytes, count));
  buffer_bytes = sum_of(buffer_bytes, count_of(other.buffer_bytes, count));
}

void BaseLayer::run(const std::vector<Tensor>& inputs) const {
  throw Error(ErrorCode::internal, fmt::format("{} cannot be run on {} tensors", class_name_, inputs.size()));
}

Count BaseLayer::forward_tensor_core_flops(const std::vector<TensorSpec>& inputs) const {
  return Run(*this, inputs).cost().flops_tensor;
}

Count BaseLayer::forward_cuda_core_flops(const std::vector<TensorSpec>& inputs) const {
  return Run(*this, inputs).cost().flops_vector;
}

Count BaseLayer::forward_cal_io(const std::vector<TensorSpec>& inputs) const {
  return Run(*this, inputs).cost().bytes();
}

double BaseLayer::forward_arithmetic_intensity(const std::vector<TensorSpec>& inputs) const {
  return Run(*this, inputs).cost().arithmetic_intensity();
}

int64_t BaseLayer::forward_memory_activation(const std::vector<TensorSpec>& inputs) const {
  return Run(*this, inputs).rollup.peak_live;
}

Count BaseLayer::backward_tensor_core_flops(const std::vector<TensorSpec>& inputs) const {
  const Run run(*this, inputs);
  return sum_over_ops(run.trace(), [](const Trace& trace, const Op& op) {
    const int64_t forward = cost_of(trace, op).flops_tensor;
    return info(op.kernel).kind == OpKind::attention ? forward / 2 * 5 : checked_mul(forward, 2, "a backward count");
  });
}

Count BaseLayer::backward_cuda_core_flops(const std::vector<TensorSpec>& inputs) const {
  return Run(*this, inputs).cost().flops_vector;
}

Count BaseLayer::backward_cal_io(const std::vector<TensorSpec>& inputs) const {
  const Run run(*this, inputs);
  return sum_over_ops(run.trace(), [](const Trace& trace, const Op& op) {
    // Reads what forward read and the gradient of each output; writes a gradient for each thing read.
    const OpCost forward = cost_of(trace, op);
    return 2 * forward.bytes_read + forward.bytes_written;
  });
}

double BaseLayer::backward_arithmetic_intensity(const std::vector<TensorSpec>& inputs) const {
  const Count moved = backward_cal_io(inputs);
  const Count flops = backward_tensor_core_flops(inputs) + backward_cuda_core_flops(inputs);
  return moved == 0 ? 0.0 : static_cast<double>(flops) / static_cast<double>(moved);
}

Count BaseLayer::backward_memory_activation(const std::vector<TensorSpec>& inputs) const {
  const Run run(*this, inputs);
  return sum_over_ops(
      run.trace(), [](const Trace& trace, const Op& op) { return op.in_place ? 0 : cost_of(trace, op).bytes_written; });
}

void BaseLayer::add_parameter(std::string name, TensorSpec spec) {
  const int64_t numel = spec.sizes.numel(), bytes = spec.bytes();
  size_.add({numel, bytes, 0}, 1);
  parameters_.push_back({std::move(name), spec, true, numel, bytes});
}

void BaseLayer::register_parameter(std::string name, Shape sizes, DType dtype) {
  add_parameter(std::move(name), {sizes, dtype});
}

void BaseLayer::register_parameter(std::string name, Shape sizes, const BuildContext& context) {
  check_whole(context);
  add_parameter(std::move(name), {sizes, context.dtype});
}

void BaseLayer::register_buffer(std::string name, Shape sizes, DType dtype) {
  const int64_t numel = sizes.numel(), bytes = TensorSpec{sizes, dtype}.bytes();
  parameters_.push_back({std::move(name), {sizes, dtype}, false, numel, bytes});
  size_.add({0, 0, bytes}, 1);
}

// --- formats ---------------------------------------------------------------------------------------------------------

void BaseLayer::store(const Storing& how, const std::string& path) {
  if (!parameters_.empty() && tied_to_ == nullptr && stored_.empty()) {
    const StoredAs as = how(*this, path);
    const bool fits = as.format == nullptr || as.format->fits(parameters_[0].spec.sizes);
    const StoredAs fitting{fits ? as.format : nullptr, as.lora_rank};
    if ((fitting.format != nullptr || as.lora_rank > 0) && can_be_stored_as(fitting)) store_own(fitting);
  }
  for (size_t i = 0; i < modules_.size(); ++i) {
    const Child& child = children_[i];
    const std::string number = child.list ? fmt::format(".{}", child.first) : "";
    modules_[i]->store(how, fmt::format("{}{}{}{}", path, path.empty() ? "" : ".", child.name, number));
  }
  add_up();
}

void BaseLayer::store_own(const StoredAs& as) {
  format_ = as.format;
  lora_rank_ = as.lora_rank;
  const TensorSpec weight = parameters_[0].spec;
  const std::vector<TensorSpec> kept = format_ != nullptr ? format_->tensors(weight) : std::vector<TensorSpec>{weight};
  for (const TensorSpec& spec : kept) stored_.push_back({spec, spec.sizes.numel(), spec.bytes()});
  if (format_ != nullptr) {
    int64_t& bytes = parameters_[0].spec.kept_bytes;
    for (const Stored& s : stored_) bytes = checked_add(bytes, s.bytes, "the size of the weights");
    for (Parameter& p : parameters_) {  // module.to() casts the bias, too
      if (format_->is_cast() && p.persistent) p.spec.kept_bytes = TensorSpec{p.spec.sizes, format_->values}.bytes();
    }
  }
  if (lora_rank_ == 0) return;
  // Not of the checkpoint: they come from a file of their own.
  register_buffer("lora_A.default.weight", {lora_rank_, weight.sizes[1]}, weight.dtype);
  register_buffer("lora_B.default.weight", {weight.sizes[0], lora_rank_}, weight.dtype);
}

// What it and its children hold, from what they hold now.
void BaseLayer::add_up() {
  size_ = {};
  for (const Parameter& p : parameters_) {
    const int64_t bytes = p.spec.bytes();
    size_.add(p.persistent ? Size{p.numel, bytes, 0} : Size{0, 0, bytes}, 1);
  }
  for (size_t i = 0; i < modules_.size(); ++i) size_.add(modules_[i]->size_, children_[i].count);
}

// --- registration ----------------------------------------------------------------------------------------------------

void BaseLayer::register_module(std::string name, BaseLayer& layer) {
  layer.name_ = name;
  modules_.push_back(&layer);
  size_.add(layer.size_, 1);
  children_.push_back({std::move(name), &layer, 1, false, 0});
}

void BaseLayer::register_module_list(std::string name, BaseLayer& prototype, int64_t count, int64_t first,
                                     std::string_view list_class) {
  prototype.name_ = name;
  modules_.push_back(&prototype);
  size_.add(prototype.size_, count);
  children_.push_back({std::move(name), &prototype, count, true, first, list_class});
}

}  // namespace modelmeter
