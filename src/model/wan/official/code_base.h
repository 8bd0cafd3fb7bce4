// What Wan's own code makes: Wan-Video/Wan2.1 @9737cba and Wan2.2 @42bf4cf.
#pragma once

#include "model/wan/code_base.h"

namespace modelmeter::wan::official {

const CodeBase& code_base();

// What is on the device while each stage runs: the constructors and generate(), for the first video of a process.
std::vector<LoadedModel> loading(const Stages& stages, const ResidencyRules& rules);
std::vector<Residents> residents(const Stages& stages, const ResidencyRules& rules);

}  // namespace modelmeter::wan::official
