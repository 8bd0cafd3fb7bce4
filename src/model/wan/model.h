// Wan as a whole: the stages that a configuration asks for, what is resident while each runs, and what reports say.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/analytic_model.h"
#include "model/wan/geometry.h"
#include "model/wan/metadata.h"
#include "model/wan/runtime.h"
#include "model/wan/stage.h"
#include "model/wan/variant.h"
#include "model/wan/workload.h"

namespace modelmeter::wan {

class Wan2_1Model : public AnalyticModel {
 public:
  // config: the composed configuration with hf, runtime, workload, transformer and model nodes, and text_encoder,
  // image_encoder and vae; of these, one that no stage runs may be missing.
  Wan2_1Model(const config::View& config, const DataFiles& files);

  const std::vector<std::unique_ptr<Stage>>& stages() const override { return stages_; }
  std::string family() const override { return "wan2_1"; }
  std::string class_name() const override { return "Wan2_1Model"; }
  std::string profile_id() const override { return workload_.profile_id; }
  std::string preset_id() const override { return workload_.preset_id; }
  Fields model_fields() const override;
  Fields workload_fields() const override;
  Fields runtime_fields() const override;
  std::vector<std::string> notes() const override { return notes_; }
  std::vector<OperatorCategory> categories() const override;
  ReportNames names() const override;
  void describe(const Stage& stage, Recording& header) const override;  // in recorded.cc
  std::vector<Setting> settings() const override;
  std::optional<RunValues> run_of(std::span<const int64_t> settings) const override;
  using AnalyticModel::residents;
  Residents residents(const Stage& running, const RunValues& run) const override;
  std::vector<LoadedModel> loading() const override;
  std::vector<size_t> residents_depend_on() const override { return {run_value::residency}; }
  int64_t held_bytes(const Stage& running) const override;

 private:
  // In groups.cc.
  void read_transformer(const config::View& transformer);
  void read_block(const config::View& block, std::vector<std::string>& changes);
  void read_groups(const config::View& config, const DataFiles& files);
  void read_storage(const config::View& config, const DataFiles& files);
  void check_storage(const config::View& group, const WeightStorage& storage) const;
  void read_text_encoder(const config::View& text);
  void read_image_encoder(const config::View& image);
  void read_vae(const config::View& vae);

  void read_rules();
  void read_sizes(const config::View& config);
  void check_sizes(const config::View& config) const;
  void check_blocks(const config::View& config) const;
  void check_block_swap(const config::View& runtime);
  void check_channels(const config::View& config) const;
  void note_format(const DataFiles& files);
  void note_plan();
  void check_supported(const config::View& workload);
  void describe_autoencoder(const std::string& id, Recording& header) const;
  void check_experts(const config::View& runtime) const;
  void check_tiles(const config::View& runtime) const;
  std::string description() const;  // of the workload, with the frames that are made
  void check_images(const config::View& workload);
  bool from_one_image() const;  // TI2V
  bool has_image_encoder() const;
  Scheduler scheduler() const;
  double boundary() const;
  double shift(const VideoSize& video) const;
  int64_t high_noise_steps(int64_t steps, const VideoSize& video) const;
  bool around_transformer() const;  // what makes its inputs runs, too
  bool runs(const char* stage) const;

  void add_stage(const std::string& name, const config::View& where);
  void add_text_encoder();
  void add_image_encoder();
  void add_diffusion();
  // Of so many forwards, those whose blocks a step cache leaves out.
  static int64_t skipped_of(int64_t forwards, double share);
  std::pair<bool, bool> skips(const RunSizes& run) const;
  BoundModel with_shortcuts(const BoundModel& model, StepCache cache) const;
  void add_sampling();
  AutoencoderOptions vae_options(bool decode) const;
  void add_vae(bool decode);
  int64_t encoded_samples() const;
  std::optional<Offload> fsdp(Role role) const;
  ResidencyRules residency_rules(Residency residency) const;
  void add(Role role, std::string id, BoundModel model, StageOrigin origin,
           std::function<int64_t(const RunSizes&)> forwards = {});
  RunSizes run_sizes(const Workload& workload, const Geometry& geometry, Residency residency) const;

  Metadata metadata_;
  const Variant* variant_ = nullptr;  // metadata_'s
  Architecture architecture_;         // metadata_'s, as configured
  Runtime runtime_;
  ParallelPlan plan_;
  Workload workload_;
  TextEncoderOptions text_encoder_;
  ImageEncoderOptions image_encoder_;
  VaeArchitecture vae_;
  DType vae_dtype_ = DType::float32;
  VideoSize video_{};
  GeometryRules rules_;
  Geometry geometry_;
  RunSizes run_;
  std::vector<std::string> wanted_;  // stages by name
  std::vector<std::string> notes_;
  std::vector<std::unique_ptr<Stage>> stages_;
  int64_t idle_vae_bytes_ = 0;  // on ranks that load an autoencoder and make no use of it
  // What stages of these were made of; as configured where there is no such stage.
  TransformerOptions transformer_;
  SamplingOptions sampling_options_;
  const SamplingStage* sampling_ = nullptr;  // of stages_, or null
};

}  // namespace modelmeter::wan
