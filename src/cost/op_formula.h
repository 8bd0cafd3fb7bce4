// The lists of factors of op_factors.h written out, with an op's own numbers put in: "2 m k n", "2 x 512 x 1280 x
// 1280". For explanations.
#pragma once

#include <cstdint>
#include <string>

#include "cost/op_factors.h"

namespace modelmeter {

// A product, or for bytes a sum of products; `value` is what it comes to.
struct Formula {
  std::string symbols;  // "2 m k n"; "" where there is nothing to count
  std::string numbers;  // "2 x 512 x 1280 x 1280"
  int64_t value = 0;
};

struct OpFormula {
  Formula tensor_flops;  // of matrix units
  Formula vector_flops;
  Formula read, written;  // bytes
};

OpFormula formula_of(const Launch& op);
inline OpFormula formula_of(const Trace& trace, const Op& op) { return formula_of(launch_of(trace, op)); }

}  // namespace modelmeter
