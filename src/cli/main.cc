// The modelmeter program: finds the command, runs it, shows errors.
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "base/edit_distance.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/help.h"

namespace {

using namespace modelmeter;

int run(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
    fmt::print("{}", cli::program_help());
    return arguments.empty() ? 2 : 0;
  }
  if (arguments[0] == "--version") {
    fmt::print("modelmeter {}\n", MODELMETER_VERSION);
    return 0;
  }
  std::vector<std::string> known;
  for (const cli::Command& command : cli::commands()) {
    if (command.name == arguments[0]) return command.run({arguments.begin() + 1, arguments.end()});
    known.push_back(command.name);
  }
  throw Error(ErrorCode::usage, fmt::format("unknown command '{}'", arguments[0]), {},
              name_notes(arguments[0], known, "commands"));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const int code = run({argv + 1, argv + argc});
    if (std::fflush(stdout) != 0) throw Error("cannot write to stdout");
    return code;
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.exit_code();
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\nnote: this is a fault of modelmeter itself\n", error.what());
    return 70;
  }
}
