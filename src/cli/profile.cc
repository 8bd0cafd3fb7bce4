// modelmeter profile import: a profile of a real run against the trace of a configuration.
#include <fmt/format.h>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/files.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/session.h"
#include "report/json.h"
#include "verify/profile_report.h"

namespace modelmeter::cli {
namespace {

void fill(const std::string& file, const ProfileReport& measured) {
  Report report = report_from_json(read_file(file), file);
  try {
    fill_report(measured, report);
  } catch (const Error& error) {
    throw error.with_note(fmt::format("the report is {}", file));
  }
  write_file(file, to_json(report));
}

}  // namespace

int profile(const CommandLine& line) {
  const std::vector<Flag> flags = with_common({
      {"--config-name", "-cn", "NAME", "the configuration that it is a profile of, with overrides"},
      {"--stage", "-s", "ID", "the stage that was profiled; by default the one that matches best"},
      {"--device", "-d", "NAME", "the device that it was taken on, in place of what it says"},
      {"--out", "-o", "FILE", "write its launches too, as a table that validate and calibrate take"},
      {"--report", "-r", "FILE", "a report.json of the same configuration: fill in what was measured"},
      {"--run-id", "", "ID", "what the report calls the profile; by default the name of its file"},
      {"--config-dir", "-cd", "DIR", "one more folder of configs"},
  });
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(command_help("profile", flags)), 0;
  if (arguments.rest().empty() || arguments.rest().front() != "import") {
    const std::string given = arguments.rest().empty() ? "" : arguments.rest().front();
    throw Error(ErrorCode::usage, "what to do with a profile? profile import FILE", {},
                given.empty() ? std::vector<std::string>{} : name_notes(given, {"import"}, "known"));
  }
  std::vector<std::string> files, overrides;
  for (size_t i = 1; i < arguments.rest().size(); ++i) {
    const std::string& text = arguments.rest()[i];
    (text.find('=') == std::string::npos ? files : overrides).push_back(text);
  }
  if (files.size() != 1) throw Error(ErrorCode::usage, "one file: profile import FILE");
  const std::string config_name = arguments.value("--config-name");
  if (config_name.empty() && !overrides.empty()) {
    throw Error(ErrorCode::usage, fmt::format("'{}' goes with --config-name", overrides.front()));
  }
  for (const char* flag : {"--stage", "--report"}) {
    if (!config_name.empty() || !arguments.has(flag)) continue;
    throw Error(ErrorCode::usage, fmt::format("{} goes with --config-name", flag));
  }
  const std::string root = find_data_root();
  const config::Repository repository(root + "/configs", arguments.values("--config-dir"));
  const ValidationContext context{repository, {root}, arguments.value("--device"), config_name, overrides};
  const Profile read = read_profile(files.front());
  ProfileReport report = compare_profile(read, context, arguments.value("--stage"));
  if (arguments.has("--run-id")) report.run_id = arguments.value("--run-id");
  if (arguments.has("--report")) fill(arguments.value("--report"), report);
  const std::string out = arguments.value("--out");
  if (!out.empty()) write_file(out, launch_file_text(read.launches));
  print(arguments.has("--json") ? profile_json(report) + "\n" : profile_text(report));
  return 0;
}

}  // namespace modelmeter::cli
