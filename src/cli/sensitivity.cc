// modelmeter sensitivity: by how much a run is shorter with a tenth more of each resource of its device.
#include <fmt/format.h>

#include "api/run.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/session.h"

namespace modelmeter::cli {

int sensitivity(const CommandLine& line) {
  const std::vector<Flag> flags = with_common(config_flags());
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(config_help("sensitivity", arguments, flags)), 0;
  const Session session(arguments);
  if (!session.shown_config().empty()) return print(session.shown_config()), 0;
  const std::optional<Machine> machine = session.machine();
  const std::unique_ptr<AnalyticModel> model = session.model();
  print(sensitivity_of(evaluate(*model), machine ? &*machine : nullptr, arguments.has("--json")) + "\n");
  return 0;
}

}  // namespace modelmeter::cli
