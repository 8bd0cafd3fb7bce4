// modelmeter analyze: composes a configuration, builds the report and writes it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/run_folder.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "report/builder.h"
#include "report/json.h"
#include "report/layer_docs.h"
#include "report/layer_tree.h"
#include "report/summary.h"

namespace modelmeter::cli {
namespace {

struct ReportOptions {
  bool expand_blocks = false, yaml = false, layer_docs = false;
  std::optional<std::string> profile_run_id;
  std::optional<double> measured_total_time_ms;

  static ReportOptions read(const config::View& report) {
    report.require_known_keys({"output_dir", "run_id", "run_dir", "expand_blocks", "yaml", "layer_docs",
                               "profile_run_id", "measured_total_time_ms"});
    ReportOptions out;
    out.expand_blocks = report.get_or<bool>("expand_blocks", false);
    out.yaml = report.get_or<bool>("yaml", false);
    out.layer_docs = report.get_or<bool>("layer_docs", false);
    if (report.has("profile_run_id")) out.profile_run_id = report.get<std::string>("profile_run_id");
    if (report.has("measured_total_time_ms")) {
      out.measured_total_time_ms = report.get_positive<double>("measured_total_time_ms");
    }
    return out;
  }
};

bool holds(const std::string& file, const std::string& text) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(file, ignored) && read_file(file) == text;
}

// The report under the id of its run. Where another report has it, the id is stamped, or the user says what to replace.
RunFolder settle(RunFolder run, Report& report, const ReportOptions& options, const std::string& family) {
  const auto name = [&] {
    report.report_id = run.run_id;
    const std::string folder = run.folder + "/static_analysis/" + family;
    if (options.layer_docs) {
      report.layer_docs_dir = std::filesystem::absolute(folder + "/layers").lexically_normal().string();
    }
    return folder + "/report.json";
  };
  const std::string file = name();
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored) || holds(file, to_json(report))) return run;
  if (run.chosen) {
    report.notes.push_back(fmt::format("{} held another report, which this one replaces", file));
    return run;
  }
  run = run.stamped();
  name();
  return run;
}

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
  if (arguments.has("--help")) return print(command_help("analyze", flags)), 0;
  const std::optional<LayerTreeOptions> tree = tree_options(arguments);
  const Session session(arguments);
  if (!session.shown_config().empty()) return print(session.shown_config()), 0;

  const std::unique_ptr<AnalyticModel> model = session.model();
  const ReportOptions options = ReportOptions::read(session.view().child("report"));
  const Evaluation run = evaluate(*model);
  const RunFolder asked = RunFolder::of(session.view().child("report"), *model, arguments.rest());
  const std::optional<Machine> machine = session.machine();
  Report report = build_report(*model, run, asked.run_id, {options.expand_blocks}, machine ? &*machine : nullptr);
  if (tree && tree->by != nullptr && tree->by->by_time) expect_times(report);
  report.profile_run_id = options.profile_run_id;
  report.measured_total_time_ms = options.measured_total_time_ms;
  const RunFolder where = settle(asked, report, options, model->report_folder());
  const std::string folder = where.folder + "/static_analysis/" + model->report_folder();

  const std::string summary = summary_markdown(report);
  std::vector<FileContent> files = {{"report.json", to_json(report)}, {"summary.md", summary}};
  if (options.yaml) files.emplace_back("report.yaml", to_yaml(report));
  if (options.layer_docs) {
    for (auto& [name, page] : layer_docs(*model, run, report, {options.expand_blocks})) {
      files.emplace_back("layers/" + name, std::move(page));
    }
  }
  // A folder holds one run: what another left there beside its own files stays, the pages of its layers do not.
  write_folder(folder, files, {"report.yaml", "layers"});
  link_latest(where);

  for (const std::string& text : report.notes) note(arguments, "note: " + text);
  if (arguments.has("--json")) {
    std::vector<std::string> paths;
    for (const auto& [name, content] : files) paths.push_back(fmt::format("{}/{}", folder, name));
    print(run_json(report, paths) + "\n");
  } else if (tree) {
    print(fmt::format("# {}\n\n", report.report_id));
    LayerTreeOptions shown = *tree;
    shown.report = &report;
    print(layer_tree(*module_tree(*model, run, {options.expand_blocks}), run.trace(), run.rollup(), shown));
  } else {
    print_fitted(summary + "\n");
  }
  note(arguments, fmt::format("report: {}/report.json", folder));
  return 0;
}

}  // namespace modelmeter::cli
