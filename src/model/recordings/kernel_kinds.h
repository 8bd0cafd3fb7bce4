// What a kernel is by the name that PyTorch gives it.
#pragma once

#include <optional>
#include <string>

#include "trace/kernel.h"

namespace modelmeter::recordings {

// "aten.addmm": one of modelmeter's own, if it is one.
std::optional<Kernel> kernel_named(const std::string& name);

// What kind of kernel it is, by the words in its name; elementwise where none says otherwise. Memory alone (empty and
// its kin) is `allocate`.
OpKind kind_of_name(const std::string& name);

// The kernel that stands for recorded ones of that kind.
Kernel recorded_kernel_of(OpKind kind);

// Arithmetic per element: that of modelmeter's own kernel of the same name without "_" (in place), twice that of the
// forward for "_backward", one where neither is known. `of_input`: an element of the first input, else of the outputs.
struct Arithmetic {
  int64_t per_element = 1;
  bool of_input = false;
};
Arithmetic arithmetic_of_name(const std::string& name);

}  // namespace modelmeter::recordings
