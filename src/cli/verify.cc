// modelmeter verify: compares our trace with recordings of real PyTorch code.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "model/registry.h"
#include "report/files.h"
#include "verify/comparison.h"

namespace modelmeter::cli {
namespace {

nlohmann::ordered_json json(const std::string& file, const Comparison& c) {
  nlohmann::ordered_json totals = nlohmann::ordered_json::array(), kernels = nlohmann::ordered_json::array();
  for (const ComparedFigure& f : c.totals) {
    totals.push_back({{"name", f.name}, {"modelmeter", f.ours}, {"reference", f.reference}, {"equal", f.equal()}});
  }
  for (const KernelDifference& d : c.first_kernels) {
    kernels.push_back({{"index", d.index}, {"modelmeter", d.ours}, {"reference", d.reference}});
  }
  return {{"reference", file},
          {"equal", c.equal()},
          {"totals", totals},
          {"kernels_compared", c.kernels_compared},
          {"kernels_different", c.kernels_different},
          {"kernels_left_out", c.left_out},
          {"first_different_kernels", kernels},
          {"modules_compared", c.modules.size()},
          {"module_differences", c.module_differences},
          {"parameters_compared", c.parameters_compared},
          {"parameter_differences", c.parameter_differences}};
}

}  // namespace

int verify(const CommandLine& line) {
  const std::vector<Flag> flags =
      with_common({{"--reference", "-r", "FILE", "a recording; may be given more than once"}});
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return fmt::print("{}", command_help("verify", flags)), 0;
  std::vector<std::string> files = arguments.values("--reference");
  files.insert(files.end(), arguments.rest().begin(), arguments.rest().end());
  if (files.empty()) throw Error(ErrorCode::usage, "--reference FILE is missing");

  bool equal = true;
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  for (const std::string& file : files) {
    const Recording reference = read_recording(read_file(file), file);
    const std::unique_ptr<Stage> stage = stage_of_recording(reference);
    const Comparison comparison = compare(recording_of(*stage), reference);
    equal = equal && comparison.equal();
    if (arguments.has("--json")) {
      results.push_back(json(file, comparison));
    } else {
      fmt::print("{}{}\n{}", file == files.front() ? "" : "\n", file, table_of(comparison, reference));
    }
  }
  if (arguments.has("--json")) {
    const nlohmann::ordered_json out = {{"equal", equal}, {"references", results}};
    fmt::print("{}\n", out.dump(2));
  }
  return equal ? 0 : 1;
}

}  // namespace modelmeter::cli
