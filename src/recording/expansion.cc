#include "recording/expansion.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "cost/executions.h"
#include "cost/op_cost.h"

namespace modelmeter {
namespace {

constexpr int64_t most_ops = 10'000'000;

using StorageNumbers = std::unordered_map<const Storage*, int32_t>;

RecordedTensor recorded(const TensorMeta& meta) {
  return {meta.sizes, (meta.storage->place == Place::host ? "cpu:" : "") + std::string(short_name(meta.dtype))};
}

// Also where it lies in its memory, if that has a number.
RecordedTensor placed(const TensorMeta& meta, const StorageNumbers& numbers) {
  RecordedTensor out = recorded(meta);
  const auto number = numbers.find(meta.storage);
  if (number == numbers.end()) return out;
  out.storage = number->second;
  out.strided = !meta.contiguous();
  if (out.strided) out.strides = *meta.own_strides;
  out.offset = meta.offset;
  return out;
}

RecordedDetail detail_of(const Trace& trace, const Op& op) {
  RecordedDetail out;
  out.causal = op.causal;
  out.tf32 = op.tf32;
  out.stream = op.stream;
  if (is_recorded(op.kernel)) return out;
  if (info(op.kernel).kind == OpKind::attention) out.attention = op.params;
  if (info(op.kernel).kind == OpKind::conv) {
    const ConvGeometry geometry = trace.conv_geometry(op);
    out.convolution = {geometry.stride, geometry.padding, geometry.dilation};
  }
  return out;
}

bool folds(const Trace& trace) {
  return std::any_of(trace.scopes.begin(), trace.scopes.end(), [](const Scope& s) { return s.count > 1; });
}

// A tensor without elements has no storage of its own; the random generator's state is not listed.
bool is_listed(const TensorMeta& output) { return output.numel > 0 && output.dtype != DType::uint64; }

// Writes out the repetitions of a trace.
class Expansion {
 public:
  explicit Expansion(const Trace& trace) : trace_(trace), iteration_(trace.scopes.size(), -1) {
    refuse_millions();
    emit(0, trace.ops.size());
  }
  std::vector<RecordedOp> take() { return std::move(out_); }

 private:
  // Before the first is written.
  void refuse_millions() const {
    const std::vector<int64_t> executions = executions_of_scopes(trace_);
    Count kernels = 0;
    for (const Op& op : trace_.ops) kernels += executions[static_cast<size_t>(op.scope)];
    if (kernels <= most_ops) return;
    throw Error(fmt::format("the trace has more than {} kernels written out", most_ops), {},
                {"write out a single forward or fewer steps"});
  }

  void emit(size_t first, size_t last) {
    for (size_t i = first; i < last;) {
      const int32_t repetition = outermost(trace_.ops[i].scope);
      if (repetition < 0) {
        add(trace_.ops[i++]);
        continue;
      }
      size_t end = i;
      while (end < last && outermost(trace_.ops[end].scope) == repetition) ++end;
      const auto at = static_cast<size_t>(repetition);
      for (int64_t k = 0; k < trace_.scopes[at].count; ++k) {
        iteration_[at] = k;
        emit(i, end);
      }
      iteration_[at] = -1;
      i = end;
    }
  }

  // The outermost repeated scope above that is not being written out already; -1 without one.
  int32_t outermost(int32_t scope) const {
    int32_t found = -1;
    for (; scope >= 0; scope = trace_.scopes[static_cast<size_t>(scope)].parent) {
      const auto at = static_cast<size_t>(scope);
      if (trace_.scopes[at].count > 1 && iteration_[at] < 0) found = scope;
    }
    return found;
  }

  std::string path(int32_t scope) const {
    const Scope& s = trace_.scopes[static_cast<size_t>(scope)];
    if (s.parent < 0) return std::string(s.name);
    std::string out = path(s.parent);
    if (s.kind != ScopeKind::module || s.name.empty()) return out;
    if (!out.empty()) out += '.';
    out += s.name;
    if (s.index >= 0) {
      const int64_t k = iteration_[static_cast<size_t>(s.parent)];
      out += '.' + std::to_string(s.index + std::max<int64_t>(k, 0));
    }
    return out;
  }

  // The length of what path() appends for the innermost module.
  size_t own_scope(int32_t scope, const std::string& path_of_scope) const {
    while (scope > 0 && trace_.scopes[static_cast<size_t>(scope)].kind != ScopeKind::module) {
      scope = trace_.scopes[static_cast<size_t>(scope)].parent;
    }
    if (scope <= 0) return 0;  // the root
    const std::string parent = path(trace_.scopes[static_cast<size_t>(scope)].parent);
    return path_of_scope.size() - parent.size();
  }

