#include "report/call_shapes.h"

#include <algorithm>

#include "layer/base_layer.h"

namespace modelmeter {
namespace {

bool makes_matrices(const Op& op) { return op.kernel == Kernel::addmm || op.kernel == Kernel::mm; }

// A matrix as the tensor that it was, or became, with the same elements: past other matrices of it.
const TensorMeta* unfolded(const std::unordered_map<const TensorMeta*, const TensorMeta*>& neighbours,
                           const TensorMeta* matrix) {
  if (matrix->sizes.rank() != 2) return matrix;
  for (auto found = neighbours.find(matrix); found != neighbours.end(); found = neighbours.find(found->second)) {
    const TensorMeta& other = *found->second;
    if (other.numel != matrix->numel) break;
    if (other.sizes.rank() > 2) return &other;
  }
  return matrix;
}

// Whether it may be a parameter of the layer or of those below, or a part of one: by its size.
bool is_parameter(const TensorMeta& given, const BaseLayer* layer) {
  bool found = layer == nullptr;
  if (!found) {
    layer->for_each_parameter(
        [&](const std::string&, const TensorSpec& spec) { found = found || spec.bytes() == given.storage->bytes; });
  }
  return found;
}

}  // namespace

CallShapeReader::CallShapeReader(const Trace& trace) : trace_(trace), ranges_(trace.scopes.size()) {
  for (size_t i = 0; i < trace.ops.size(); ++i) {
    for (int32_t at = trace.ops[i].scope; at >= 0; at = trace.scopes[static_cast<size_t>(at)].parent) {
      Range& range = ranges_[static_cast<size_t>(at)];
      if (range.end == 0) range = {i, i};
      if (range.end == i) range.end = i + 1;
    }
  }
  std::unordered_map<const Storage*, const TensorMeta*> last;
  trace.metas.for_each([&](const TensorMeta& meta) {
    const auto [known, fresh] = last.try_emplace(meta.storage, &meta);
    if (fresh) return;
    before_[&meta] = known->second;
    after_[known->second] = &meta;
    known->second = &meta;
  });
}

const TensorMeta& CallShapeReader::input_of(const Op& op, int i) const {
  const TensorMeta& meta = trace_.input(op, i);
  return makes_matrices(op) ? *unfolded(before_, &meta) : meta;
}

const TensorMeta& CallShapeReader::output_of(const Op& op, int i) const {
  const TensorMeta& meta = trace_.output(op, i);
  return makes_matrices(op) ? *unfolded(after_, &meta) : meta;
}

const TensorMeta* CallShapeReader::input(const Range& range, const Scope& scope, const TensorMeta* out) const {
  const TensorMeta *given = nullptr, *largest = nullptr;
  const auto* layer = static_cast<const BaseLayer*>(scope.module);
  for (size_t i = range.first; i < range.end; ++i) {
    const Op& op = trace_.ops[i];
    for (int k = 0; k < op.inputs; ++k) {
      const TensorMeta& meta = input_of(op, k);
      const Storage& storage = *meta.storage;
      if (storage.role != nullptr) continue;
      if (storage.place == Place::given ? is_parameter(meta, layer)
                                        : storage.born >= static_cast<int32_t>(range.first)) {
        continue;
      }
      if (out != nullptr && meta.sizes == out->sizes) return &meta;
      if (storage.place == Place::given && given == nullptr) given = &meta;
      if (largest == nullptr || meta.numel > largest->numel) largest = &meta;
    }
  }
  return given != nullptr ? given : largest;
}

const TensorMeta* CallShapeReader::output(const Range& range) const {
  for (size_t i = range.end; i-- > range.first;) {
    const Op& op = trace_.ops[i];
    for (int k = op.outputs; k-- > 0;) {
      const Storage& storage = *trace_.output(op, k).storage;
      const bool left = storage.died < 0 || storage.died > static_cast<int32_t>(range.end);
      if (left && storage.place == Place::device && storage.role == nullptr) return &output_of(op, k);
    }
  }
  const Op& last = trace_.ops[range.end - 1];  // what it made went as the call returned
  return last.outputs > 0 ? &output_of(last, last.outputs - 1) : nullptr;
}

CallShapes CallShapeReader::of(int32_t scope) const {
  const Range range = ranges_[static_cast<size_t>(scope)];
  const TensorMeta* out = output(range);
  const TensorMeta* in = input(range, trace_.scopes[static_cast<size_t>(scope)], out);
  return {in != nullptr ? in->sizes.to_string() : "", out != nullptr ? out->sizes.to_string() : ""};
}

}  // namespace modelmeter
