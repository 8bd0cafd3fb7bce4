// Words of the Python ModelMeter's command line, answered with the command that does the same here
// (docs/forerunner.md).
#pragma once

#include <string>
#include <vector>

namespace modelmeter::cli {

// Usage error where there are such words: --pipeline, --workload-profile-id, --run-id, --base-size, --image-size,
// --crop-mode, and overrides below workload.overrides. Its note is the whole command as it is typed here. `arguments`
// begin with the command.
void answer_forerunner(const std::vector<std::string>& arguments);

}  // namespace modelmeter::cli
