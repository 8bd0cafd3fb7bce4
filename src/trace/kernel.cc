#include "trace/kernel.h"

namespace modelmeter {
namespace {

constexpr std::string_view kind_names[] = {"matmul",    "attention",  "conv",     "norm",    "elementwise",
                                           "reduction", "softmax",    "gather",   "copy",    "resample",
                                           "random",    "collective", "transfer", "allocate"};

}  // namespace

std::string_view name_of(OpKind kind) { return kind_names[static_cast<size_t>(kind)]; }

}  // namespace modelmeter
