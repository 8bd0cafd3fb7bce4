// modelmeter validate: predicted times against files of measured ones.
#include <fmt/format.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/session.h"
#include "verify/validation.h"

namespace modelmeter::cli {

int validate(const CommandLine& line) {
  const std::vector<Flag> flags = with_common({
      {"--device", "-d", "NAME", "the device that the files are of, in place of what they say"},
      {"--config-name", "-cn", "NAME",
       "of a file of launches: the configuration that it is a forward of, with overrides"},
      {"--config-dir", "-cd", "DIR", "one more folder of configs"},
  });
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(command_help("validate", flags)), 0;
  const std::string root = find_data_root();
  const config::Repository repository(root + "/configs", arguments.values("--config-dir"));
  std::vector<std::string> files, overrides;
  for (const std::string& text : arguments.rest()) {
    (text.find('=') == std::string::npos ? files : overrides).push_back(text);
  }
  if (files.empty()) throw Error(ErrorCode::usage, "which files? validate FILE ...");
  const std::string config_name = arguments.value("--config-name");
  if (config_name.empty() && !overrides.empty()) {
    throw Error(ErrorCode::usage, fmt::format("'{}' goes with --config-name", overrides.front()));
  }
  const ValidationContext context{repository, {root}, arguments.value("--device"), config_name, overrides};
  Validation all;
  for (const std::string& file : files) all.add(validate_file(file, context));
  print(arguments.has("--json") ? validation_json(all) + "\n" : validation_text(all));
  return 0;
}

}  // namespace modelmeter::cli
