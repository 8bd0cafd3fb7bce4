#include "hardware/kernel_stack.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/edit_distance.h"

namespace modelmeter {
namespace {

constexpr double microsecond = 1e-6, nanosecond = 1e-9;

// A group of constants with one source: {source: fit, efficiency: 0.96, fixed_us: 2.7}.
template <class T>
struct Row {
  const char* key;
  double T::* member;
  double unit;
  bool required;
};

template <class T, size_t N>
T read_group(const config::View& view, const Row<T> (&rows)[N], const std::vector<Source>& sources,
             const std::vector<std::string>& more = {}) {
  std::vector<std::string> known = more;
  known.emplace_back("source");
  for (const Row<T>& row : rows) known.emplace_back(row.key);
  view.require_known_keys(known);
  const std::string source = view.get<std::string>("source");
  std::vector<std::string> names;
  for (const Source& s : sources) names.push_back(s.key);
  if (std::find(names.begin(), names.end(), source) == names.end()) {
    throw view.at("source").error(fmt::format("no source '{}' in this file", source),
                                  name_notes(source, names, "sources"));
  }
  T out;
  for (const Row<T>& row : rows) {
    if (row.required || view.has(row.key)) out.*row.member = view.get_non_negative<double>(row.key) * row.unit;
  }
  return out;
}

constexpr Row<MemoryConstants> memory_rows[] = {
    {"fixed_us", &MemoryConstants::fixed, microsecond, true},
    {"per_clock", &MemoryConstants::per_clock, 1, false},
    {"memory", &MemoryConstants::memory, 1, false},
    {"in_l2", &MemoryConstants::in_l2, 1, false},
    {"row_clocks", &MemoryConstants::row, 1, false},
    {"element_ns", &MemoryConstants::element, nanosecond, false},
    {"overlap", &MemoryConstants::overlap, 1, false},
    {"ramp_us", &MemoryConstants::ramp, microsecond, false},
};

constexpr Row<GemmConstants> gemm_rows[] = {
    {"efficiency", &GemmConstants::efficiency, 1, true},
    {"tile_loss", &GemmConstants::tile_loss, 1, true},
    {"wide_tile_loss", &GemmConstants::wide_tile_loss, 1, true},
    {"prologue", &GemmConstants::prologue, 1, true},
    {"fixed_us", &GemmConstants::fixed, microsecond, true},
    {"step_us", &GemmConstants::step, microsecond, true},
    {"split_us", &GemmConstants::split, microsecond, true},
    {"drain_us", &GemmConstants::drain, microsecond, true},
    {"memory", &GemmConstants::memory, 1, true},
    {"wave_us", &GemmConstants::wave, microsecond, false},
    {"narrow", &GemmConstants::narrow, 1, false},
    {"latency_us", &GemmConstants::latency, microsecond, false},
    {"overlap", &GemmConstants::overlap, 1, false},
    {"unaligned_us", &GemmConstants::unaligned, microsecond, true},
    {"vector", &GemmConstants::vector, 1, true},
    {"operands", &GemmConstants::operands, 1, false},
    {"stream", &GemmConstants::stream, 1, false},
    {"unaligned_step_us", &GemmConstants::unaligned_step, microsecond, true},
    {"unaligned_block_us", &GemmConstants::unaligned_block, microsecond, false},
    {"vector_product_us", &GemmConstants::vector_product, microsecond, false},
    {"between_us", &GemmConstants::between, microsecond, false},
    {"full_rate", &GemmConstants::full_rate, 1, false},
};

constexpr Row<AttentionConstants> attention_rows[] = {
    {"per_clock", &AttentionConstants::per_clock, 1, true},
    {"rows", &AttentionConstants::rows, 1, true},
    {"keys", &AttentionConstants::keys, 1, true},
    {"step", &AttentionConstants::step, 1, true},
    {"pad", &AttentionConstants::pad, 1, true},
    {"blocks", &AttentionConstants::blocks, 1, true},
    {"alone", &AttentionConstants::alone, 1, true},
    {"fixed_us", &AttentionConstants::fixed, microsecond, true},
    {"masked", &AttentionConstants::masked, 1, false},
};

constexpr Row<ConvolutionConstants::Shares> convolution_shares[] = {
    {"tiles", &ConvolutionConstants::Shares::tiles, 1, true},
    {"full", &ConvolutionConstants::Shares::full, 1, false},
    {"pointwise", &ConvolutionConstants::Shares::pointwise, 1, true},
    {"operands", &ConvolutionConstants::Shares::operands, 1, true},
    {"tile_loss", &ConvolutionConstants::Shares::tile_loss, 1, false},
    {"wave_us", &ConvolutionConstants::Shares::wave, microsecond, false},
    {"fixed_us", &ConvolutionConstants::Shares::fixed, microsecond, false},
};

constexpr Row<ConvolutionConstants> convolution_rows[] = {
    {"operands_2d", &ConvolutionConstants::operands_2d, 1, true},
    {"patch_step_clocks", &ConvolutionConstants::patch_step, 1, true},
    {"first_layer", &ConvolutionConstants::first_layer, 1, true},
    {"vector", &ConvolutionConstants::vector, 1, true},
    {"fixed_us", &ConvolutionConstants::fixed, microsecond, true},
};

std::map<int64_t, AttentionConstants> read_heads(const config::View& kernel, const std::vector<Source>& sources) {
  std::map<int64_t, AttentionConstants> out;
  for (const std::string& key : kernel.keys()) {
    constexpr std::string_view prefix = "head_";
    const bool named = key.rfind(prefix, 0) == 0 && key.size() > prefix.size() &&
                       key.find_first_not_of("0123456789", prefix.size()) == std::string::npos;
    if (!named) throw kernel.at(key).error("a head size is written head_128");
    out[std::stoll(key.substr(prefix.size()))] = read_group(kernel.child(key), attention_rows, sources);
  }
  return out;
}

GemmConstants read_gemm(const config::View& view, const std::vector<Source>& sources) {
  GemmConstants out = read_group(view, gemm_rows, sources);
  if (out.overlap < 1) throw view.at("overlap").expected("a power of 1 or more");
  return out;
}

ArchitectureConstants read_architecture(const config::View& view, const std::string& name,
                                        const std::vector<Source>& sources) {
  view.require_known_keys({"gemm", "gemm_fp4", "convolution", "attention"});
  ArchitectureConstants out;
  out.name = name;
  out.gemm = read_gemm(view.child("gemm"), sources);
  if (view.has("gemm_fp4")) out.gemm_fp4 = read_gemm(view.child("gemm_fp4"), sources);
  const config::View convolution = view.child("convolution");
  out.convolution = read_group(convolution, convolution_rows, sources, {"tf32", "half"});
  out.convolution.tf32 = read_group(convolution.child("tf32"), convolution_shares, sources);
  out.convolution.half = read_group(convolution.child("half"), convolution_shares, sources);
  const config::View attention = view.child("attention");
  attention.require_known_keys({"flash", "cudnn", "efficient"});
  for (const std::string& kernel : attention.keys()) {
    out.attention[kernel] = read_heads(attention.child(kernel), sources);
  }
  return out;
}

}  // namespace

const std::array<const char*, memory_classes>& memory_class_names() {
  static const std::array<const char*, memory_classes> names = {"vectorized",
                                                                "vectorized_heavy",
                                                                "vectorized_silu",
                                                                "fill",
                                                                "unrolled_widen",
                                                                "unrolled_binary",
                                                                "unrolled_wide",
                                                                "unrolled_from_wide",
                                                                "broadcast",
                                                                "strided",
                                                                "broadcast_narrow",
                                                                "strided_narrow",
                                                                "broadcast_mixed",
                                                                "copy",
                                                                "reduction",
                                                                "reduction_outer",
                                                                "layer_norm",
                                                                "layer_norm_narrow",
                                                                "rms_norm",
                                                                "softmax",
                                                                "softmax_wide",
                                                                "softmax_wide_narrow",
                                                                "softmax_long",
                                                                "cat_batched",
                                                                "gather",
                                                                "scatter",
                                                                "resample",
                                                                "random",
                                                                "generated",
                                                                "to_channels_last",
                                                                "to_channels_last_narrow",
                                                                "from_channels_last",
                                                                "from_channels_last_narrow"};
  return names;
}

const ArchitectureConstants& KernelStack::architecture(const std::string& wanted) const {
  std::vector<std::string> names;
  for (const ArchitectureConstants& a : architectures) {
    if (a.name == wanted) return a;
    names.push_back(a.name);
  }
  throw Error(fmt::format("the stack {} has no kernels for {}", id, wanted), {},
              name_notes(wanted, names, "architectures"));
}

KernelStack read_kernel_stack(const config::View& file, const std::string& id) {
  file.require_known_keys({"name", "sources", "kernels", "small_kernel", "architectures"});
  KernelStack out;
  out.id = id;
  out.name = file.get<std::string>("name");
  out.sources = read_sources(file);
  const config::View kernels = file.child("kernels");
  const auto& names = memory_class_names();
  kernels.require_known_keys(std::vector<std::string>(names.begin(), names.end()));
  for (size_t i = 0; i < memory_classes; ++i) {
    const config::View kernel = kernels.child(names[i]);
    out.memory[i] = read_group(kernel, memory_rows, out.sources);
    if (out.memory[i].overlap < 1) throw kernel.at("overlap").expected("a power of 1 or more");
  }
  out.small_kernel = read_quantity(file, "small_kernel", Dimension::time, out.sources).value;
  const config::View architectures = file.child("architectures");
  for (const std::string& name : architectures.keys()) {
    out.architectures.push_back(read_architecture(architectures.child(name), name, out.sources));
  }
  return out;
}

}  // namespace modelmeter
