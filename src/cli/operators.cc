// modelmeter operators: the unique layer classes of a model.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/session.h"
#include "report/files.h"
#include "report/operator_list.h"

namespace modelmeter::cli {

int operators(const CommandLine& line) {
  std::vector<Flag> flags = config_flags();
  flags.push_back({"--out", "-o", "DIR", "also write the files that readers of torchinfo look for"});
  flags = with_common(std::move(flags));
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return fmt::print("{}", command_help("operators", flags)), 0;
  const Session session(arguments);
  if (!session.shown_config().empty()) return fmt::print("{}", session.shown_config()), 0;

  const std::unique_ptr<AnalyticModel> model = session.model();
  const TargetOperatorList list = target_operators(*model, session.view().child("report").get<std::string>("run_id"));
  const std::string folder = arguments.value("--out");
  if (!folder.empty()) {
    std::vector<std::pair<std::string, std::string>> files;
    for (auto& [name, content] : operator_files(*model, list))
      files.emplace_back(fmt::format("{}/{}", folder, name), std::move(content));
    write_files(files);
  }
  if (arguments.has("--json")) {
    nlohmann::ordered_json document = nlohmann::ordered_json::parse(operators_json(list));
    if (!folder.empty()) {
      const std::string absolute = std::filesystem::absolute(folder).lexically_normal().string();
      document["source_artifact_dir"] = absolute;
      document["layers_md_path"] = absolute + "/torchinfo-unique-layers.md";
      document["layers_json_path"] = absolute + "/torchinfo-unique-layers.json";
      document["stages_json_path"] = absolute + "/torchinfo-stages.json";
    }
    fmt::print("{}\n", document.dump(2));
  } else {
    fmt::print("{}", operators_markdown(list));
  }
  if (!folder.empty()) note(arguments, fmt::format("operators: {}/torchinfo-unique-layers.json", folder));
  return 0;
}

}  // namespace modelmeter::cli
