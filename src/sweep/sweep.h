// Many runs of one model that differ in a few values of the configuration: how much each costs and how much memory it
// takes, exactly what an evaluation of that configuration gives, without composing, building and tracing each.
//
//   SweepSpace space(config::compose(repository, "wan2_1_t2v_14b_pipeline", {}), {root},
//                    {{"workload.num_frames"}, {"workload.height"}, {"workload.width"},
//                     {"runtime.residency", {config::Node::string("all"), config::Node::string("offload")}}});
//   Sweep sweep(space);                                   // one for each thread
//   Totals totals = sweep.evaluate({{81, 720, 1280, 1}});  // offload
//
// How it goes. Layers are built once for all values of the axes that AnalyticModel::settings() lists, and again for
// each value of the others. What a stage adds to a run follows from a few numbers (Stage::depends_on) and is kept by
// them (stage_memo.h): steps and residency alone trace next to nothing, many sizes are read off exact polynomials. What
// stages add is put together as AnalyticModel::trace and roll_up do. On a machine, what stages take is kept by the same
// numbers and how often they run (time_memo.h). A run that takes other stages has a model of its
// own; one that is refused is built from its configuration, for the error that a user gets.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/compose.h"
#include "cost/figures.h"
#include "model/analytic_model.h"
#include "model/data_files.h"
#include "sweep/stage_memo.h"
#include "timing/run_timer.h"

namespace modelmeter {

struct SweepAxis {
  std::string key;                    // "workload.num_frames": one that the configuration has
  std::vector<config::Node> choices;  // none: integers
};

struct Totals {
  Figures figures;             // of the whole run; peak_live_bytes is known
  int64_t resident_bytes = 0;  // weights and buffers on the device, the most while any stage runs

  friend bool operator==(const Totals& a, const Totals& b) = default;
};

// What a whole evaluation of a model gives; `cost`: of a trace of its whole run.
Totals totals_of(const AnalyticModel& model);
Totals totals_of(const AnalyticModel& model, const StageCost& cost);

// The axes on a configuration. It does not change: any number of threads may sweep it.
class SweepSpace {
 public:
  // Error for a key that the configuration does not have, with a did-you-mean; for one that is there twice; for a
  // configuration that no model can be built of.
  SweepSpace(config::Composition composition, DataFiles files, std::vector<SweepAxis> axes);

  const std::vector<SweepAxis>& axes() const { return axes_; }
  // The configuration of a point, whole, as its composition would be. Error for a number that is no choice of an axis,
  // and where there are more or fewer than axes.
  config::Node configuration(std::span<const int64_t> point) const;
  // The keys that an axis sets where the layers stay, its own first; none where each value asks for another model.
  const std::vector<std::string>& keys_of(size_t axis) const { return settings_[axis]; }
  // The same, built.
  std::unique_ptr<AnalyticModel> model(std::span<const int64_t> point) const;

 private:
  friend class Sweep;
  void find_settings();
  std::vector<std::string> changed_by(size_t axis) const;

  config::Composition composition_;
  DataFiles files_;
  std::vector<SweepAxis> axes_;
  // Of each axis: the settings of the model that it sets, those that interpolate it among them. None: another model.
  std::vector<std::vector<std::string>> settings_;
};

// A point of a space: a value for each axis, an integer or the number of a choice.
using SweepPoint = std::span<const int64_t>;

class SweepModel;  // one model and what its stages were found to add; in sweep_model.h

// Evaluates points of a space. Keeps what it found, in bounded memory. Not thread-safe: one for each thread.
class Sweep {
 public:
  // Both are to outlive it.
  explicit Sweep(const SweepSpace& space, const Machine* machine = nullptr);
  ~Sweep();
  Sweep(Sweep&&) noexcept;
  Sweep& operator=(Sweep&&) = delete;

  // Errors as of composing, building and evaluating the point's configuration.
  Totals evaluate(SweepPoint point) { return evaluate(point, nullptr); }
  Totals evaluate(std::initializer_list<int64_t> point) { return evaluate(SweepPoint(point.begin(), point.size())); }

  // The same, and how long its stages take on the machine, as time_run() has it.
  Totals evaluate(SweepPoint point, std::vector<StageTime>& times) { return evaluate(point, &times); }

  struct Stats {
    int64_t points = 0;
    int64_t models = 0;  // that were built
    int64_t whole = 0;   // points that were traced whole
    int64_t timed = 0;   // stages, kernel by kernel
    MemoStats stages;
  };
  Stats stats() const;
  // Kernels whose times are kept; forgetting them costs time alone.
  size_t kept_kernels() const { return timer_ ? timer_->kept_kernels() : 0; }
  void forget_kernels() {
    if (timer_) timer_->forget_kernels();
  }

 private:
  // Those that share the values that ask for another model: more than one where runs take other stages.
  using Models = std::vector<std::unique_ptr<SweepModel>>;

  Totals evaluate(SweepPoint point, std::vector<StageTime>* times);
  Models& models_of(SweepPoint point);
  Totals evaluate_anew(SweepPoint point, Models& models, std::vector<StageTime>* times);
  Totals evaluate_whole(const AnalyticModel& model, std::vector<StageTime>* times);
  void forget(Models& models);

  const SweepSpace& space_;
  std::unique_ptr<RunTimer> timer_;  // where there is a machine
  std::unique_ptr<Tracer> tracer_;   // of runs that are timed whole
  std::vector<int64_t> of_model_;    // values of the axes that ask for another model
  std::vector<size_t> model_axes_;
  struct Hash {
    size_t operator()(const std::vector<int64_t>& values) const;
  };
  std::unordered_map<std::vector<int64_t>, Models, Hash> models_;
  Models* last_ = nullptr;
  Stats stats_;
};

}  // namespace modelmeter
