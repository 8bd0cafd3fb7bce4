// Builds what a reference recording of Wan is of, with the sizes that the recording names.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/analytic_model.h"
#include "recording/recording.h"

namespace modelmeter::wan {

std::vector<std::string> recorded_classes();  // of root modules
std::unique_ptr<Stage> recorded_stage(const Recording& recording, const std::string& root_class);

}  // namespace modelmeter::wan
