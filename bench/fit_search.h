// One question of `modelmeter fit`, from nothing: what is asked for, the ways that fit, of smaller workloads the
// fastest each. What the benchmark times and the gate counts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "evaluation.h"
#include "fit/fit_request.h"

namespace modelmeter::bench {

class FitSearchOnce {
 public:
  FitSearchOnce(std::string name, std::vector<std::string> overrides)
      : name_(std::move(name)), overrides_(std::move(overrides)), model_(model_of(name_, overrides_)) {
    repository_.keep_files();
    machine_.emplace(load_device(repository_, "rtx_4090"), load_kernel_stack(repository_, "torch_2_11"),
                     load_host(repository_, "virtual_16_cores"));
  }

  // Ways that were evaluated.
  int64_t operator()() {
    const ModelOf with = [&](const std::vector<std::string>& more) {
      std::vector<std::string> all = overrides_;
      all.insert(all.end(), more.begin(), more.end());
      const config::Node config = config::resolve(config::compose(repository_, name_, all));
      return build_model(config::View(config), DataFiles{MODELMETER_SOURCE_DIR});
    };
    return fit_report(*model_, with, &*machine_, {}).evaluated;
  }

 private:
  std::string name_;
  std::vector<std::string> overrides_;
  std::unique_ptr<AnalyticModel> model_;
  config::Repository repository_{std::string(MODELMETER_SOURCE_DIR) + "/configs"};
  std::optional<Machine> machine_;
};

// Every allocation of a run on an allocator without a bound, again and again, its programs known.
class Replayer {
 public:
  Replayer(const std::string& name, const std::vector<std::string>& overrides) : model_(model_of(name, overrides)) {
    model_->trace(tracer_);
    run_ = (*this)();
  }

  RunReplay operator()() { return replay_run(*model_, tracer_.trace(), programs_, {}); }

 private:
  std::unique_ptr<AnalyticModel> model_;
  Tracer tracer_;
  StagePrograms programs_{default_stack()};
  RunReplay run_;
};

}  // namespace modelmeter::bench
