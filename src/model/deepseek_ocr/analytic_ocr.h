// What DeepSeek-OCR and DeepSeek-OCR-2 have in common as models that reports are made of: a batch of pages is read with
// its prompt (vision, prefill), then token by token (decode), as often as there are batches. One trace: what a stage
// leaves alive is alive in those after.
//
// With `model.stages` it is those stages, each by itself on inputs of its own, as recordings have them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/analytic_model.h"
#include "model/deepseek_ocr/decoder_architecture.h"
#include "model/deepseek_ocr/run_sizes.h"
#include "model/deepseek_ocr/workload.h"
#include "model/model_files.h"

namespace modelmeter::deepseek_ocr {

class AnalyticOcr : public AnalyticModel {
 public:
  ~AnalyticOcr() override;

  const std::vector<std::unique_ptr<Stage>>& stages() const override { return stages_; }
  void set_execution(Execution execution) override;
  std::string family() const override { return "deepseek_ocr"; }
  std::string report_folder() const override { return "analytic_model"; }
  std::string profile_id() const override { return workload_.profile_id; }
  std::string preset_id() const override { return workload_.preset_id; }
  Fields model_fields() const override;
  Fields workload_fields() const override { return workload_.fields(); }
  std::vector<std::string> notes() const override { return notes_; }
  // The forerunner's rules, in its order: a part of the class name decides.
  std::vector<OperatorCategory> categories() const override;

  // The whole run, and each stage once.
  void trace(Tracer& tracer) const override;
  void trace_forward(Tracer& tracer) const override;
  int64_t parameter_count() const override;
  int64_t parameter_bytes() const override;
  std::vector<const BaseLayer*> root_layers() const override;
  using AnalyticModel::residents;
  Residents residents(const Stage& running, const RunValues& run) const override;
  // The stages, or all of a run.
  std::vector<const Stage*> parts() const override;
  std::vector<Setting> settings() const override;
  std::optional<RunValues> run_of(std::span<const int64_t> settings) const override;
  int64_t kv_cache_bytes() const override;  // of one batch, after its last token; or of all stages
  int64_t kv_cache_bytes_added(const std::string& stage) const override;

  const Workload& workload() const { return workload_; }
  // Weights that one token of one sequence uses: all but the experts that it is not routed to, the embedding table and
  // the vision part.
  int64_t active_parameters() const;

 protected:
  // Reads the hf and workload nodes, and model.stages.
  AnalyticOcr(const config::View& config, const DataFiles& files, Workload::PageReader read_page);

  // The stages that model.stages names, of these; Error with a did-you-mean for others. Empty: the whole run.
  std::vector<config::View> chosen_stages(const config::View& model, const std::vector<std::string>& known);
  bool by_stages() const { return by_stages_; }

  virtual const BaseLayer& layer() const = 0;  // the whole model
  virtual const DecoderArchitecture& decoder() const = 0;
  virtual DType weight_dtype() const { return DType::bfloat16; }  // and of the KV cache
  virtual int64_t vision_parameters() const = 0;
  virtual std::string vision_backbone() const = 0;
  // Records the reading of one batch, its stages in function scopes of their ids.
  virtual void read_batch(const RunSizes& run) const = 0;
  // The page of a workload as the image encoders see it: what it sets is fixed by the page's and the mode's sizes.
  virtual void see(Page& page) const = 0;
  virtual void set_layout(const Page& page, RunSizes& run) const = 0;
  RunSizes run_sizes(const Workload& workload) const;
  // Of the configuration, when the model is there.
  RunSizes run_sizes() const { return run_sizes(workload_); }
  void add_whole_run();

  // What config.json says: the file of hf.config_path, or hf.config itself.
  const config::Node& metadata() const { return metadata_; }
  // The depth where decoder.num_hidden_layers sets one, with a note.
  void read_depth(const config::View& decoder, DecoderArchitecture& d);
  void add_page_and_token_notes();

  // Ids and the node of the decoder layers, of this class, that reports of both have.
  ReportNames common_names(const std::string& layer_class) const;
  static constexpr char layers_id[] = "decoder/deepseek_v2_decoder_layer";

  Workload workload_;
  std::vector<std::unique_ptr<Stage>> stages_;
  std::vector<std::string> notes_;

 private:
  class WholeRun;
  void record(Tracer& tracer, const RunSizes& run) const;

  std::unique_ptr<Stage> whole_run_;  // null where the stages run by themselves

  std::string model_id_, model_variant_, model_notes_, config_folder_;
  config::Node metadata_;
  std::optional<WeightsListing> weights_;  // that hf.config_path named
  bool by_stages_ = false;
};

}  // namespace modelmeter::deepseek_ocr
