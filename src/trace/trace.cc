#include "trace/trace.h"

#include <fmt/format.h>

#include "base/checked.h"
#include "base/error.h"

namespace modelmeter {

void throw_trace_too_large(size_t most) {
  throw Error(
      fmt::format("this run has more than {} different tensors", most), {},
      {"what is done for each item of a batch, each tile or each layer is traced once where two are alike; these "
       "are not: make the sizes smaller"});
}

namespace {

constexpr int conv_bits = 20;  // for each spatial dimension, of which there are three at most
constexpr int64_t conv_limit = int64_t{1} << conv_bits;

int64_t packed(const Shape& numbers) {
  int64_t out = 0;
  for (int i = numbers.rank(); i-- > 0;) {
    if (numbers[i] < 0 || numbers[i] >= conv_limit || i >= 3) {
      throw Error("a convolution has a stride, padding or dilation of " + numbers.to_string());
    }
    out = out << conv_bits | numbers[i];
  }
  return out;
}

Shape unpacked(int64_t numbers, int rank) {
  Shape out;
  for (int i = 0; i < rank; ++i) out.push_back(numbers >> (conv_bits * i) & (conv_limit - 1));
  return out;
}

}  // namespace

std::array<int64_t, 3> conv_params(const ConvGeometry& geometry) {
  return {packed(geometry.stride), packed(geometry.padding), packed(geometry.dilation)};
}

ConvGeometry Trace::conv_geometry(const Op& op) const {
  const int rank = input(op, 0).sizes.rank() - 2;
  return {unpacked(op.params[0], rank), unpacked(op.params[1], rank), unpacked(op.params[2], rank)};
}

std::string Trace::kernel_name(const Op& op) const {
  if (const RecordedKernel* kernel = recorded_kernel(op)) return std::string(kernel->name);
  const std::string_view name = info(op.kernel).name;
  return name.find('.') == std::string_view::npos ? "aten." + std::string(name) : std::string(name);
}

std::string Trace::short_kernel_name(const Op& op) const {
  const std::string name = kernel_name(op);
  return name.rfind("aten.", 0) == 0 ? name.substr(5) : name;
}

Transfer Trace::transfer_of(const Op& op) const {
  if (info(op.kernel).kind != OpKind::copy || op.inputs == 0 || op.outputs == 0) return Transfer::none;
  const bool from_host = input(op, op.inputs - 1).storage->place == Place::host;  // copy_ has its target first
  const bool to_host = output(op, 0).storage->place == Place::host;
  if (from_host == to_host) return Transfer::none;
  return to_host ? Transfer::to_host : Transfer::to_device;
}

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
  recorded.clear();
  scopes.clear();
  calls.clear();
  shared_calls.clear();
  execution = Execution::eager;
  given_bytes = 0;
  grown.clear();
  carried.clear();
  handed_on.clear();
  of_stages.clear();
  residences.clear();
  metas.clear();
  strides.clear();
  storages.clear();
}

}  // namespace modelmeter
