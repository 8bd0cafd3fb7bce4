// modelmeter sensitivity: by how much a run is shorter with a tenth more of each resource of its device.
#include "timing/sensitivity.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/session.h"
#include "report/table.h"
#include "report/timing_text.h"

namespace modelmeter::cli {
namespace {

std::string json_of(double wall, const std::vector<Sensitivity>& resources) {
  return json_text([&](DocumentWriter& out) {
    out.map([&] {
      out.field("wall_s", wall);
      out.list("resources", resources, [&](const Sensitivity& s) {
        out.map([&] {
          out.field("resource", s.resource);
          out.field("wall_s", s.seconds);
          out.field("change", wall > 0 ? s.seconds / wall - 1 : 0.0);
        });
      });
    });
  });
}

std::string table_of(double wall, const std::vector<Sensitivity>& resources) {
  Table table({"A tenth more of", "Wall", "Change"}, {Align::left, Align::right, Align::right});
  table.add({"(as it is)", seconds_text(wall), ""});
  for (const Sensitivity& s : resources) {
    table.add(
        {s.resource, seconds_text(s.seconds), fmt::format("{:+.1f} %", wall > 0 ? (s.seconds / wall - 1) * 100 : 0)});
  }
  return table.markdown();
}

}  // namespace

int sensitivity(const CommandLine& line) {
  const std::vector<Flag> flags = with_common(config_flags());
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return fmt::print("{}", config_help("sensitivity", arguments, flags)), 0;
  const Session session(arguments);
  if (!session.shown_config().empty()) return fmt::print("{}", session.shown_config()), 0;
  const std::optional<Machine> machine = session.machine();
  if (!machine) throw Error("which device? device=NAME is missing", {}, {"modelmeter devices lists them"});
  const std::unique_ptr<AnalyticModel> model = session.model();
  const Evaluation run = evaluate(*model);
  const double wall = time_run(run, *machine).total().wall;
  const std::vector<Sensitivity> resources = sensitivities(run, *machine);
  fmt::print("{}\n", arguments.has("--json") ? json_of(wall, resources) : table_of(wall, resources));
  return 0;
}

}  // namespace modelmeter::cli
