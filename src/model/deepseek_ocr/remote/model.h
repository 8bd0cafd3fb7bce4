// DeepSeek-OCR as a whole, as its own code runs it: the vision part inside the forward that reads the prompt.
#pragma once

#include <memory>
#include <string>

#include "model/deepseek_ocr/analytic_ocr.h"
#include "model/deepseek_ocr/remote/generation.h"
#include "model/deepseek_ocr/remote/part_stage.h"
#include "model/deepseek_ocr/remote/routing.h"

namespace modelmeter::deepseek_ocr {

struct Runtime {
  AttentionImplementation attention = AttentionImplementation::flash_attention_2;  // of the decoder
  bool autocast = true;   // torch.autocast(bfloat16), as infer() runs the model; else plain bfloat16
  bool sampling = false;  // with what generate() runs between two forwards
  bool last_logits_only = false;
  Routing routing = Routing::uniform;

  // The runtime, decoder and head nodes of the configuration.
  static Runtime read(const config::View& config);
};

class DeepSeekOCR : public AnalyticOcr {
 public:
  // config: the composed configuration with hf, runtime, workload, vision, decoder, head and model nodes.
  // stages(): vision, prefill (vision included) and the first decode step, each by itself.
  DeepSeekOCR(const config::View& config, const DataFiles& files);

  std::string class_name() const override { return "DeepseekOCRModel"; }
  Fields runtime_fields() const override;
  ReportNames names() const override;

  const DeepseekOCRForCausalLM& model() const { return *model_; }
  const Architecture& architecture() const { return model_->architecture(); }
  const Runtime& runtime() const { return runtime_; }
  // A part of this model that runs by itself, of a batch of such pages.
  PartOptions part_options(PartKind kind, int64_t batch, int64_t new_tokens, int64_t cached_tokens) const;

 private:
  const BaseLayer& layer() const override { return *model_; }
  const DecoderArchitecture& decoder() const override { return architecture().decoder; }
  int64_t vision_parameters() const override;
  std::string vision_backbone() const override { return "clip_vit_l"; }
  void run(int64_t decode_steps) const override;
  GenerationInputs generation(int64_t decode_steps) const;
  void add_routing_note();

  Runtime runtime_;
  std::unique_ptr<DeepseekOCRForCausalLM> model_;
};

}  // namespace modelmeter::deepseek_ocr
