// One run and its report: what analyze, each job of a multirun and other front ends make.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/run_folder.h"
#include "base/files.h"
#include "report/report.h"
#include "timing/machine.h"

namespace modelmeter {

class Analysis {
 public:
  // root: the configuration. overrides: of the command line, for the name of the run. The model outlives it.
  Analysis(const config::View& root, const AnalyticModel& model, std::optional<Machine> machine,
           const std::vector<std::string>& overrides);

  Report& report() { return report_; }
  const Report& report() const { return report_; }
  const Evaluation& run() const { return run_; }
  bool expand_blocks() const { return options_.expand_blocks; }

  // Into its folder; nothing with report=none.
  void write();
  // Into a folder that the caller chose, whatever the configuration says of folders. `layer_docs`: with pages of
  // layers.
  void write_to(const std::string& folder, bool layer_docs);
  // Makes `latest` a link to the run's folder.
  void link() const;
  const std::string& folder() const { return folder_; }  // with the files; empty where nothing was written
  const std::vector<std::string>& files() const { return files_; }
  const std::string& summary();

 private:
  const Machine* machine() const { return machine_ ? &*machine_ : nullptr; }

  struct Options {
    bool expand_blocks = false, yaml = false, layer_docs = false;
    std::optional<std::string> profile_run_id;
    std::optional<double> measured_total_time_ms;

    static Options read(const config::View& report);
  };
  void settle();
  void name_report();
  void name_layer_docs();
  void write_files_of_run();

  const AnalyticModel& model_;
  std::optional<Machine> machine_;
  Options options_;
  Evaluation run_;
  std::optional<RunFolder> where_;
  Report report_;
  std::string folder_, summary_;
  std::vector<std::string> files_;
};

// Whether a run's report is written: not with report=none.
bool writes_reports(const config::View& root);

}  // namespace modelmeter
