// modelmeter top and modelmeter compare: what a report, or two, say.
#include <fmt/format.h>

#include "api/report_path.h"
#include "base/error.h"
#include "base/files.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "report/difference.h"
#include "report/json.h"
#include "report/top.h"

namespace modelmeter::cli {
namespace {

Report load(const std::string& name) {
  const std::string file = report_path(name);
  return report_from_json(read_file(file), file);
}

}  // namespace

int top(const CommandLine& line) {
  const std::vector<Flag> flags = with_common({{"--by", "", rank_key_names(), "by what (flops, then bytes)"},
                                               {"--layers", "-n", "N", "how many layers (10)"},
                                               {"--categories", "", "N", "how many categories (5)"}});
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(command_help("top", flags)), 0;
  if (arguments.rest().size() != 1) throw Error(ErrorCode::usage, "top takes one report: modelmeter top REPORT");
  const TopSizes sizes = {count_of(arguments, "--layers", 10), count_of(arguments, "--categories", 5)};
  std::vector<const RankKey*> keys = default_rank_keys();
  if (arguments.has("--by")) keys = {&rank_key(arguments.value("--by"))};
  const Report report = load(arguments.rest()[0]);
  if (arguments.has("--json")) {
    print(top_json(report, sizes, *keys.front()) + "\n");
  } else {
    print_fitted(top_tables(report, sizes, keys));
  }
  return 0;
}

int compare(const CommandLine& line) {
  const std::vector<Flag> flags = with_common({{"--layers", "-n", "N", "how many layers (20)"}});
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(command_help("compare", flags)), 0;
  if (arguments.rest().size() != 2) throw Error(ErrorCode::usage, "compare takes two reports: modelmeter compare A B");
  const size_t layers = count_of(arguments, "--layers", 20);
  const ReportDifference d = difference(load(arguments.rest()[0]), load(arguments.rest()[1]));
  if (arguments.has("--json")) {
    print(difference_json(d) + "\n");
  } else {
    print_fitted(difference_markdown(d, layers));
  }
  if (d.layers_in_common == 0) note(arguments, "warning: the two reports have no layer in common");
  return 0;
}

}  // namespace modelmeter::cli
