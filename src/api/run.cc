#include "api/run.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/edit_distance.h"
#include "base/error.h"
#include "memory/alloc_conf.h"
#include "report/json.h"
#include "report/layer_docs.h"
#include "report/layer_tree.h"
#include "report/memory_json.h"
#include "report/memory_text.h"
#include "report/operator_list.h"
#include "report/ranking.h"
#include "report/sensitivity_text.h"
#include "report/summary.h"
#include "report/top.h"
#include "timing/sensitivity.h"

namespace modelmeter {

MemoryReport memory_of(const AnalyticModel& model, const Evaluation& run, const Machine* machine,
                       const MemoryQuestion& question) {
  const Stack& stack = machine != nullptr ? stack_of(machine->device().architecture) : default_stack();
  AllocatorSettings settings = parse_alloc_conf(question.alloc_conf);
  if (machine != nullptr) settings.memory = usable_memory(machine->device());
  return build_memory_report(model, run, question.stage, stack, settings, question.records);
}

std::string sensitivity_of(const Evaluation& run, const Machine* machine, bool json) {
  if (machine == nullptr) {
    throw Error("which device? device=NAME is missing", {}, {"modelmeter devices lists them"});
  }
  const double wall = time_run(run, *machine).total().wall;
  const std::vector<Sensitivity> resources = sensitivities(run, *machine);
  return json ? sensitivity_json(wall, resources) : sensitivity_text(wall, resources);
}

Run::Run(Request request)
    : request_(std::move(request)),
      model_(request_.model()),
      machine_(request_.machine()),
      analysis_(request_.view(), *model_, machine_, request_.asked().overrides) {}

std::string Run::report_json() const { return to_json(report()); }

std::string Run::summary() const { return summary_markdown(report()); }

std::string Run::memory_json(const MemoryQuestion& question) const {
  return modelmeter::memory_json(memory_of(*model_, analysis_.run(), machine(), question));
}

std::string Run::memory_text(const MemoryQuestion& question, int width) const {
  return modelmeter::memory_text(memory_of(*model_, analysis_.run(), machine(), question), width);
}

std::string Run::top_json(const std::string& by, size_t layers, size_t categories) const {
  const RankKey& key = by.empty() ? *default_rank_keys().front() : rank_key(by);
  return modelmeter::top_json(report(), {layers, categories}, key);
}

std::string Run::tree(int depth, const std::string& by, int width) const {
  LayerTreeOptions options;
  options.depth = std::clamp(depth, 0, 1000);
  if (!by.empty()) options.by = &rank_key(by);
  if (options.by != nullptr && options.by->by_time) expect_times(report());
  if (width > 0) options.width = width;
  options.report = &report();
  const Evaluation& run = analysis_.run();
  return layer_tree(*module_tree(*model_, run, {analysis_.expand_blocks()}), run.trace(), run.rollup(), options);
}

std::string Run::explain(const std::string& module) const {
  std::call_once(
      paged_, [&] { pages_ = layer_docs(*model_, analysis_.run(), report(), {analysis_.expand_blocks()}, machine()); });
  std::string page = "summary.md";
  if (!module.empty()) {
    const std::vector<std::string> shown = labels(report());
    std::vector<std::string> ids;
    for (size_t i = 0; i < shown.size(); ++i) {
      ids.push_back(report().modules[i].module_id);
      if (module == shown[i]) page = layer_page_name(ids.back());
    }
    if (std::find(ids.begin(), ids.end(), module) != ids.end()) page = layer_page_name(module);
    if (page == "summary.md") {
      std::vector<std::string> notes;
      if (const std::string meant = did_you_mean(module, ids); !meant.empty()) notes.push_back(meant);
      throw Error(fmt::format("there is no layer '{}'", module), {}, notes);
    }
  }
  for (const auto& [name, text] : pages_) {
    if (name == page) return text;
  }
  throw Error(ErrorCode::internal, fmt::format("there is no page {}", page));
}

std::string Run::operators_json() const {
  return modelmeter::operators_json(target_operators(*model_, analysis_.run(), report().report_id), "");
}

std::vector<std::string> Run::save(const std::string& folder, bool layer_docs) {
  if (folder.empty()) {
    analysis_.write();
    analysis_.link();
  } else {
    analysis_.write_to(folder, layer_docs);
  }
  return analysis_.files();
}

}  // namespace modelmeter
