// One run with all that is said of it, as the commands say it: documents for front ends that hold on to a run, such as
// a notebook. What costs time is made when it is asked for, once.
//
// Documents are JSON, the text of `modelmeter COMMAND --json`, or text for people.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/analysis.h"
#include "api/request.h"
#include "memory/memory_report.h"

namespace modelmeter {

// On the device where there is one, with its stack and what programs can have of its memory. `alloc_conf`:
// PYTORCH_CUDA_ALLOC_CONF. `records`: also what the allocator holds where it is fullest.
struct MemoryQuestion {
  std::string stage, alloc_conf;  // "": of the whole run, the allocator's defaults
  bool records = false;
};
MemoryReport memory_of(const AnalyticModel& model, const Evaluation& run, const Machine* machine,
                       const MemoryQuestion& question);

// What the run waits for on the machine, as text or JSON. Error without one.
std::string sensitivity_of(const Evaluation& run, const Machine* machine, bool json);

// Thread-safe but for save().
class Run {
 public:
  explicit Run(Request request);

  const Request& request() const { return request_; }
  const Report& report() const { return analysis_.report(); }
  const std::vector<std::string>& notes() const { return report().notes; }

  std::string report_json() const;
  std::string summary() const;
  std::string memory_json(const MemoryQuestion& question) const;
  std::string memory_text(const MemoryQuestion& question, int width) const;
  std::string top_json(const std::string& by, size_t layers, size_t categories) const;
  // The tree of layers, as `analyze --depth --by`; `by` may be "".
  std::string tree(int depth, const std::string& by, int width) const;
  // The page of a layer, by its id or its label ("diffusion/dit/block x 40/attn"); "": of all. Error with a
  // did-you-mean.
  std::string explain(const std::string& module) const;
  std::string operators_json() const;
  std::string sensitivity(bool json) const { return sensitivity_of(analysis_.run(), machine(), json); }

  // report.json, summary.md and with layer_docs a page for each layer, in this folder; "": where the configuration has
  // reports. Gives the paths of the files.
  std::vector<std::string> save(const std::string& folder, bool layer_docs);

 private:
  const Machine* machine() const { return machine_ ? &*machine_ : nullptr; }

  Request request_;
  std::unique_ptr<AnalyticModel> model_;
  std::optional<Machine> machine_;
  Analysis analysis_;
  mutable std::once_flag paged_;
  mutable std::vector<std::pair<std::string, std::string>> pages_;
};

}  // namespace modelmeter
