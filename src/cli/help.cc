#include "cli/help.h"

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/output.h"

namespace modelmeter::cli {

std::vector<Flag> with_common(std::vector<Flag> flags) {
  flags.push_back({"--json", "", "", "print one JSON object on stdout instead of text"});
  flags.push_back({"--quiet", "-q", "", "no notes on stderr"});
  flags.push_back({"--help", "-h", "", "print this help"});
  return flags;
}

std::string program_help() {
  std::string out =
      "modelmeter says what running a generative model costs, layer by layer: FLOPs, bytes moved, memory, time.\n\n"
      "usage: modelmeter COMMAND [options] [overrides]\n\ncommands:\n";
  for (const Command& c : commands()) out += fmt::format("  {:<12} {}\n", c.name, c.summary);
  out +=
      "\n  modelmeter COMMAND --help says more; modelmeter --version prints the version.\n\n"
      "Try\n"
      "  modelmeter analyze --config-name wan2_1_t2v_14b workload.profile_id=wan2-1-720p\n"
      "  modelmeter analyze --config-name wan2_1_t2v_14b workload.num_frames=81 runtime.implementation=diffusers\n\n"
      "Configurations are composed as Hydra does: group=option chooses a file, a.b=v sets a value, +a.b=v adds one.\n";
  return out;
}

std::string command_help(const std::string& name, const std::vector<Flag>& flags) {
  std::string out;
  for (const Command& c : commands()) {
    if (c.name == name) out += fmt::format("{}\n\nusage: {}\n\noptions:\n", c.summary, c.usage);
  }
  for (const Flag& f : flags) {
    const std::string left = f.name + (f.brief.empty() ? "" : ", " + f.brief) + (f.value.empty() ? "" : " " + f.value);
    out += fmt::format("  {:<26}  {}\n", left, f.help);
  }
  return out;
}

void note(const Arguments& arguments, const std::string& text) {
  if (!arguments.has("--quiet")) print_error(text);
}

}  // namespace modelmeter::cli
