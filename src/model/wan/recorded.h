// What the header of a recording of Wan says, as the configuration that builds it. The other way, from a model to the
// header of what `modelmeter trace` writes, is Wan2_1Model::describe(), in the same file.
#pragma once

#include <string>
#include <vector>

#include "config/node.h"
#include "model/registry.h"
#include "recording/recording.h"

namespace modelmeter::wan {

// The classes of recorded root modules, of all code bases.
std::vector<std::string> recorded_classes();

// `root_class` is one of them. Nothing is taken from the kernels; what the header does not say is left to the code
// base's defaults, and the generation to Wan2.1. Errors name the field of the header.
config::Node configuration_of(const Recording& recording, const std::string& root_class);

// Of an older header, which may not say whether each token has a time step.
std::vector<HeaderReading> readings_of(const Recording& recording, const std::string& root_class);

}  // namespace modelmeter::wan
