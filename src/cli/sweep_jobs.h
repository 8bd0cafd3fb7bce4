// How the jobs of a multirun are evaluated.
//
//   composed   a job is composed, built, evaluated as `analyze` does it, and with `folder` leaves what a run leaves:
//              .hydra, a log, its report
//   points     where only values vary that a configuration holds, it is composed once for each combination of the
//              others (groups) and the jobs are points of a SweepSpace (sweep/sweep.h): a thousand times as fast
//
// Both give a job the same key and the same figures. With a device both time it.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cli/session.h"
#include "config/sweeper.h"
#include "sweep/named_files.h"
#include "sweep/run_sweep.h"
#include "timing/run_time.h"

namespace modelmeter::cli {

// What all jobs share; it does not change while they run.
struct JobSetting {
  const Session& session;
  const config::Product& product;
  NamedFiles& named_files;
  std::string program;              // its version: others have other figures
  std::string folder;               // absolute; empty: nothing is written but the table
  std::vector<size_t> swept;        // the axes of the product that are
  std::vector<CanonicalLine> base;  // of the first job's configuration
  bool change_directory = false;
  std::vector<CanonicalLine> hardware = {};  // the stack and the host that a device has by default
};

// The lines that a job is known by: its resolved configuration, what is in the files that it names, the program.
std::vector<CanonicalLine> lines_of_job(const JobSetting& setting, const config::Node& resolved);

// What one is known by that cannot be resolved.
JobHash key_of_words(const JobSetting& setting, int64_t number);

std::unique_ptr<JobRunner> composed_jobs(const JobSetting& setting);

// The axes of the product that can be axes of a SweepSpace; none where the jobs are to be composed.
std::vector<size_t> point_axes(const Session& session, const config::Product& product);

// Spaces that were composed, for all threads.
class Spaces;
std::shared_ptr<Spaces> make_spaces(const JobSetting& setting, std::vector<size_t> point_axes);
std::unique_ptr<JobRunner> point_jobs(const JobSetting& setting, std::shared_ptr<Spaces> spaces);

// Error for the name of a Parquet file, with what makes one: no library that writes it is in the distribution.
void refuse_parquet(const std::string& file);

// A value as a column of the table.
StoredValue stored_value(const config::Node& value);
// The figures of a job that was evaluated.
JobFigures job_figures(const AnalyticModel& model, const Evaluation& run, const Machine* machine);
JobFigures job_figures(const Totals& totals, const RunTime& time, const Machine& machine);

}  // namespace modelmeter::cli
