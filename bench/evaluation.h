// A model and the memory that evaluating it again and again uses: what the benchmarks time and the gate counts.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/compose.h"
#include "hardware/catalog.h"
#include "model/registry.h"
#include "recording/recording.h"
#include "timing/run_timer.h"
#include "verify/comparison.h"

namespace modelmeter::bench {

// The model of an entry config of this source tree.
inline std::unique_ptr<AnalyticModel> model_of(const std::string& name, const std::vector<std::string>& overrides) {
  const std::string root = MODELMETER_SOURCE_DIR;
  const config::Repository repository(root + "/configs");
  const config::Node config = config::resolve(config::compose(repository, name, overrides));
  return build_model(config::View(config), DataFiles{root});
}

// One evaluation: trace, count, live memory and roll-up of the whole run. No report is written. With every kernel where
// it runs, as reports want it, the same and what its stages take on a device, or as sums and peaks only: equal calls
// recorded once.
class Evaluator {
 public:
  enum class Detail { kernels, timed, sums };

  Evaluator(Detail detail, const std::string& name, const std::vector<std::string>& overrides)
      : model_(model_of(name, overrides)) {
    tracer_.share_calls(detail == Detail::sums);
    if (detail != Detail::timed) return;
    const config::Repository files(std::string(MODELMETER_SOURCE_DIR) + "/configs");
    timer_.emplace(Machine(load_device(files, "h100_sxm"), load_kernel_stack(files, "torch_2_11"),
                           load_host(files, "virtual_16_cores")));
  }

  StageCost operator()() {
    tracer_.clear();
    model_->trace(tracer_);
    roll_up(tracer_.trace(), rollup_);
    if (timer_) (*timer_)(tracer_.trace(), rollup_.executions);
    return model_->cost_of(tracer_.trace(), rollup_);
  }
  size_t ops() const { return tracer_.trace().ops.size(); }

 private:
  std::unique_ptr<AnalyticModel> model_;
  Tracer tracer_;
  Rollup rollup_;
  std::optional<RunTimer> timer_;
};

// A recording of one forward of a model, all its kernels written out, read and analysed as any model's is.
class RecordedForward {
 public:
  RecordedForward(const std::string& name, const std::vector<std::string>& overrides) {
    const std::unique_ptr<AnalyticModel> model = model_of(name, overrides);
    const Stage& stage = *model->stages().front();
    Recording recording = full_recording_of(stage);
    model->describe(stage, recording);
    text_ = write_recording(recording);
  }

  StageCost operator()() {
    const std::unique_ptr<AnalyticModel> model = model_of_recording(read_recording(text_, "bench.json"), "bench");
    const Evaluation run = evaluate(*model);
    ops_ = run.trace().ops.size();
    return model->cost_of(run);
  }
  size_t ops() const { return ops_; }

 private:
  std::string text_;
  size_t ops_ = 0;
};

}  // namespace modelmeter::bench
