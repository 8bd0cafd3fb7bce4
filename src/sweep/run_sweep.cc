#include "sweep/run_sweep.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <system_error>
#include <thread>

namespace modelmeter {
namespace {

class Workers {
 public:
  Workers(SweepStore& store, const SweepRun& run, SweepProgress& progress)
      : store_(store), run_(run), progress_(progress), cursors_{store.cursor(run.sweep, run.shard)} {}

  // On `threads` threads; throws what the first of them threw.
  void work(int threads) {
    if (run_.apart) {
      cursors_.resize(static_cast<size_t>(threads), cursors_.front());
      for (size_t i = 0; i < cursors_.size(); ++i) {
        cursors_[i].first = cursors_[i].chunks * static_cast<int64_t>(i) / threads;
      }
    }
    std::vector<std::thread> pool;
    try {
      for (int i = 1; i < threads; ++i) pool.emplace_back([this, i] { guarded(static_cast<size_t>(i)); });
    } catch (const std::system_error&) {  // NOLINT(bugprone-empty-catch): as many as the machine gives
    }
    guarded(0);
    for (std::thread& thread : pool) thread.join();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  using Clock = std::chrono::steady_clock;

  void guarded(size_t thread) {
    try {
      loop(cursors_[thread % cursors_.size()]);
    } catch (...) {
      stop_ = true;
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
  }

  void loop(SweepStore::Cursor& cursor) {
    const std::unique_ptr<JobRunner> runner = run_.runner();
    const FindResult find = [this](JobHash key) { return store_.find_result(key); };
    std::vector<JobRow> rows;
    StagedRows staged = store_.staged_rows(run_.sweep);
    while (!stop_) {
      SweepStore::Claim claim;
      const SweepStore::Answer answer = store_.claim(cursor, claim);
      if (answer == SweepStore::Answer::done) return;
      if (answer == SweepStore::Answer::wait) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        continue;
      }
      rows.assign(static_cast<size_t>(claim.last - claim.first), JobRow());
      for (size_t i = 0; i < rows.size() && !stop_; ++i) {
        rows[i].number = claim.first + static_cast<int64_t>(i);
        runner->run(rows[i], find);
      }
      if (stop_) return;
      staged.write(rows);
      store_.store(run_.sweep, claim, staged);
      count(rows);
    }
  }

  void count(const std::vector<JobRow>& rows) {
    const std::lock_guard lock(mutex_);
    progress_.done += static_cast<int64_t>(rows.size());
    for (const JobRow& row : rows) {
      if (row.result) ++progress_.found;
      if (!row.error.empty()) ++progress_.failed;
    }
    const Clock::time_point now = Clock::now();
    if (!run_.progress || now - shown_ < std::chrono::milliseconds(200)) return;
    shown_ = now;
    run_.progress(progress_);
  }

  SweepStore& store_;
  const SweepRun& run_;
  SweepProgress& progress_;
  std::vector<SweepStore::Cursor> cursors_;  // one for all, or one for each thread
  std::mutex mutex_;
  Clock::time_point shown_ = Clock::now();
  std::atomic<bool> stop_ = false;
  std::exception_ptr failure_;
};

int64_t jobs_of(const SweepStore::Cursor& all) {
  const int64_t chunks = (all.jobs + all.chunk_jobs - 1) / all.chunk_jobs;
  const bool has_last = all.chunks > 0 && (chunks - 1) % all.shard.count == all.shard.number;
  return all.chunks * all.chunk_jobs - (has_last ? chunks * all.chunk_jobs - all.jobs : 0);
}

}  // namespace

SweepProgress run_sweep(SweepStore& store, const SweepRun& run) {
  SweepProgress progress;
  progress.jobs = jobs_of(store.cursor(run.sweep, run.shard));
  progress.before = std::min(store.stored(run.sweep), progress.jobs);
  Workers(store, run, progress).work(std::max(1, run.threads));
  if (run.progress) run.progress(progress);
  return progress;
}

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace modelmeter
