// The kernels that PyTorch launches, by their ATen names, with what the cost functions need to know of each.
// Adding one is a row in kernel.def and, if no existing rule fits, a list of factors in cost/op_factors.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace modelmeter {

enum class OpKind : uint8_t {
  matmul,
  attention,
  conv,
  norm,
  elementwise,
  reduction,
  softmax,
  gather,
  copy,  // copies, casts and layout changes, on the device
  resample,
  random,
  collective,
  transfer,  // between host and device
  allocate,  // memory without a kernel: empty and its kin
};

// How a kernel treats its inputs (reference: the byte rules of the recordings of real PyTorch runs).
enum class Reads : uint8_t {
  all,       // every distinct element of every distinct input
  none,      // fills: the inputs are only shapes
  source,    // copy_: overwrites its first input, reads the others
  gathered,  // embedding, index: as many elements of the table as are returned, plus the indices
  recorded,  // as RecordedKernel says
};

enum class Kernel : uint8_t {
#define MODELMETER_KERNEL(id, name, kind, reads, vector_flops, basis) id,
#include "trace/kernel.def"
#undef MODELMETER_KERNEL
};

// What `vector_flops` multiplies.
enum class Basis : uint8_t {
  output,
  input,
  listed,    // 1: the kernel's own figure, Op::params[0]
  recorded,  // 1: RecordedKernel::flops_vector
};

struct KernelInfo {
  std::string_view name;  // without "aten."
  OpKind kind;
  Reads reads;
  int vector_flops;  // arithmetic per element outside matrix units; docs/flops.md says how each was counted
  Basis basis;
};

inline constexpr KernelInfo kernel_table[] = {
#define MODELMETER_KERNEL(id, name, kind, reads, vector_flops, basis) \
  {name, OpKind::kind, Reads::reads, vector_flops, Basis::basis},
#include "trace/kernel.def"
#undef MODELMETER_KERNEL
};

constexpr const KernelInfo& info(Kernel kernel) { return kernel_table[static_cast<size_t>(kernel)]; }
// Whether its name and its figures are those of a recording (RecordedKernel in trace/trace.h).
constexpr bool is_recorded(Kernel kernel) { return kernel >= Kernel::recorded_matmul; }
std::string_view name_of(OpKind kind);

}  // namespace modelmeter
