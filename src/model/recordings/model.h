// A recording as a model: what runs is what was recorded, for reports, memory, time, fit and comparison as of native
// models. Its stages are the recording's, which run one after another and leave memory to each other; of a recording
// that names none it is one, "forward".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/access.h"
#include "model/analytic_model.h"
#include "model/data_files.h"
#include "model/recordings/layers.h"
#include "recording/recording.h"

namespace modelmeter::recordings {

inline constexpr const char* family_name = "recording";

class RecordedModel final : public AnalyticModel {
 public:
  // Nodes model (trace: the file) and runtime (execution).
  RecordedModel(const config::View& config, const DataFiles& files);
  // `name`: what reports call the run, as the file without its folder and endings. Error for a recording that has sums
  // of sections and no kernels, or figures that do not go together.
  RecordedModel(Recording recording, std::string name);
  ~RecordedModel() override;

  const Recording& recording() const { return recording_; }
  const std::vector<std::unique_ptr<Stage>>& stages() const override { return stages_; }
  void set_execution(Execution execution) override;
  std::string family() const override { return family_name; }
  std::string class_name() const override;
  std::string profile_id() const override { return name_; }
  Fields model_fields() const override;
  Fields workload_fields() const override;
  Fields runtime_fields() const override;
  std::vector<std::string> notes() const override;
  Residents residents(const Stage& running, const RunValues& run) const override;
  using AnalyticModel::residents;
  std::vector<OperatorCategory> categories() const override;
  ReportNames names() const override;
  void describe(const Stage& stage, Recording& header) const override;

 private:
  void check() const;
  void check_totals() const;
  void keep_names(const Stage& stage, Recording& out) const;

  Recording recording_;
  std::string name_;
  std::vector<RecordedStage> parts_;  // as Recording::stages, or all of it
  std::unique_ptr<RecordedLayers> layers_;
  std::vector<std::unique_ptr<Stage>> stages_;
};

}  // namespace modelmeter::recordings
