// Where a run's reports go, and what it is called. By default a run's id is made of what it is of, the model, the
// workload, the implementation, and of the overrides that no part of those names, so that another question has another
// folder: wan2.1-t2v-14b_wan2-1-720p_official_num_frames=81,cfg=false. A folder that holds another report of that
// id is left as it is: the id gets a time stamp.
#pragma once

#include <string>
#include <vector>

#include "config/access.h"
#include "model/analytic_model.h"

namespace modelmeter {

struct RunFolder {
  std::string run_id;
  std::string folder;   // of the run
  bool chosen = false;  // by report.run_id, report.run_dir or hydra.run.dir: what is there is replaced

  // report: output_dir, run_id (null: made as above), run_dir (null: output_dir/run_id). overrides: of the command
  // line. Errors at the keys: an id that is no name of a folder.
  static RunFolder of(const config::View& report, const AnalyticModel& model,
                      const std::vector<std::string>& overrides);

  // The id alone, of a run that is not written.
  static std::string id_of(const config::View& report, const AnalyticModel& model,
                           const std::vector<std::string>& overrides);

  // The same with a time stamp, where no run is yet.
  RunFolder stamped() const;
};

// The part of an id that overrides make: "num_frames=81,cfg=false".
std::string text_of_overrides(const std::vector<std::string>& overrides);

// Makes `latest`, beside the run's folder, a link to it. A file or folder of that name is left alone.
void link_latest(const RunFolder& run);

}  // namespace modelmeter
