#include "cli/commands.h"

namespace modelmeter::cli {

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      {"analyze", "count what a model costs and write the report",
       "modelmeter analyze --config-name NAME [options] [overrides]", analyze},
      {"memory", "what is on the device over a run: per stage, as a chart, and what is alive at the peak",
       "modelmeter memory --config-name NAME [options] [overrides]", memory},
      {"fit", "whether a run fits the memory of a device, and the ways that do, fastest first",
       "modelmeter fit --config-name NAME device=NAME|--memory SIZE [options] [overrides]", fit},
      {"trace", "write every kernel of one forward, with operands, FLOPs, bytes and live memory",
       "modelmeter trace --config-name NAME --out FILE [options] [overrides]", trace},
      {"verify", "compare with a recording of real PyTorch code, kernel by kernel",
       "modelmeter verify --reference FILE [--reference FILE ...] [--trace FILE]\n"
       "       modelmeter verify layers|end2end|pipeline --workload NAME [--dir DIR]",
       verify},
      {"top", "the layers and categories of a report with the most FLOPs, bytes, memory or kernels",
       "modelmeter top REPORT|RUN_ID [--by KEY]\n"
       "       modelmeter top --trace FILE|--config-name NAME [--by KEY] [overrides]",
       top},
      {"compare", "two reports: totals, ratios, what changed by layer, and in the inputs",
       "modelmeter compare A B, each a REPORT or RUN_ID\n"
       "       modelmeter compare [A] [--trace FILE]... [--config-name NAME] [overrides]",
       compare},
      {"sweep", "what a multirun stored: its jobs sorted, filtered, the best of them; stores of shards made one",
       "modelmeter sweep show STORE [--sort KEYS] [--where SQL] [--pareto KEYS]\n"
       "       modelmeter sweep merge STORE SHARD ...",
       sweep},
      {"config", "which file or word of the command line set a value of a configuration, through which configs",
       "modelmeter config explain KEY --config-name NAME [options] [overrides]", config_command},
      {"operators", "the layer classes of a model: how many, parameters, children, category",
       "modelmeter operators --config-name NAME [--out DIR] [options] [overrides]", operators},
      {"devices", "the devices that there are files of, and some of them side by side",
       "modelmeter devices [NAME|FILE.yaml ...]", devices},
      {"sensitivity", "by how much a run is shorter with a tenth more of each resource of its device",
       "modelmeter sensitivity --config-name NAME device=NAME [options] [overrides]", sensitivity},
      {"validate", "predicted times against measured ones: profiles, forwards, kernels, published runs",
       "modelmeter validate FILE ... [--device NAME] [--config-name NAME [overrides]]", validate},
      {"profile", "a profile of a real run, lined up with the trace: what matches, predicted against measured by layer",
       "modelmeter profile import FILE [--config-name NAME [overrides]] [--stage ID] [--device NAME] [--out FILE] [--report FILE]",
       profile},
      {"calibrate", "a device's constants from profiles and tables of kernels: fit error, what the data cannot tell",
       "modelmeter calibrate FILE ... --device NAME [--out FILE]", calibrate},
  };
  return table;
}

}  // namespace modelmeter::cli
