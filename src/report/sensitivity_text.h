// By how much a run is shorter with a tenth more of each resource (timing/sensitivity.h), for people and as JSON.
#pragma once

#include <string>
#include <vector>

#include "timing/sensitivity.h"

namespace modelmeter {

// `wall`: s that the run takes on the machine as it is.
std::string sensitivity_text(double wall, const std::vector<Sensitivity>& resources);
std::string sensitivity_json(double wall, const std::vector<Sensitivity>& resources);

}  // namespace modelmeter
