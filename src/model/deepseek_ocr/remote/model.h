// DeepSeek-OCR as a whole, as its own code runs it: the images inside the forward that reads the prompt.
#pragma once

#include <memory>
#include <string>

#include "model/deepseek_ocr/analytic_ocr.h"
#include "model/deepseek_ocr/remote/generate.h"
#include "model/deepseek_ocr/remote/routing.h"
#include "model/deepseek_ocr/remote/stage.h"

namespace modelmeter::deepseek_ocr::remote {

struct Runtime {
  AttentionImplementation attention = AttentionImplementation::flash_attention_2;  // of the decoder
  bool autocast = true;           // torch.autocast(bfloat16), as infer() runs the model
  DType dtype = DType::bfloat16;  // of the weights
  // from_pretrained() gives float32 unless it is told a dtype: the README's recipe, which casts on the device.
  bool loads_float32 = true;
  std::string device_map;  // of from_pretrained(); empty: the model is loaded on the host
  bool sampling = false;   // with what generate() runs between two forwards
  bool last_logits_only = false;
  Routing routing = Routing::uniform;
  std::vector<int64_t> tokens_per_expert;  // of a stage that runs by itself, in place of routing; or empty

  // The runtime, decoder and head nodes of the configuration.
  static Runtime read(const config::View& config);

 private:
  void read_precision(const config::View& runtime);
};

class DeepSeekOCR : public AnalyticOcr {
 public:
  // config: the composed configuration with hf, runtime, workload, vision, decoder, head and model nodes.
  // stages(): those of model.stages, by the names of StageKind; else vision, prefill (vision included) and the first
  // decode step, each by itself.
  DeepSeekOCR(const config::View& config, const DataFiles& files);

  std::string class_name() const override { return "DeepseekOCRModel"; }
  Fields runtime_fields() const override;
  std::vector<Setting> settings() const override;
  ReportNames names() const override;
  void describe(const Stage& stage, Recording& header) const override;
  std::vector<LoadedModel> loading() const override;

  const DeepseekOCRForCausalLM& model() const { return *model_; }
  const Architecture& architecture() const { return model_->architecture(); }
  const Runtime& runtime() const { return runtime_; }
  // A stage of this model that runs by itself, of a batch of such pages.
  StageOptions stage_options(StageKind kind, int64_t batch, int64_t new_tokens, int64_t cached_tokens) const;

 private:
  const BaseLayer& layer() const override { return *model_; }
  const DecoderArchitecture& decoder() const override { return architecture().decoder; }
  DType weight_dtype() const override { return runtime_.dtype; }
  int64_t vision_parameters() const override;
  std::string vision_backbone() const override { return "clip_vit_l"; }
  void read_batch(const RunSizes& run) const override;
  void see(Page& page) const override { remote::see(page); }
  void set_layout(const Page& page, RunSizes& run) const override;
  void add_chosen_stage(const config::View& chosen, const config::View& decoder);
  void check_tokens_per_expert(const StageOptions& o, const config::View& decoder) const;
  void add_routing_note();

  Runtime runtime_;
  Storage storage_;
  std::unique_ptr<DeepseekOCRForCausalLM> model_;
};

}  // namespace modelmeter::deepseek_ocr::remote
