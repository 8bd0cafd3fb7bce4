#include "cost/live_memory.h"

#include <algorithm>
#include <unordered_map>

#include "base/checked.h"
#include "cost/executions.h"

namespace modelmeter {
namespace {

constexpr char live_memory[] = "live memory";

// The outermost growing repetition that the scope is in, or -1.
int32_t growing_scope(const Trace& trace, int32_t scope) {
  int32_t found = -1;
  for (; scope >= 0; scope = trace.scopes[static_cast<size_t>(scope)].parent) {
    if (trace.scopes[static_cast<size_t>(scope)].growing) found = scope;
  }
  return found;
}

// Sizes in the last repetition of what the growing repetition carries on, and of what its ops take and make, by the
// storage of the first one.
std::unordered_map<const Storage*, int64_t> last_sizes(const Trace& trace, int32_t growing) {
  std::unordered_map<const Storage*, int64_t> out;
  for (const Grown& g : trace.grown) {
    if (growing_scope(trace, g.scope) == growing) out.emplace(g.first, g.last_bytes);
  }
  for (const Op& op : trace.ops) {
    if (op.last < 0 || growing_scope(trace, op.scope) != growing) continue;
    const Op& last = trace.last_ops[static_cast<size_t>(op.last)];
    for (int i = 0; i < op.inputs + op.outputs; ++i) {
      const TensorMeta& a = trace.operand(op, i);
      const TensorMeta& b = trace.operand(last, i);
      out.emplace(a.storage, b.storage->bytes);
    }
  }
  return out;
}

// The op that made each storage: the first that gives it.
std::unordered_map<const Storage*, int32_t> makers(const Trace& trace) {
  std::unordered_map<const Storage*, int32_t> out;
  for (size_t i = 0; i < trace.ops.size(); ++i) {
    const auto made_by = [&](const Op& op) {
      for (int k = 0; k < op.outputs; ++k) out.emplace(trace.output(op, k).storage, static_cast<int32_t>(i));
    };
    const Op& op = trace.ops[i];
    made_by(op);
    if (op.last >= 0) made_by(trace.last_ops[static_cast<size_t>(op.last)]);
  }
  return out;
}

bool alive_after(const Storage& storage, int32_t op) {
  return storage.place == Place::device && storage.born >= 0 && storage.born <= op &&
         (storage.died < 0 || storage.died > op) && storage.bytes > 0;
}

}  // namespace

Rise rise_within(const Scope& scope, const Rise& parent) {
  const int64_t rise = scope.live_step <= 0 ? 0 : checked_mul(scope.count - 1, scope.live_step, live_memory);
  Rise out = parent;
  out.all = checked_add(out.all, rise, live_memory);
  if (!scope.growing) out.outside_growing = checked_add(out.outside_growing, rise, live_memory);
  return out;
}

std::vector<Rise> rises(const Trace& trace) {
  std::vector<Rise> out(trace.scopes.size());
  for (size_t i = 0; i < trace.scopes.size(); ++i) {
    const Scope& scope = trace.scopes[i];
    out[i] = rise_within(scope, scope.parent >= 0 ? out[static_cast<size_t>(scope.parent)] : Rise());
  }
  return out;
}

std::vector<int64_t> streamed_weights(const Trace& trace) {
  std::vector<int64_t> out(trace.ops.size() + 1);
  trace.storages.for_each([&](const Storage& storage) {
    if (storage.role != streamed_role || storage.born < 0) return;
    out[static_cast<size_t>(storage.born)] += storage.bytes;
    if (storage.died >= 0) out[static_cast<size_t>(storage.died)] -= storage.bytes;
  });
  for (size_t i = 1; i < out.size(); ++i) out[i] += out[i - 1];
  out.pop_back();
  return out;
}

Alive alive_at(const Trace& trace, int32_t index) {
  expect_every_kernel(trace);
  const Op& op = trace.ops[static_cast<size_t>(index)];
  const int64_t highest = highest_live(trace, op, rises(trace)[static_cast<size_t>(op.scope)]);
  const int32_t growing = highest > op.live ? growing_scope(trace, op.scope) : -1;
  std::unordered_map<const Storage*, int64_t> grown;
  if (growing >= 0) grown = last_sizes(trace, growing);
  const std::unordered_map<const Storage*, int32_t> made_by = makers(trace);

  Alive out;
  out.other = highest;
  const Storage* previous = nullptr;
  std::unordered_map<const Storage*, bool> seen;
  trace.metas.for_each([&](const TensorMeta& meta) {
    const Storage* storage = meta.storage;
    if (storage == previous || !alive_after(*storage, index) || !seen.emplace(storage, true).second) return;
    previous = storage;
    const auto size = grown.find(storage);
    const auto maker = made_by.find(storage);
    out.tensors.push_back(
        {&meta, size == grown.end() ? storage->bytes : size->second, maker == made_by.end() ? -1 : maker->second});
    out.other -= out.tensors.back().bytes;
  });
  std::stable_sort(out.tensors.begin(), out.tensors.end(),
                   [](const AliveTensor& a, const AliveTensor& b) { return a.bytes > b.bytes; });
  return out;
}

}  // namespace modelmeter
