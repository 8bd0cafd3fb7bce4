// A model and the memory that evaluating it again and again uses: what the benchmarks time and the gate counts.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/compose.h"
#include "model/registry.h"

namespace modelmeter::bench {

// The model of an entry config of this source tree.
inline std::unique_ptr<AnalyticModel> model_of(const std::string& name, const std::vector<std::string>& overrides) {
  const std::string root = MODELMETER_SOURCE_DIR;
  const config::Repository repository(root + "/configs");
  const config::Node config = config::resolve(config::compose(repository, name, overrides));
  return build_model(config::View(config), DataFiles{root});
}

// One evaluation: trace, count, live memory and roll-up of the whole run. No report is written. With every kernel where
// it runs, as reports want it, or as sums and peaks only: equal calls recorded once.
class Evaluator {
 public:
  enum class Detail { kernels, sums };

  Evaluator(Detail detail, const std::string& name, const std::vector<std::string>& overrides)
      : model_(model_of(name, overrides)) {
    tracer_.share_calls(detail == Detail::sums);
  }

  StageCost operator()() {
    tracer_.clear();
    model_->trace(tracer_);
    roll_up(tracer_.trace(), rollup_);
    return model_->cost_of(tracer_.trace(), rollup_);
  }
  size_t ops() const { return tracer_.trace().ops.size(); }

 private:
  std::unique_ptr<AnalyticModel> model_;
  Tracer tracer_;
  Rollup rollup_;
};

}  // namespace modelmeter::bench
