// Wan2.1 as a whole: the stages that a configuration asks for, with what reports say of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/analytic_model.h"
#include "model/data_files.h"
#include "model/wan2_1/dit_stage.h"
#include "model/wan2_1/geometry.h"
#include "model/wan2_1/workload.h"

namespace modelmeter::wan2_1 {

class Wan2_1Model : public AnalyticModel {
 public:
  // config: the composed configuration with hf, runtime, workload, transformer and model nodes.
  Wan2_1Model(const config::View& config, const DataFiles& files);

  const std::vector<std::unique_ptr<Stage>>& stages() const override { return stages_; }
  std::string family() const override { return "wan2_1"; }
  std::string class_name() const override { return "Wan2_1T2VModel"; }
  std::string profile_id() const override { return workload_.profile_id; }
  Fields model_fields() const override;
  Fields workload_fields() const override;
  Fields runtime_fields() const override { return runtime_.fields(); }
  std::vector<std::string> notes() const override { return notes_; }
  std::vector<OperatorCategory> categories() const override;
  ReportNames names() const override;

 private:
  std::string model_id_, model_variant_, config_path_, model_notes_;
  Architecture architecture_;
  Runtime runtime_;
  Workload workload_;
  Geometry geometry_;
  std::vector<std::string> notes_;
  std::vector<std::unique_ptr<Stage>> stages_;
};

}  // namespace modelmeter::wan2_1
