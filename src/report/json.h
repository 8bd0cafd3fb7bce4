// The report as JSON text and back. The text is the same for the same report, byte for byte.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace modelmeter {

std::string to_json(const Report& report);
std::string to_yaml(const Report& report);  // the same document
// What a run came to: {"report_id", "files", "model", "workload", "runtime", "totals", "per_forward", "notes"}.
// `files`: the paths that it wrote.
std::string run_json(const Report& report, const std::vector<std::string>& files);

// Strict: Error naming the file and the field for anything that to_json() would not write.
Report report_from_json(const std::string& text, const std::string& file);

}  // namespace modelmeter
