// Runs the jobs of a sweep that its store does not have, on many threads: each claims a chunk, has its jobs evaluated
// and stores them (store.h). Memory is that of one chunk for each thread, whatever the number of jobs.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "sweep/store.h"

namespace modelmeter {

// Evaluates jobs; one for each thread. What a job ends in is in its row; an Error that is thrown ends the sweep.
class JobRunner {
 public:
  virtual ~JobRunner() = default;
  // Fills all but the number, which is set. What the store has need not be evaluated.
  virtual void run(JobRow& row, const FindResult& find) = 0;
};

struct SweepProgress {
  int64_t jobs = 0;    // of this process' shard
  int64_t before = 0;  // stored when it began
  int64_t done = 0;    // since
  int64_t found = 0;   // of those done: results of other sweeps
  int64_t failed = 0;  // of those done
};

struct SweepRun {
  int64_t sweep = 0;
  Shard shard;
  int threads = 1;
  // Threads begin at different places, where what each learns is dear and serves the jobs that follow; else they take
  // jobs in order, which a store likes.
  bool apart = false;
  std::function<std::unique_ptr<JobRunner>()> runner;
  // Called by one thread at a time, a few times a second and at the end; may be empty.
  std::function<void(const SweepProgress&)> progress = {};
};

SweepProgress run_sweep(SweepStore& store, const SweepRun& run);

// Cores that this process may use.
int usable_cores();

}  // namespace modelmeter
