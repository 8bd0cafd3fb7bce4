#include "cli/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <new>
#include <system_error>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/forerunner.h"
#include "cli/help.h"
#include "cli/output.h"

namespace modelmeter::cli {
namespace {

// Everything that is typed may be shown and written into documents.
void require_utf8(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    const size_t at = first_not_utf8(argument);
    if (at == std::string::npos) continue;
    throw Error(fmt::format("'{}' is not UTF-8 text: byte {}", argument, at + 1));
  }
}

int run_command(const CommandLine& arguments) {
  require_utf8(arguments);
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
    print(program_help());
    return arguments.empty() ? 2 : 0;
  }
  if (std::find(arguments.begin(), arguments.end(), "--version") != arguments.end()) {
    print(fmt::format("modelmeter {}\n", MODELMETER_VERSION));
    return 0;
  }
  if (asks_for_completion(arguments)) return shell_completion(arguments);
  answer_forerunner(arguments);
  std::vector<std::string> known;
  for (const Command& command : commands()) {
    if (command.name == arguments[0]) return command.run({arguments.begin() + 1, arguments.end()});
    known.push_back(command.name);
  }
  throw Error(ErrorCode::usage, fmt::format("unknown command '{}'", arguments[0]), {},
              name_notes(arguments[0], known, "commands"));
}

std::string shown_failure(const std::exception& error) { return std::string("error: ") + error.what(); }

}  // namespace

int program(const std::vector<std::string>& arguments) {
  claim_standard_descriptors();
  try {
    const int code = run_command(arguments);
    flush();
    return code;
  } catch (const Error& error) {
    print_error(error.what());
    return error.exit_code();
  } catch (const std::bad_alloc&) {
    print_error("error: there is not enough memory for this");
    return 1;
  } catch (const std::system_error& error) {  // of a file system, of threads
    print_error(shown_failure(error));
    return 1;
  } catch (const std::exception& error) {
    print_error(shown_failure(error));
    print_error("note: this is a fault of modelmeter itself");
    return 70;
  }
}

}  // namespace modelmeter::cli
