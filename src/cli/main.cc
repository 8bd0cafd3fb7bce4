// The modelmeter program: finds the command, runs it, shows errors.
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

namespace {

using namespace modelmeter;

// Everything that is typed may be shown and written into documents.
void require_utf8(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    const size_t at = first_not_utf8(argument);
    if (at == std::string::npos) continue;
    throw Error(fmt::format("'{}' is not UTF-8 text: byte {}", argument, at + 1));
  }
}

int run(const std::vector<std::string>& arguments) {
  require_utf8(arguments);
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
    cli::print(cli::program_help());
    return arguments.empty() ? 2 : 0;
  }
  if (std::find(arguments.begin(), arguments.end(), "--version") != arguments.end()) {
    cli::print(fmt::format("modelmeter {}\n", MODELMETER_VERSION));
    return 0;
  }
  if (cli::asks_for_completion(arguments)) return cli::shell_completion(arguments);
  cli::answer_forerunner(arguments);
  std::vector<std::string> known;
  for (const cli::Command& command : cli::commands()) {
    if (command.name == arguments[0]) return command.run({arguments.begin() + 1, arguments.end()});
    known.push_back(command.name);
  }
  throw Error(ErrorCode::usage, fmt::format("unknown command '{}'", arguments[0]), {},
              name_notes(arguments[0], known, "commands"));
}

std::string shown(const std::exception& error) { return std::string("error: ") + error.what(); }

}  // namespace

int main(int argc, char** argv) {
  cli::claim_standard_descriptors();
  try {
    const int code = run({argv + 1, argv + argc});
    cli::flush();
    return code;
  } catch (const Error& error) {
    cli::print_error(error.what());
    return error.exit_code();
  } catch (const std::bad_alloc&) {
    cli::print_error("error: there is not enough memory for this");
    return 1;
  } catch (const std::system_error& error) {  // of a file system, of threads
    cli::print_error(shown(error));
    return 1;
  } catch (const std::exception& error) {
    cli::print_error(shown(error));
    cli::print_error("note: this is a fault of modelmeter itself");
    return 70;
  }
}
