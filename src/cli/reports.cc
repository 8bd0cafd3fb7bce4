// modelmeter top and modelmeter compare: what a report, or two, say.
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "report/difference.h"
#include "report/json.h"
#include "report/summary.h"

namespace modelmeter::cli {
namespace {

using Json = nlohmann::ordered_json;

Report load(const std::string& file) { return report_from_json(read_file(file), file); }

size_t count_of(const Arguments& arguments, const char* flag, size_t otherwise) {
  const std::string text = arguments.value(flag);
  if (text.empty()) return otherwise;
  size_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out == 0) {
    throw Error(ErrorCode::usage, fmt::format("{} takes a number above 0, not '{}'", flag, text));
  }
  return out;
}

}  // namespace

int top(const CommandLine& line) {
  const std::vector<Flag> flags = with_common(
      {{"--layers", "-n", "N", "how many layers (10)"}, {"--categories", "", "N", "how many categories (5)"}});
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return fmt::print("{}", command_help("top", flags)), 0;
  if (arguments.rest().size() != 1) throw Error(ErrorCode::usage, "top takes one report: modelmeter top REPORT");
  const size_t layers = count_of(arguments, "--layers", 10), categories = count_of(arguments, "--categories", 5);
  const Report report = load(arguments.rest()[0]);
  if (!arguments.has("--json")) return fmt::print("{}", top_tables(report, layers, categories)), 0;
  Json out = {{"report_id", report.report_id}, {"layers", Json::array()}, {"categories", Json::array()}};
  for (const ModuleMetricsSnapshot* s : top_leaves(report, layers)) {
    out["layers"].push_back({{"module_id", s->module_id},
                             {"flops_torch", s->exact.flops_torch},
                             {"share", s->share_of_model_time},
                             {"bytes_moved", s->exact.io_bytes()},
                             {"calls", s->calls}});
  }
  for (const OperatorMetrics& m : top_categories(report, categories)) {
    out["categories"].push_back({{"category_id", m.category_id},
                                 {"flops_tflops", m.flops_tflops},
                                 {"share", m.share_of_module_flops},
                                 {"io_tb", m.io_tb}});
  }
  fmt::print("{}\n", out.dump(2));
  return 0;
}

int compare(const CommandLine& line) {
  const std::vector<Flag> flags = with_common({{"--layers", "-n", "N", "how many layers (20)"}});
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return fmt::print("{}", command_help("compare", flags)), 0;
  if (arguments.rest().size() != 2) throw Error(ErrorCode::usage, "compare takes two reports: modelmeter compare A B");
  const size_t layers = count_of(arguments, "--layers", 20);
  const Report a = load(arguments.rest()[0]), b = load(arguments.rest()[1]);
  const ReportDifference d = difference(a, b);
  if (!arguments.has("--json")) {
    fmt::print("A: {}\nB: {}\n\n{}", a.report_id, b.report_id, markdown(d, layers));
    return 0;
  }
  Json out = {{"a", a.report_id},
              {"b", b.report_id},
              {"inputs", Json::array()},
              {"totals", Json::array()},
              {"layers", Json::array()}};
  for (const InputDifference& i : d.inputs) out["inputs"].push_back({{"name", i.name}, {"a", i.a}, {"b", i.b}});
  for (const FigureDifference& f : d.totals) out["totals"].push_back({{"name", f.name}, {"a", f.a}, {"b", f.b}});
  for (const LayerDifference& l : d.layers) {
    out["layers"].push_back({{"module_id", l.module_id},
                             {"flops_torch_a", l.flops_a},
                             {"flops_torch_b", l.flops_b},
                             {"bytes_moved_a", l.bytes_a},
                             {"bytes_moved_b", l.bytes_b}});
  }
  fmt::print("{}\n", out.dump(2));
  return 0;
}

}  // namespace modelmeter::cli
