// How long one part of a run takes on a machine, kept by the numbers of the run that it follows from
// (Stage::depends_on), where its weights are, and how often it runs: a run in which all of these are those of an
// earlier one is neither traced nor timed again. One that differs in how often it runs (steps) is one pass over the
// kernels that were timed. Stages that run the same kernels share their times (RunTimer::stage).
//
// Memory is bounded: past `most_times` or `most_parts` all are forgotten, and kernels are the timer's. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/analytic_model.h"
#include "sweep/run_key.h"
#include "timing/run_timer.h"

namespace modelmeter {

// Where the weights of a part are before it runs, in one run.
struct PartPlace {
  Offload offload;
  bool on_device = true;
  int64_t arriving_bytes = 0, leaving_bytes = 0;
};

class TimeMemo {
 public:
  static constexpr size_t most_times = 4096, most_parts = 512;

  // A part that is a stage, or stands for all (AnalyticModel::parts): its stages are the functions that it calls then.
  // What it refers to is to outlive it.
  TimeMemo(const Stage& part, bool is_stage, RunTimer& timer)
      : part_(part), is_stage_(is_stage), depends_on_(part.depends_on()), timer_(timer) {}

  // Adds the times of its stages. Errors as of a trace.
  void add(const RunValues& run, const PartPlace& place, std::vector<StageTime>& out);
  int64_t traced() const { return traced_; }

 private:
  // What a forward runs; the timer may have forgotten it.
  struct Part {
    std::vector<std::weak_ptr<TimedStage>> stages;
    std::vector<std::vector<int64_t>> executions;  // of their ops, in one forward
    std::vector<std::string> names;
  };

  std::vector<StageTime> times_of(const RunKey& key, const RunValues& run, const PartPlace& place, int64_t forwards);
  std::vector<std::shared_ptr<TimedStage>> stages_of(Part& part, const RunValues& run, const PartPlace& place);
  void trace(const RunValues& run, const PartPlace& place);

  const Stage& part_;
  bool is_stage_;
  std::vector<Dependence> depends_on_;
  RunTimer& timer_;
  std::unordered_map<RunKey, std::vector<StageTime>, RunKeyHash> times_;
  std::unordered_map<RunKey, Part, RunKeyHash> parts_;
  std::unique_ptr<Tracer> tracer_;
  std::vector<int64_t> executions_;
  int64_t traced_ = 0;
};

}  // namespace modelmeter
