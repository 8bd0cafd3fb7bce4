// modelmeter top and modelmeter compare: what a report, or two, say. A recording or a configuration stands for its
// report.
#include <fmt/format.h>

#include <algorithm>

#include "api/named_report.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "report/difference.h"
#include "report/top.h"

namespace modelmeter::cli {
namespace {

// What is analysed in place of a report.
std::vector<Flag> source_flags() {
  std::vector<Flag> out;
  for (const Flag& flag : config_flags()) {
    const bool taken = flag.name == "--config-name" || flag.name == "--config-dir" || flag.name == "--config-path";
    if (taken || flag.name == "--trace") out.push_back(flag);
  }
  return out;
}

bool is_of_machine(const std::string& word) {
  constexpr std::string_view starts[] = {"device", "host", "stack", "+device", "+host", "+stack"};
  return std::any_of(std::begin(starts), std::end(starts), [&](std::string_view start) {
    return word.size() > start.size() && word.compare(0, start.size(), start) == 0 &&
           (word[start.size()] == '=' || word[start.size()] == '.');
  });
}

// The reports that the command line names: recordings, then reports, then the configuration. Words are the
// configuration's; those of the machine, and all where there is no configuration, are the recordings' too.
std::vector<Report> reports_of(const Arguments& arguments, size_t count, const char* usage) {
  const auto [files, words] = files_and_words(arguments.rest());
  const std::vector<std::string> traces = arguments.values("--trace");
  const bool composes = arguments.has("--config-name");
  if (traces.size() + files.size() + (composes ? 1 : 0) != count) throw Error(ErrorCode::usage, usage);
  const bool takes_words = composes || !traces.empty() || std::any_of(files.begin(), files.end(), is_recording);
  if (!words.empty() && !takes_words) {
    throw Error(ErrorCode::usage, fmt::format("'{}' goes with --trace or --config-name", words.front()));
  }
  std::vector<std::string> of_recordings;
  std::copy_if(words.begin(), words.end(), std::back_inserter(of_recordings),
               [&](const std::string& word) { return !composes || is_of_machine(word); });
  if (!composes && arguments.has("--config-path")) {
    throw Error(ErrorCode::usage, "--config-path goes with --config-name");
  }
  const std::vector<std::string> folders = arguments.values("--config-dir");
  std::vector<Report> out;
  out.reserve(count);
  for (const std::string& file : traces) out.push_back(report_of(recording_request(file, of_recordings, folders)));
  for (const std::string& name : files) {
    out.push_back(named_report(name, is_recording(name) ? of_recordings : std::vector<std::string>(), folders));
  }
  if (composes) {
    out.push_back(report_of({arguments.value("--config-name"), words, arguments.value("--config-path"), folders}));
  }
  return out;
}

}  // namespace

int top(const CommandLine& line) {
  std::vector<Flag> flags = source_flags();
  flags.push_back({"--by", "", rank_key_names(), "by what (flops, then bytes)"});
  flags.push_back({"--layers", "-n", "N", "how many layers (10)"});
  flags.push_back({"--categories", "", "N", "how many categories (5)"});
  flags = with_common(std::move(flags));
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(command_help("top", flags)), 0;
  const TopSizes sizes = {count_of(arguments, "--layers", 10), count_of(arguments, "--categories", 5)};
  std::vector<const RankKey*> keys = default_rank_keys();
  if (arguments.has("--by")) keys = {&rank_key(arguments.value("--by"))};
  const Report report = reports_of(arguments, 1, "top takes one report: modelmeter top REPORT").front();
  if (arguments.has("--json")) {
    print(top_json(report, sizes, *keys.front()) + "\n");
  } else {
    print_fitted(top_tables(report, sizes, keys));
  }
  return 0;
}

int compare(const CommandLine& line) {
  std::vector<Flag> flags = source_flags();
  flags.push_back({"--layers", "-n", "N", "how many layers (20)"});
  flags = with_common(std::move(flags));
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(command_help("compare", flags)), 0;
  const size_t layers = count_of(arguments, "--layers", 20);
  const std::vector<Report> reports = reports_of(arguments, 2, "compare takes two reports: modelmeter compare A B");
  const ReportDifference d = difference(reports[0], reports[1]);
  if (arguments.has("--json")) {
    print(difference_json(d) + "\n");
  } else {
    print_fitted(difference_markdown(d, layers));
  }
  if (d.layers_in_common == 0) note(arguments, "warning: the two reports have no layer in common");
  return 0;
}

}  // namespace modelmeter::cli
