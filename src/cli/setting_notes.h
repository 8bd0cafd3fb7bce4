// What is said of an option that there is none of, where it is a setting: settings are words without dashes, so that
// --device h100_sxm is device=h100_sxm and --num-frames 81 is workload.num_frames=81.
#pragma once

#include <string>
#include <vector>

namespace modelmeter::cli {

// `option` as it was typed (--num-frames, --device=h100), `next` the argument behind it or "". The groups that there
// are, and the keys of the configuration that the arguments name. Empty where nothing is near.
std::vector<std::string> setting_notes(const std::string& option, const std::string& next,
                                       const std::vector<std::string>& arguments);

}  // namespace modelmeter::cli
