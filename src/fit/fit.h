// Does a run fit the memory of a device, and which of its settings make it fit at what price: each way is evaluated,
// its allocations replayed on the device's allocator (memory/run_replay.h) and its kernels timed (timing/run_timer.h).
//
// A run fits where every allocation finds room, be it after the allocator has given freed segments back. A model
// that is cast on the device is loaded first, and a run may end there. Predicted peaks are within 1 % of measured ones
// (docs/memory.md): a margin below that is called close.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cost/rollup.h"
#include "fit/known_stages.h"
#include "memory/run_replay.h"
#include "timing/machine.h"
#include "timing/run_timer.h"

namespace modelmeter {

// The model of the configuration with more overrides. Error where it is refused.
using ModelOf = std::function<std::unique_ptr<AnalyticModel>(const std::vector<std::string>& overrides)>;

struct FitQuestion {
  int64_t memory = 0;  // of the device that programs can have, bytes
  const Stack* stack = nullptr;
  const Machine* machine = nullptr;  // null: nothing is timed
  AllocatorSettings settings;        // but for its capacity
  std::string alloc_conf;            // what they were read from

  // What is left of it for the allocator's segments; Error where the context alone takes all.
  int64_t capacity() const;
};

// A setting that gives up something for memory: a key of the configuration, and what it changes beside memory.
struct FitLever {
  std::string key, value, note;

  std::string text() const { return key + "=" + value; }
};
// Values of one key, of which one can be chosen.
using FitLevers = std::vector<FitLever>;
// Of some keys one value each.
using FitChoice = std::vector<const FitLever*>;

// One way to run.
struct FitWay {
  std::vector<std::string> overrides;  // beside those of the configuration
  std::string alloc_conf;              // of PYTORCH_CUDA_ALLOC_CONF, where that is not as in the question
  std::vector<std::string> notes;      // what each of typed() changes beside memory
  bool fits = false;
  int64_t live = 0;                     // tensors at their highest
  int64_t allocated = 0, reserved = 0;  // the allocator's peaks; where it does not fit, on a device with room enough
  int64_t retries = 0;                  // how often segments had to go back to the device first
  std::vector<OutOfMemory> failed;      // none, or where it ends
  Count copied = 0;                     // bytes of weights over the bus, loading among them
  std::optional<double> seconds;        // of the run with those copies; none without a machine
  bool on_host = false;                 // a stage runs on the host, which is not timed

  int64_t nvidia_smi(const Stack& stack) const { return reserved + stack.cuda_context.value; }
  // The overrides, and the allocator's setting as one sets it.
  std::vector<std::string> typed() const;
};

// Evaluates ways to run; stages that they have in common are worked out once (fit/known_stages.h), allocations replayed
// on several threads. Keeps references.
class FitSearch {
 public:
  using Overrides = std::vector<std::string>;

  FitSearch(ModelOf model_of, const FitQuestion& question);

  FitWay way(const Overrides& overrides);

  // Ways that fit by what can be set (residency, swapped blocks, the text encoder on the CPU, 16-bit weights, formats
  // below 16 bits, tiles, the other code base, expandable segments), up to four of them at once, fastest first, without
  // a machine those that copy least first. Not listed: a way of which a part fits and is no slower.
  std::vector<FitWay> ways();

  // Of each workload with the given override values the fastest of such ways, up to three of them at once, where one
  // fits.
  std::vector<FitWay> best_of_each(const std::vector<Overrides>& workloads);

  // The largest workload of those with the given override values that fits; nothing where none does. The values ascend
  // in what they need; those that the configuration refuses are passed over.
  std::optional<FitWay> largest(const std::vector<Overrides>& workloads);

  int64_t evaluated() const { return evaluated_; }     // ways, also those that need no replay to be left out
  int64_t traced() const { return stages_.traced(); }  // stages, each of them for all ways that have it

 private:
  struct Candidate {
    std::unique_ptr<AnalyticModel> model;
    FitWay way;
    std::vector<StageFacts*> stages;  // none of a model whose stages share what is alive
  };
  const std::vector<FitLevers>& levers();
  Candidate candidate(const Overrides& overrides);  // traced and timed, until the next
  std::optional<Candidate> candidate(const FitChoice& choice, const Overrides& workload);
  bool is_refused(const FitChoice& choice) const;
  std::optional<FitWay> best_way(const Overrides& workload);
  void let_segments_grow(FitWay& way) const;
  void add_stages(Candidate& candidate);
  void trace(Candidate& candidate);
  void make_programs(const Candidate& candidate);
  void replay_all(std::vector<Candidate>& open, const std::vector<FitWay>& fitting);
  void replay_either(Candidate& candidate, const std::vector<FitWay>& fitting);
  void replay(Candidate& candidate, bool describes_failure);
  RunReplay replay_with(Candidate& candidate, AllocatorSettings settings);

  ModelOf model_of_;
  const FitQuestion& question_;
  std::optional<std::vector<FitLevers>> levers_;  // that the configuration takes
  // Not taken by the configuration. Nor are others on the same code base that have all of the same settings, and more.
  std::vector<FitChoice> refused_;
  std::optional<RunTimer> timer_;
  KnownStages stages_;
  KnownRuns runs_;
  StagePrograms programs_;  // of models whose stages share what is alive
  Tracer tracer_;
  Rollup rollup_;
  int64_t evaluated_ = 0;
};

}  // namespace modelmeter
