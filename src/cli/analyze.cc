// modelmeter analyze: composes a configuration, builds the report and writes it.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "api/analysis.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/multirun.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "report/json.h"
#include "report/layer_tree.h"

namespace modelmeter::cli {
namespace {

// --depth and --by ask for the tree in place of the summary.
std::optional<LayerTreeOptions> tree_options(const Arguments& arguments) {
  if (!arguments.has("--depth") && !arguments.has("--by")) return std::nullopt;
  for (const char* flag : {"--depth", "--by"}) {
    if (arguments.has("--json") && arguments.has(flag)) {
      throw Error(ErrorCode::usage, fmt::format("{} does not go with --json", flag), {},
                  {"report.json has the whole tree"});
    }
  }
  LayerTreeOptions out;
  out.depth = static_cast<int>(std::min<size_t>(count_of(arguments, "--depth", 3), 1000));
  if (arguments.has("--by")) out.by = &rank_key(arguments.value("--by"));
  if (const int width = output_width(); width > 0) out.width = width;
  return out;
}

}  // namespace

int analyze(const CommandLine& line) {
  std::vector<Flag> flags = config_flags();
  flags.push_back({"--depth", "", "N", "show the tree of layers, N levels of it (3)"});
  flags.push_back({"--by", "", rank_key_names(), "show the tree of layers, those with the most of it first"});
  flags = with_common(std::move(flags));
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(config_help("analyze", arguments, flags)), 0;
  const std::optional<LayerTreeOptions> tree = tree_options(arguments);
  if (is_multirun(arguments)) return multirun(arguments);
  const Session session(arguments);
  if (session.asks_for_multirun()) return multirun(arguments);
  if (!session.shown_config().empty()) return print(session.shown_config()), 0;

  const std::unique_ptr<AnalyticModel> model = session.model();
  Analysis analysis(session.view(), *model, session.machine(), arguments.rest());
  if (tree && tree->by != nullptr && tree->by->by_time) expect_times(analysis.report());
  analysis.write();
  analysis.link();

  for (const std::string& text : analysis.report().notes) note(arguments, "note: " + text);
  if (arguments.has("--json")) {
    print(run_json(analysis.report(), analysis.files()) + "\n");
  } else if (tree) {
    print(fmt::format("# {}\n\n", analysis.report().report_id));
    LayerTreeOptions shown = *tree;
    shown.report = &analysis.report();
    const Evaluation& run = analysis.run();
    print(layer_tree(*module_tree(*model, run, {analysis.expand_blocks()}), run.trace(), run.rollup(), shown));
  } else {
    print_fitted(analysis.summary() + "\n");
  }
  if (!analysis.folder().empty()) note(arguments, fmt::format("report: {}/report.json", analysis.folder()));
  return 0;
}

}  // namespace modelmeter::cli
