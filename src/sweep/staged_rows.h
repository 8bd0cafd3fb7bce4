// Rows of one chunk as a store has them (store.h), in a database in memory that the thread which evaluated them writes:
// values are bound and records made beside other threads, and what is left for the store's one writer is a copy of
// cells (a third of SQLite's work on a row).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "database/database.h"
#include "sweep/job_row.h"

namespace modelmeter {

class StagedRows {
 public:
  // first_result: the number of the result of job 0.
  StagedRows(int64_t sweep, int64_t first_result, size_t axes);

  // Replaces what was there.
  void write(const std::vector<JobRow>& rows);
  // Whether some job is to be tried again (JobRow::again).
  bool again() const { return again_; }
  // For ATTACH: tables results and jobs.
  const std::string& uri() const { return database_.path(); }

 private:
  int64_t insert_result(const JobRow& row);

  int64_t sweep_, first_result_;
  Database database_;
  Statement insert_result_, insert_job_;
  bool again_ = false;
};

// CREATE TABLE of results and of jobs; the names of axes are not those of keys where there are none.
std::string results_table(const std::string& schema);
std::string jobs_table(const std::string& name, const std::vector<std::string>& axes);

}  // namespace modelmeter
