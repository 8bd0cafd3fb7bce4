// Reports as people name them: a file, a run's folder, or the id of a run.
#pragma once

#include <string>

namespace modelmeter {

// The report.json that a name stands for: a file as it is; of a folder its own, or the one below it in
// static_analysis/*/; of a run's id that of tmp/profile-output/<id>. Error where there is none, or more than one.
std::string report_path(const std::string& name);

}  // namespace modelmeter
