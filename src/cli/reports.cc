// modelmeter top and modelmeter compare: what a report, or two, say.
#include <fmt/format.h>

#include <charconv>

#include "base/error.h"
#include "base/files.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "report/difference.h"
#include "report/json.h"
#include "report/top.h"

namespace modelmeter::cli {
namespace {

Report load(const std::string& file) { return report_from_json(read_file(file), file); }

size_t count_of(const Arguments& arguments, const char* flag, size_t otherwise) {
  const std::string text = arguments.value(flag);
  if (text.empty()) return otherwise;
  size_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out == 0) {
    throw Error(ErrorCode::usage, fmt::format("{} takes a number above 0, not '{}'", flag, text));
  }
  return out;
}

}  // namespace

int top(const CommandLine& line) {
  const std::vector<Flag> flags = with_common(
      {{"--layers", "-n", "N", "how many layers (10)"}, {"--categories", "", "N", "how many categories (5)"}});
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(command_help("top", flags)), 0;
  if (arguments.rest().size() != 1) throw Error(ErrorCode::usage, "top takes one report: modelmeter top REPORT");
  const size_t layers = count_of(arguments, "--layers", 10), categories = count_of(arguments, "--categories", 5);
  const Report report = load(arguments.rest()[0]);
  print(arguments.has("--json") ? top_json(report, layers, categories) + "\n" : top_tables(report, layers, categories));
  return 0;
}

int compare(const CommandLine& line) {
  const std::vector<Flag> flags = with_common({{"--layers", "-n", "N", "how many layers (20)"}});
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(command_help("compare", flags)), 0;
  if (arguments.rest().size() != 2) throw Error(ErrorCode::usage, "compare takes two reports: modelmeter compare A B");
  const size_t layers = count_of(arguments, "--layers", 20);
  const ReportDifference d = difference(load(arguments.rest()[0]), load(arguments.rest()[1]));
  print(arguments.has("--json") ? difference_json(d) + "\n" : difference_markdown(d, layers));
  return 0;
}

}  // namespace modelmeter::cli
