// What a run waits for: by how much it is shorter with a tenth more of each resource, the others as they are.
#pragma once

#include <string>
#include <vector>

#include "timing/run_time.h"

namespace modelmeter {

struct Sensitivity {
  std::string resource;
  double seconds = 0;  // wall time of the run with a tenth more of it
};

// Matrix units, vector units (and what else follows the clock), bandwidth of memory, size of L2, the power limit, the
// host. A resource that the device's file does not give is left out.
std::vector<Sensitivity> sensitivities(const Evaluation& run, const Machine& machine);

}  // namespace modelmeter
