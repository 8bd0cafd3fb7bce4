#include "api/named_report.h"

#include <fmt/format.h>

#include <filesystem>

#include "api/analysis.h"
#include "api/config_source.h"
#include "api/report_path.h"
#include "base/error.h"
#include "base/files.h"
#include "base/gzip.h"
#include "recording/recording.h"
#include "report/json.h"

namespace modelmeter {
namespace {

constexpr size_t schema_within = 4096;  // of a document's first bytes

bool has_ending(const std::string& name, const std::string& ending) {
  return name.size() > ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0;
}

}  // namespace

ConfigRequest recording_request(const std::string& file, const std::vector<std::string>& words,
                                const std::vector<std::string>& config_dirs) {
  ConfigRequest out{recording_config, {recording_word(file)}, "", config_dirs};
  out.overrides.insert(out.overrides.end(), words.begin(), words.end());
  return out;
}

Report report_of(ConfigRequest asked) {
  const Request request(std::move(asked));
  const std::unique_ptr<AnalyticModel> model = request.model();
  return Analysis(request.view(), *model, request.machine(), request.asked().overrides).report();
}

bool is_recording(const std::string& file) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return false;
  if (has_ending(file, ".gz")) return true;
  return read_file(file).substr(0, schema_within).find("\"modelmeter.reference/") != std::string::npos;
}

Report named_report(const std::string& name, const std::vector<std::string>& words,
                    const std::vector<std::string>& config_dirs) {
  if (is_recording(name)) return report_of(recording_request(name, words, config_dirs));
  const std::string file = report_path(name);
  if (!words.empty()) {
    throw Error(ErrorCode::usage,
                fmt::format("'{}' goes with a recording or a configuration, not with a report", words.front()));
  }
  return report_from_json(read_file(file), file);
}

}  // namespace modelmeter
