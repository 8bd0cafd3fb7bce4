// Times many runs on one machine: what a stage takes is kept by what it runs, so that a run whose stages were timed
// before takes one pass over its ops and no more (docs/performance.md).
//
// Kept by a hash of 64 bits of all that a stage's time follows from: its kernels in order, how often each runs, their
// operands' dtypes, sizes, strides and memories, and the last repetition of what grows. Of a million different stages
// two are taken for one with a probability of 3e-8. Memory is bounded: past `most_stages` times, or `most_kernels`
// of stages that are kept with their kernels (200 bytes each), all are forgotten. Not thread-safe; times of layers and
// ops are time_run()'s.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "timing/known_products.h"
#include "timing/run_time.h"

namespace modelmeter {

class RunTimer {
 public:
  static constexpr size_t most_stages = 100'000, most_kernels = 200'000;

  explicit RunTimer(Machine machine) : machine_(std::move(machine)) {}
  RunTimer(const RunTimer&) = delete;  // stages refer to the machine
  RunTimer& operator=(const RunTimer&) = delete;

  const Machine& machine() const { return machine_; }
  // As RunTime::stages of time_run(); valid until the next call.
  const std::vector<StageTime>& operator()(const Trace& trace, const std::vector<int64_t>& executions);
  // A stage of a trace, however often it runs; of one with the same kernels, where there was one.
  std::shared_ptr<TimedStage> stage(const Trace& trace, const StageOps& stage);
  size_t kept_kernels() const { return kept_kernels_; }
  void forget_kernels();
  int64_t timed() const { return timed_; }  // stages that were not known

 private:
  Machine machine_;
  KnownProducts products_;
  std::unordered_map<uint64_t, StageTime> known_;
  std::unordered_map<uint64_t, std::shared_ptr<TimedStage>> stages_known_;
  std::vector<Residence> residences_;
  std::vector<int32_t> stage_of_;  // of each scope, which of residences_
  std::vector<StageTime> stages_;
  size_t kept_kernels_ = 0;
  int64_t timed_ = 0;
};

}  // namespace modelmeter
