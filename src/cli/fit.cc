// modelmeter fit: whether a run fits the memory of a device, and what makes it fit.
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "fit/fit_request.h"

namespace modelmeter::cli {

int fit(const CommandLine& line) {
  std::vector<Flag> flags = config_flags();
  flags.push_back({"--memory", "", "SIZE", "of the device, as 24GiB: without device=NAME, or in place of its own"});
  flags.push_back({"--alloc-conf", "", "CONF", "PYTORCH_CUDA_ALLOC_CONF, as expandable_segments:True"});
  flags.push_back({"--max-frames", "", "", "also the most frames that fit, otherwise as it is"});
  flags.push_back({"--max-size", "", "", "also the largest video of the same shape that fits"});
  flags = with_common(std::move(flags));
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(config_help("fit", arguments, flags)), 0;
  const Session session(arguments);
  if (!session.shown_config().empty()) return print(session.shown_config()), 0;
  const std::optional<Machine> machine = session.machine();
  const std::unique_ptr<AnalyticModel> model = session.model();
  const FitReport report =
      fit_report(*model, [&](const std::vector<std::string>& overrides) { return session.model_with(overrides); },
                 machine ? &*machine : nullptr,
                 {arguments.value("--memory"), arguments.value("--alloc-conf"), arguments.has("--max-frames"),
                  arguments.has("--max-size")});
  if (arguments.has("--json")) {
    print(fit_json(report) + "\n");
  } else {
    print_fitted(fit_text(report));
  }
  return report.given.fits ? 0 : 3;
}

}  // namespace modelmeter::cli
