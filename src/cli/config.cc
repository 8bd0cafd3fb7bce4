// modelmeter config explain: which file or word of the command line set a value.
#include <fmt/format.h>

#include "base/error.h"
#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/session.h"
#include "config/explain.h"

namespace modelmeter::cli {
namespace {

void write_json(DocumentWriter& out, const config::Explanation& explanation) {
  out.map([&] {
    out.field("key", explanation.key);
    out.field("value", explanation.value);
    out.field("resolved", explanation.resolved.empty() ? explanation.value : explanation.resolved);
    out.list("settings", explanation.settings, [&](const config::Setting& setting) {
      out.map([&] {
        out.field("place", setting.place);
        out.field("value", setting.value);
        out.field("chain", setting.chain);
      });
    });
    out.list("reads", explanation.reads, [&](const config::Explanation& read) { write_json(out, read); });
  });
}

}  // namespace

int config_command(const CommandLine& line) {
  const std::vector<Flag> flags = with_common(config_flags());
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(config_help("config", arguments, flags)), 0;
  std::vector<std::string> words = arguments.rest();
  if (words.size() < 2 || words[0] != "explain" || words[1].find('=') != std::string::npos) {
    throw Error(ErrorCode::usage, "config explain takes a key: modelmeter config explain KEY --config-name NAME");
  }
  for (const char* flag : {"--cfg", "--resolve", "--package", "--info", "--hydra-help", "--run", "--multirun"}) {
    if (arguments.has(flag)) {
      throw Error(ErrorCode::usage, fmt::format("{} does not go with config explain", flag), {},
                  {"modelmeter analyze --config-name NAME has all of Hydra's flags"});
    }
  }
  const std::string key = words[1];
  words.erase(words.begin(), words.begin() + 2);
  const Session session = Session::composed_only(arguments, words);
  const config::Explanation found = config::explain(session.repository(), session.composition(), key);
  if (arguments.has("--json")) {
    print(json_text([&](DocumentWriter& out) { write_json(out, found); }) + "\n");
  } else {
    print(config::explanation_text(found));
  }
  return 0;
}

}  // namespace modelmeter::cli
