// One model of a sweep, with what its stages were found to add to a run, and how runs are put together of that.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "sweep/stage_memo.h"
#include "sweep/sweep.h"
#include "sweep/time_memo.h"

namespace modelmeter {

class SweepModel {
 public:
  // axis_settings: of each axis of the point the keys of the settings that it sets. timer: none, or what times runs.
  SweepModel(std::unique_ptr<const AnalyticModel> model, const std::vector<SweepAxis>& axes,
             const std::vector<std::vector<std::string>>& axis_settings, RunTimer* timer);

  const AnalyticModel& model() const { return *model_; }
  // Nothing where the model does not make this run of its stages. times, where they are wanted: of its stages. Errors
  // as of an evaluation.
  std::optional<Totals> evaluate(SweepPoint point, std::vector<StageTime>* times);
  MemoStats stats() const;

 private:
  // What is on the device while a part runs, beside its inputs and activations.
  struct Resident {
    int64_t bytes;
    PartPlace place;
  };
  // By the numbers of the run that it follows from.
  struct Residence {
    std::vector<int64_t> values;
    std::vector<Resident> parts;  // as parts_
    int64_t most_bytes = 0;       // on the device
  };
  // An axis that sets a setting: the value of each choice there; none: the axis' own.
  struct Source {
    size_t axis, setting;
    std::vector<int64_t> choices;
  };

  void add_source(Source source, const SweepAxis& axis, const Setting& setting);
  bool set(SweepPoint point);
  const Residence& residence(const RunValues& run);
  Totals add_up(const RunValues& run, const Residence& there);
  int64_t held_while(size_t running) const;
  int64_t highest_live(const Residence& there) const;

  std::unique_ptr<const AnalyticModel> model_;
  std::vector<const Stage*> parts_;
  int64_t parameters_, weight_bytes_;
  std::vector<size_t> residents_depend_on_;
  std::vector<StageMemo> memos_;      // as parts_
  std::vector<TimeMemo> time_memos_;  // as parts_, where runs are timed
  std::vector<int64_t> settings_;     // as the model's
  std::vector<Source> sources_;
  std::deque<Residence> residences_;
  // Of the last run, as parts_.
  std::vector<const StageResult*> results_;
  std::vector<int64_t> forwards_;
};

}  // namespace modelmeter
