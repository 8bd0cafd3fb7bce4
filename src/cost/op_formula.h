// The formulas of op_cost.h written out, with an op's own numbers put in: "2 m n k", "2 x 512 x 1280 x 1280". For
// explanations; tests hold that each expression's value is what op_cost.h counts.
#pragma once

#include <string>
#include <vector>

#include "cost/op_cost.h"

namespace modelmeter {

// A product, or for bytes a sum of products; `value` is what it comes to.
struct Formula {
  std::string symbols;  // "2 m n k"; "" where there is nothing to count
  std::string numbers;  // "2 x 512 x 1280 x 1280"
  int64_t value = 0;
};

struct OpFormula {
  Formula tensor_flops;  // of matrix units
  Formula vector_flops;
  Formula read, written;  // bytes
};

// Error (internal) where a formula does not come to what cost_of() counts.
OpFormula formula_of(const Trace& trace, const Op& op);

}  // namespace modelmeter
