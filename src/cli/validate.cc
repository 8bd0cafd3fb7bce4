// modelmeter validate: predicted times against files of measured ones.
#include <optional>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/measured_source.h"
#include "cli/output.h"

namespace modelmeter::cli {

int validate(const CommandLine& line) {
  std::vector<Flag> flags = config_flags();
  flags.push_back({"--device", "-d", "NAME", "the device that the files are of, in place of what they say"});
  flags = with_common(std::move(flags));
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(config_help("validate", arguments, flags)), 0;
  const auto [files, words] = files_and_words(arguments.rest());
  const std::optional<Session> session = Session::beside_files(arguments, words);
  if (session && !session->shown_config().empty()) return print(session->shown_config()), 0;
  const MeasuredSource source(arguments, session);
  const Validation all = validate_files(files, source.context());
  print(arguments.has("--json") ? validation_json(all) + "\n" : validation_text(all));
  return 0;
}

}  // namespace modelmeter::cli
