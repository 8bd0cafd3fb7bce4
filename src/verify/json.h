// What was compared and what differs, as JSON text.
#pragma once

#include <string>
#include <vector>

#include "verify/suite.h"

namespace modelmeter {

// {"equal", "references": [one object for each]}: totals of both sides, counts of what was compared, differences.
std::string references_json(const std::vector<VerifiedReference>& references);

// The same of a suite: {"mode", "workload", "equal", "references"}; of the view `layers` with every module. `mode` is
// the name of the view.
std::string suite_json(const std::vector<VerifiedReference>& references, const std::string& mode,
                       const std::string& workload);

}  // namespace modelmeter
