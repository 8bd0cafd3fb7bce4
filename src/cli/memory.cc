// modelmeter memory: what is on the device over a run, where its peak is and what is alive there.
#include <fmt/format.h>

#include "api/run.h"
#include "base/files.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "memory/alloc_conf.h"
#include "memory/snapshot.h"
#include "report/memory_json.h"
#include "report/memory_text.h"

namespace modelmeter::cli {

int memory(const CommandLine& line) {
  std::vector<Flag> flags = config_flags();
  flags.push_back({"--stage", "", "ID", "of a model with several stages: only this one"});
  flags.push_back({"--alloc-conf", "", "CONF", "PYTORCH_CUDA_ALLOC_CONF, as expandable_segments:True"});
  flags.push_back(
      {"--snapshot", "", "FILE", "write where most is reserved as PyTorch's memory snapshot (.pickle, .json)"});
  flags = with_common(std::move(flags));
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(config_help("memory", arguments, flags)), 0;
  const std::string stage = arguments.value("--stage");
  const Session session(arguments);
  if (!session.shown_config().empty()) return print(session.shown_config()), 0;

  const std::unique_ptr<AnalyticModel> model = session.model();
  const std::optional<Machine> machine = session.machine();
  const MemoryReport report = memory_of(*model, evaluate(*model), machine ? &*machine : nullptr,
                                        {stage, arguments.value("--alloc-conf"), true});
  if (const std::string file = arguments.value("--snapshot"); !file.empty()) {
    write_file(file, snapshot_file(file, *report.record, parse_alloc_conf(arguments.value("--alloc-conf"))));
  }
  if (arguments.has("--json")) {
    print(memory_json(report) + "\n");
  } else {
    print_fitted(memory_text(report, output_width()) + "\n");
  }
  for (const std::string& text : report.notes) note(arguments, "note: " + text);
  return 0;
}

}  // namespace modelmeter::cli
