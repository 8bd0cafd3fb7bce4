// Which model is analysed: the `hf` node of the configuration and the files that it names. Labels are those of what was
// read: an entry's own where the file is of its model, else the published variant's that the file is of, else a
// description of its sizes.
//
// Checked against each other: what the transformer makes and what the entry is for, the branch of the image and the
// generation, the files of a pipeline.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/data_files.h"
#include "model/model_files.h"
#include "model/wan/architecture.h"
#include "model/wan/sampling.h"

namespace modelmeter::wan {

struct Metadata {
  std::string model_id, model_variant, config_path, notes_text;
  const Variant* variant = nullptr;
  bool known_variant = false;    // hf.variant was given: what its command line accepts is known
  bool has_transformer = false;  // its metadata was given
  Architecture architecture;
  std::optional<config::Node> config_json;  // of the transformer
  std::optional<PipelineFiles> pipeline;    // where a whole folder of diffusers was named
  std::optional<WeightsListing> weights;
  // Of the pipeline's files: what its scheduler is, and the boundary of the experts.
  std::optional<Scheduler> scheduler;
  std::optional<double> shift, boundary;
  std::vector<std::string> notes;

  static Metadata read(const config::View& hf, const DataFiles& files);

 private:
  void read_transformer(const config::View& hf, const DataFiles& files);
  void check_pipeline(const config::View& at);
  void read_scheduler(const config::View& config);
  void check_task(const config::View& at) const;
  void check_image_branch(const config::View& at) const;
  void name_model(const config::View& hf);
};

}  // namespace modelmeter::wan
