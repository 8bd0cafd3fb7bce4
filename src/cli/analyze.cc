// modelmeter analyze: composes a configuration, builds the report and writes it.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "base/files.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/run_folder.h"
#include "cli/session.h"
#include "report/builder.h"
#include "report/json.h"
#include "report/layer_docs.h"
#include "report/summary.h"

namespace modelmeter::cli {
namespace {

struct ReportOptions {
  bool expand_blocks = false, yaml = false, layer_docs = false;

  static ReportOptions read(const config::View& report) {
    report.require_known_keys({"output_dir", "run_id", "run_dir", "expand_blocks", "yaml", "layer_docs"});
    ReportOptions out;
    out.expand_blocks = report.get_or<bool>("expand_blocks", false);
    out.yaml = report.get_or<bool>("yaml", false);
    out.layer_docs = report.get_or<bool>("layer_docs", false);
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

}  // namespace

int analyze(const CommandLine& line) {
  const std::vector<Flag> flags = with_common(config_flags());
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return fmt::print("{}", command_help("analyze", flags)), 0;
  const Session session(arguments);
  if (!session.shown_config().empty()) return fmt::print("{}", session.shown_config()), 0;

  const std::unique_ptr<AnalyticModel> model = session.model();
  const ReportOptions options = ReportOptions::read(session.view().child("report"));
  const Evaluation run = evaluate(*model);
  const RunFolder asked = RunFolder::of(session.view().child("report"), *model, arguments.rest());
  const std::optional<Machine> machine = session.machine();
  Report report = build_report(*model, run, asked.run_id, {options.expand_blocks}, machine ? &*machine : nullptr);
  const RunFolder where = settle(asked, report, options, model->report_folder());
  const std::string folder = where.folder + "/static_analysis/" + model->report_folder(), layers = folder + "/layers";

  const std::string summary = summary_markdown(report);
  std::vector<std::pair<std::string, std::string>> files = {{folder + "/report.json", to_json(report)},
                                                            {folder + "/summary.md", summary}};
  if (options.yaml) files.emplace_back(folder + "/report.yaml", to_yaml(report));
  if (options.layer_docs) {
    for (auto& [name, page] : layer_docs(*model, run, report, {options.expand_blocks})) {
      files.emplace_back(fmt::format("{}/{}", layers, name), std::move(page));
    }
  }
  write_files(files);
  link_latest(where);

  for (const std::string& text : report.notes) note(arguments, "note: " + text);
  if (arguments.has("--json")) {
    std::vector<std::string> paths;
    for (const auto& [path, content] : files) paths.push_back(path);
    fmt::print("{}\n", run_json(report, paths));
  } else {
    fmt::print("{}\n", summary);
  }
  note(arguments, fmt::format("report: {}/report.json", folder));
  return 0;
}

}  // namespace modelmeter::cli
