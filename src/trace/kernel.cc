#include "trace/kernel.h"

namespace modelmeter {
namespace {

constexpr KernelInfo table[] = {
#define MODELMETER_KERNEL(id, name, kind, reads, vector_flops, basis) \
  {name, OpKind::kind, Reads::reads, vector_flops, Basis::basis},
#include "trace/kernel.def"
#undef MODELMETER_KERNEL
};

constexpr std::string_view kind_names[] = {"matmul", "attention", "conv",     "norm",   "elementwise", "reduction", "softmax",
                                           "gather", "copy",      "resample", "random", "collective",  "transfer",  "allocate"};

}  // namespace

const KernelInfo& info(Kernel kernel) { return table[static_cast<size_t>(kernel)]; }
std::string_view name_of(OpKind kind) { return kind_names[static_cast<size_t>(kind)]; }

}  // namespace modelmeter
