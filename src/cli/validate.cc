// modelmeter validate: predicted times against files of measured ones.
#include <optional>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/session.h"
#include "verify/validation.h"

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
  if (files.empty()) throw Error(ErrorCode::usage, "which files? validate FILE ...");
  const config::Repository repository = session ? session->repository() : repository_of(arguments);
  const ValidationContext context{repository,
                                  {find_data_root()},
                                  arguments.value("--device"),
                                  session ? session->config_name() : "",
                                  session ? session->words() : words};
  Validation all;
  for (const std::string& file : files) all.add(validate_file(file, context));
  print(arguments.has("--json") ? validation_json(all) + "\n" : validation_text(all));
  return 0;
}

}  // namespace modelmeter::cli
