// What a workload is called: the preset that its values are of. Values that were set after it was chosen are in its
// name ("wan2-1-720p+num_frames=81"), or make it another preset where they are all that one's.
#pragma once

#include <string>
#include <vector>

#include "config/access.h"

namespace modelmeter {

struct PresetLabels {
  std::string preset_id;    // as chosen: workload.profile_id
  std::string profile_id;   // of the values
  std::string description;  // of the preset that they are of; "" where they are of none
};

// workload: profile_id, description, presets (by name; may be missing) and the values. Keys of presets that decide
// nothing of what is run are passed over. Errors at a preset that is no map.
PresetLabels preset_labels(const config::View& workload, const std::vector<std::string>& passed_over);

}  // namespace modelmeter
