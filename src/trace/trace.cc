#include "trace/trace.h"

#include "base/checked.h"

namespace modelmeter {

int64_t Trace::executions(int32_t scope) const {
  int64_t n = 1;
  for (; scope >= 0; scope = scopes[static_cast<size_t>(scope)].parent) {
    n = checked_mul(n, scopes[static_cast<size_t>(scope)].count, "the number of repetitions");
  }
  return n;
}

bool Trace::is_within(int32_t scope, int32_t ancestor) const {
  // A parent has a lower index than its children.
  while (scope > ancestor) scope = scopes[static_cast<size_t>(scope)].parent;
  return scope == ancestor;
}

std::string Trace::path(int32_t scope) const {
  const Scope& s = scopes[static_cast<size_t>(scope)];
  std::string out = s.parent >= 0 ? path(s.parent) : std::string();
  if (s.kind != ScopeKind::module || s.name.empty()) return out;
  if (!out.empty()) out += '.';
  out += s.name;
  if (s.index >= 0) out += '.' + std::to_string(s.index);
  return out;
}

void Trace::clear() {
  ops.clear();
  last_ops.clear();
  operands.clear();
  scopes.clear();
  calls.clear();
  shared_calls.clear();
  given_bytes = 0;
  grown.clear();
  residences.clear();
  metas.clear();
  strides.clear();
  storages.clear();
}

}  // namespace modelmeter
