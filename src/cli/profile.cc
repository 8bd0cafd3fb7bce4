// modelmeter profile import: a profile of a real run against the trace of a configuration.
#include <fmt/format.h>

#include <optional>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/files.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/measured_source.h"
#include "cli/output.h"
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

std::vector<Flag> profile_flags() {
  std::vector<Flag> flags = config_flags();
  const std::vector<Flag> own = {
      {"--stage", "-s", "ID", "the stage that was profiled; by default the one that matches best"},
      {"--device", "-d", "NAME", "the device that it was taken on, in place of what it says"},
      {"--out", "-o", "FILE", "write its launches too, as a table that validate and calibrate take"},
      {"--report", "", "FILE", "a report.json of the same configuration: fill in what was measured"},
      {"--run-id", "", "ID", "what the report calls the profile; by default the name of its file"},
  };
  flags.insert(flags.end(), own.begin(), own.end());
  return with_common(std::move(flags));
}

}  // namespace

int profile(const CommandLine& line) {
  const std::vector<Flag> flags = profile_flags();
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(config_help("profile", arguments, flags)), 0;
  auto [files, words] = files_and_words(arguments.rest());
  const std::optional<Session> session = Session::beside_files(arguments, words);
  if (session && !session->shown_config().empty()) return print(session->shown_config()), 0;
  if (files.empty() || files.front() != "import") {
    throw Error(ErrorCode::usage, "what to do with a profile? profile import FILE", {},
                files.empty() ? std::vector<std::string>{} : name_notes(files.front(), {"import"}, "known"));
  }
  if (files.size() != 2) throw Error(ErrorCode::usage, "one file: profile import FILE");
  for (const char* flag : {"--stage", "--report"}) {
    if (session || !arguments.has(flag)) continue;
    throw Error(ErrorCode::usage, fmt::format("{} goes with --config-name", flag));
  }
  const MeasuredSource source(arguments, session);
  const Profile read = read_profile(files.back());
  ProfileReport report = compare_profile(read, source.context(), arguments.value("--stage"));
  if (arguments.has("--run-id")) report.run_id = arguments.value("--run-id");
  if (arguments.has("--report")) fill(arguments.value("--report"), report);
  const std::string out = arguments.value("--out");
  if (!out.empty()) write_file(out, launch_file_text(read.launches));
  print(arguments.has("--json") ? profile_json(report) + "\n" : profile_text(report));
  return 0;
}

}  // namespace modelmeter::cli
