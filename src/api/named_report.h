// Reports of what people name: a report that was written, a recording, a configuration.
#pragma once

#include <string>
#include <vector>

#include "api/request.h"
#include "report/report.h"

namespace modelmeter {

// A recording's file as a configuration, with these words (device=…, host=…, stack=…, report=…), whose options may also
// be in these folders of configs.
ConfigRequest recording_request(const std::string& file, const std::vector<std::string>& words,
                                const std::vector<std::string>& config_dirs = {});

// What analyze would say of a configuration; nothing is written.
Report report_of(ConfigRequest asked);

// A file with a recording: gzipped, or JSON of its schema.
bool is_recording(const std::string& file);

// Of a report.json, the folder or the id of a run (report_path()), or the file of a recording, analysed with `words`.
// Error for words beside a report, which is what it is.
Report named_report(const std::string& name, const std::vector<std::string>& words = {},
                    const std::vector<std::string>& config_dirs = {});

}  // namespace modelmeter