  void add(const Op& op) {
    const OpAtIteration at = op_at(trace_, op, iteration_of(op));
    RecordedOp& r = out_.emplace_back(written_out(at.launch()));
    r.kernel = trace_.kernel_name(op);
    r.scope = path(op.scope);
    r.own_scope = own_scope(op.scope, r.scope);
    r.live = at.live() + live_above_first(op);
  }

  static RecordedOp written_out(const Launch& op) {
    RecordedOp r;
    for (int i = 0; i < op.inputs; ++i) r.inputs.push_back(recorded(op.input(i)));
    for (int i = 0; i < op.outputs; ++i) {
      if (is_listed(op.output(i))) r.outputs.push_back(recorded(op.output(i)));
    }
    const OpCost cost = cost_of(op);
    r.flops = cost.flops_torch();
    r.read = cost.bytes_read;
    r.write = cost.bytes_written;
    r.counted = launches(op);
    return r;
  }

  // Of the growing loop in which the op grows, the iteration being written out; else 0.
  int64_t iteration_of(const Op& op) const {
    if (op.last < 0) return 0;
    auto at = static_cast<size_t>(op.scope);
    while (!trace_.scopes[at].growing) at = static_cast<size_t>(trace_.scopes[at].parent);
    return std::max<int64_t>(iteration_[at], 0);
  }

  // By how much live memory is above that of the op's first execution, for what the op does not tell itself.
  int64_t live_above_first(const Op& op) const {
    int64_t above = 0;
    bool knows = op.last >= 0;
    for (int32_t scope = op.scope; scope >= 0; scope = trace_.scopes[static_cast<size_t>(scope)].parent) {
      const Scope& s = trace_.scopes[static_cast<size_t>(scope)];
      if (s.growing && std::exchange(knows, false)) continue;
      above += s.live_step * std::max<int64_t>(iteration_[static_cast<size_t>(scope)], 0);
    }
    return above;
  }

  const Trace& trace_;
  std::vector<int64_t> iteration_;  // by scope; -1: not being written out
  std::vector<RecordedOp> out_;
};

// Adds the calls of the modules below a scope that itself runs `times` times as `path`; modules of a list that are
// directly in a repetition count on from the index of the first.
void add_calls(const Trace& trace, int32_t scope, const std::string& path, int64_t times,
               std::map<std::string, int64_t>& out) {
  const Scope& parent = trace.scopes[static_cast<size_t>(scope)];
  for (int32_t child = parent.first_child; child >= 0; child = trace.scopes[static_cast<size_t>(child)].next_sibling) {
    const Scope& s = trace.scopes[static_cast<size_t>(child)];
    if (s.kind != ScopeKind::module) {
      add_calls(trace, child, path, times * s.count, out);
      continue;
    }
    std::string at = path;
    if (!s.name.empty()) at += (at.empty() ? "" : ".") + std::string(s.name);
    if (s.index < 0 || parent.kind != ScopeKind::repetition) {
      if (s.index >= 0) at += '.' + std::to_string(s.index);
      out[at] += times * s.calls;
      add_calls(trace, child, at, times, out);
      continue;
    }
    for (int64_t i = 0; i < parent.count; ++i) {
      const std::string numbered = at + '.' + std::to_string(s.index + i);
      out[numbered] += times / parent.count * s.calls;
      add_calls(trace, child, numbered, times / parent.count, out);
    }
  }
}

}  // namespace

std::vector<RecordedOp> recorded_ops(const Trace& trace) {
  expect_every_kernel(trace);
  return Expansion(trace).take();
}

void add_storages(const Trace& trace, Recording& out) {
  if (folds(trace) || out.ops.size() != trace.ops.size()) return;
  StorageNumbers numbers;
  trace.storages.for_each([&](const Storage& s) {
    const bool on_device = s.place == Place::device ? s.born >= 0 : s.place == Place::given;
    if (!on_device || s.bytes == 0 || (s.born >= 0 && s.born == s.died)) return;
    numbers.emplace(&s, static_cast<int32_t>(out.storages.size()));
    const int32_t born = s.place == Place::given ? -1 : s.born;
    out.storages.push_back({s.bytes, born, s.died, s.role == nullptr ? "" : s.role});
  });
  for (size_t i = 0; i < trace.ops.size(); ++i) {
    const Op& op = trace.ops[i];
    RecordedOp& recorded = out.ops[i];
    recorded.detail = detail_of(trace, op);
    for (size_t k = 0; k < recorded.inputs.size(); ++k) {
      recorded.inputs[k] = placed(trace.input(op, static_cast<int>(k)), numbers);
    }
    size_t next = 0;
    for (int k = 0; k < op.outputs; ++k) {
      if (is_listed(trace.output(op, k))) recorded.outputs[next++] = placed(trace.output(op, k), numbers);
    }
  }
}

std::map<std::string, int64_t> module_calls(const Trace& trace) {
  std::map<std::string, int64_t> out;
  add_calls(trace, 0, "", 1, out);
  return out;
}

}  // namespace modelmeter
