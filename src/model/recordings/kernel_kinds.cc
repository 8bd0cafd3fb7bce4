#include "model/recordings/kernel_kinds.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <string_view>
#include <unordered_map>

namespace modelmeter::recordings {
namespace {

constexpr std::string_view aten = "aten.", backward = "_backward", foreach = "_foreach_";

std::string plain(const std::string& name) { return name.rfind(aten, 0) == 0 ? name.substr(aten.size()) : name; }

bool has_any(const std::string& name, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return name.find(word) != std::string::npos; });
}
bool is_any(const std::string& name, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), name) != words.end();
}

std::optional<Kernel> known(const std::string& name) {
  static const std::unordered_map<std::string_view, Kernel> table = [] {
    std::unordered_map<std::string_view, Kernel> out;
    for (size_t i = 0; i < std::size(kernel_table); ++i) {
      const auto kernel = static_cast<Kernel>(i);
      if (!is_recorded(kernel) && kernel_table[i].basis != Basis::listed) out.emplace(kernel_table[i].name, kernel);
    }
    return out;
  }();
  const auto found = table.find(name);
  if (found == table.end()) return std::nullopt;
  return found->second;
}

// The kernel whose forward it is, that it is in place, or of many tensors.
std::string base_of(std::string name) {
  if (name.rfind(foreach, 0) == 0) name = name.substr(foreach.size());
  if (name.size() > backward.size() && name.compare(name.size() - backward.size(), backward.size(), backward) == 0) {
    name.resize(name.size() - backward.size());
  }
  if (name.size() > 1 && name.back() == '_' && name[name.size() - 2] != '_') name.pop_back();
  return name;
}

}  // namespace

std::optional<Kernel> kernel_named(const std::string& name) { return known(plain(name)); }

OpKind kind_of_name(const std::string& name) {
  const std::string plain_name = plain(name), base = base_of(plain_name);
  if (has_any(plain_name, {"c10d", "all_reduce", "all_gather", "reduce_scatter", "all_to_all"})) {
    return OpKind::collective;
  }
  if (plain_name.find("empty") != std::string::npos) return OpKind::allocate;
  if (plain_name.rfind(foreach, 0) == 0 && base != "norm") return base == "copy" ? OpKind::copy : OpKind::elementwise;
  if (plain_name.rfind("_fused_", 0) == 0 && has_any(plain_name, {"adam", "sgd", "adagrad"})) {
    return OpKind::elementwise;
  }
  if (const std::optional<Kernel> kernel = known(base)) return info(*kernel).kind;
  if (has_any(base, {"attention", "flash_attn", "flex_attn"})) return OpKind::attention;
  if (has_any(base, {"convolution", "conv1d", "conv2d", "conv3d", "conv_depthwise", "conv_transpose"})) {
    return OpKind::conv;
  }
  const bool product = base.size() > 1 && base.compare(base.size() - 2, 2, "mm") == 0;
  if (product || is_any(base, {"mv", "addmv", "dot", "vdot", "addbmm", "addr", "ger", "linear", "_addmm_activation"})) {
    return OpKind::matmul;
  }
  if (has_any(base, {"batch_norm", "layer_norm", "layernorm", "group_norm", "rms_norm", "instance_norm"})) {
    return OpKind::norm;
  }
  if (has_any(base, {"softmax"})) return OpKind::softmax;
  if (has_any(base, {"embedding", "gather", "scatter", "index", "take"})) return OpKind::gather;
  if (has_any(base, {"pool", "upsample", "grid_sampler", "interpolate"})) return OpKind::resample;
  if (has_any(base, {"rand", "bernoulli", "normal_", "uniform", "exponential", "multinomial"})) return OpKind::random;
  if (has_any(base,
              {"copy",   "clone", "convert_element", "cat",  "stack",  "repeat", "roll",   "flip",   "pad",    "tril",
               "triu",   "fill",  "zeros",           "ones", "arange", "eye",    "unfold", "im2col", "col2im", "slice",
               "select", "full"})) {
    return OpKind::copy;
  }
  if (has_any(base, {"loss", "var", "std", "prod", "norm", "argm", "cumsum", "cumprod", "logsumexp", "median", "count",
                     "bincount", "searchsorted", "unique", "sort", "topk"}) ||
      is_any(base, {"sum", "mean", "min", "max", "amin", "amax", "all", "any"})) {
    return OpKind::reduction;
  }
  return OpKind::elementwise;
}

Kernel recorded_kernel_of(OpKind kind) {
  switch (kind) {
    case OpKind::matmul: return Kernel::recorded_matmul;
    case OpKind::attention: return Kernel::recorded_attention;
    case OpKind::conv: return Kernel::recorded_conv;
    case OpKind::norm: return Kernel::recorded_norm;
    case OpKind::elementwise: return Kernel::recorded_elementwise;
    case OpKind::reduction: return Kernel::recorded_reduction;
    case OpKind::softmax: return Kernel::recorded_softmax;
    case OpKind::gather: return Kernel::recorded_gather;
    case OpKind::resample: return Kernel::recorded_resample;
    case OpKind::random: return Kernel::recorded_random;
    case OpKind::collective: return Kernel::recorded_collective;
    case OpKind::copy:
    case OpKind::transfer:
    case OpKind::allocate: return Kernel::recorded_copy;
  }
  return Kernel::recorded_elementwise;
}

Arithmetic arithmetic_of_name(const std::string& name) {
  const std::string plain_name = plain(name), base = base_of(plain_name);
  const OpKind kind = kind_of_name(name);
  if (kind == OpKind::copy || kind == OpKind::gather || kind == OpKind::random || kind == OpKind::allocate) return {0};
  const std::optional<Kernel> kernel = known(base);
  if (!kernel) return {1};
  const KernelInfo& known_kernel = info(*kernel);
  const bool is_backward = plain_name.find(backward) != std::string::npos;
  const int64_t passes = is_backward ? 2 : 1;
  return {passes * known_kernel.vector_flops, known_kernel.basis == Basis::input};
}

}  // namespace modelmeter::recordings
