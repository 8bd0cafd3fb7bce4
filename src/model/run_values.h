// The numbers of one run that a model's stages depend on: what a stage is given in place of a whole workload. The
// layers do not depend on them, so that another run needs no other model. Which number is what is the family's own
// (wan/run_sizes.h, deepseek_ocr/run_sizes.h). What follows from others is not one of them, where a forward reads it:
// whoever sets one has another run.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace modelmeter {

using RunValues = std::array<int64_t, 16>;

// A number of the run that one forward of a stage follows from. Forwards of equal ones record equal traces.
struct Dependence {
  size_t value;  // index in RunValues
  // Where it is on the lattice from, from + step, … to, the stage's sums and live memory are polynomials in it of at
  // most this degree, and its kernels are the same; -1: of no known form. Whoever builds on it checks it (sweep/).
  int degree = -1;
  int64_t from = 0, step = 1, to = 0;
};

// A key of the configuration that may change while the layers stay.
struct Setting {
  std::string key;  // "workload.num_frames"
  int64_t value;    // here; the number of one of `choices` where it is not an integer
  std::vector<std::string> choices = {};
};

}  // namespace modelmeter
