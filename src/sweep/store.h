// Where the jobs of sweeps are kept: one SQLite file, in WAL mode, for any number of sweeps and processes.
//
//   sweeps     a row for each: its words, its number of jobs, the configuration of the first job as text
//   chunks     ranges of jobs: whose they are while they run (process and when it began), nobody's when they are stored
//   results    a row for each configuration (job_key.h), with its figures or the error that it ends in
//   jobs_N     a row for each job of sweep N: its number, its result, the values of its axes
//   sweep_N    a view of the two: what people read
//
// A sweep has a range of numbers for its results, from `first_result` on, so that whoever evaluates a job knows that of
// its result: rows are written outside of the store (staged_rows.h), and SQLite's one writer copies their cells.
// Results are found by their key through an index that is made when a second sweep comes: of a single one nothing has
// to be found. What the machine failed has an empty key, which nobody finds.
//
// A chunk is claimed, evaluated and stored with all of its jobs in one transaction. Whoever is killed, at whatever
// moment, leaves claims behind and no half of a chunk; another run of the same sweep, beside it or later, takes up what
// the dead left and redoes nothing that is stored. All processes are on one machine: SQLite's WAL asks for that.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "database/database.h"
#include "sweep/job_key.h"
#include "sweep/job_row.h"
#include "sweep/staged_rows.h"

namespace modelmeter {

struct SweepDescription {
  std::string config_name, program;
  std::vector<std::string> overrides;  // the words of the command line
  std::string base;                    // the canonical text of the first job's configuration
  std::vector<std::string> axes;       // what is swept
  JobHash values = 0;                  // of all words of the axes, in order, and of what files say behind them
  int64_t jobs = 0;
  int64_t chunk = 1;  // jobs that are claimed and stored together
};

// Of a sweep that is divided over machines: every count-th chunk from the number-th on, counted from 0.
struct Shard {
  int64_t number = 0, count = 1;
};

// Thread-safe.
class SweepStore {
 public:
  // Makes the file where it is not there. Error where it is something else, or of another version.
  explicit SweepStore(const std::string& path);

  const std::string& path() const { return database_.path(); }
  // The sweep's number in this store: of the same one, where it is there.
  int64_t begin(const SweepDescription& sweep);

  struct Claim {
    int64_t chunk = 0, first = 0, last = 0;  // jobs first … last - 1
  };
  // What is left of one sweep for one process, or for one of its threads; claim() guards it.
  struct Cursor {
    int64_t sweep = 0;
    Shard shard = {};
    int64_t chunk_jobs = 1, jobs = 0;
    int64_t chunks = 0;                // of the shard
    int64_t first = 0, seen = 0;       // of these: where it begins, and how many it has been at
    std::vector<int64_t> others = {};  // chunks of other processes
  };
  Cursor cursor(int64_t sweep, Shard shard) const;
  enum class Answer { claimed, wait, done };  // wait: other processes are at the rest
  Answer claim(Cursor& cursor, Claim& out);
  std::optional<int64_t> find_result(JobHash key);
  // For one thread to write rows of a sweep into; has none.
  StagedRows staged_rows(int64_t sweep) const;
  void store(int64_t sweep, const Claim& claim, const StagedRows& rows);
  // How long this process has claimed and stored chunks: one thread at a time.
  double writing_seconds() const;
  // Jobs that are stored, of one sweep.
  int64_t stored(int64_t sweep) const;
  int64_t failed(int64_t sweep) const;
  // The first job that failed: its number and error.
  std::optional<std::pair<int64_t, std::string>> first_failure(int64_t sweep) const;

  // Adds all that another store has and this one has not.
  void merge(const std::string& other);

 private:
  int64_t add(const SweepDescription& sweep, const std::string& identity);
  bool take(const Cursor& cursor, int64_t chunk, bool& other);
  struct Merged {
    int64_t there = 0, here = 0, first_there = 0, first_here = 0;
  };
  int64_t free_results() const;
  Merged merge_sweep(int64_t there);
  void merge_results(const Merged& sweep);
  void merge_jobs(const Merged& sweep);
  bool merge_shard();

  class Stopwatch;

  mutable std::mutex mutex_;
  double writing_seconds_ = 0;
  Database database_;
  std::string owner_;
  std::optional<Statement> find_result_, find_chunk_;
  bool has_others_ = false;  // results of other sweeps than the one that began last, and an index of them
};

// The table and the view of a sweep's jobs.
void create_jobs(Database& database, int64_t sweep, const std::vector<std::string>& axes);

// Checks that it is a store, of this version.
Database open_store(const std::string& path, Database::Mode mode);
// The same to be asked only. Opened for writing where that may be, so that nothing of WAL stays behind.
Database read_store(const std::string& path);

}  // namespace modelmeter
