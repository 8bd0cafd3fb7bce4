// modelmeter operators: the unique layer classes of a model.
#include <fmt/format.h>

#include <filesystem>

#include "api/run_folder.h"
#include "base/files.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "report/operator_list.h"

namespace modelmeter::cli {

int operators(const CommandLine& line) {
  std::vector<Flag> flags = config_flags();
  flags.push_back({"--out", "-o", "DIR", "also write the files that readers of torchinfo look for"});
  flags = with_common(std::move(flags));
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(config_help("operators", arguments, flags)), 0;
  const Session session(arguments);
  if (!session.shown_config().empty()) return print(session.shown_config()), 0;

  const std::unique_ptr<AnalyticModel> model = session.model();
  const TargetOperatorList list = target_operators(
      *model, evaluate(*model), RunFolder::of(session.view().child("report"), *model, arguments.rest()).run_id);
  const std::string given = arguments.value("--out");
  const std::string folder = given.empty() ? "" : std::filesystem::absolute(given).lexically_normal().string();
  if (!folder.empty()) {
    std::vector<std::pair<std::string, std::string>> files = operator_files(*model, list);
    for (auto& [name, content] : files) name = fmt::format("{}/{}", given, name);
    write_files(files);
  }
  if (arguments.has("--json")) {
    print(operators_json(list, folder) + "\n");
  } else {
    print_fitted(operators_markdown(list));
  }
  if (!folder.empty()) note(arguments, fmt::format("operators: {}/torchinfo-unique-layers.json", given));
  return 0;
}

}  // namespace modelmeter::cli
