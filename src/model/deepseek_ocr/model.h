// DeepSeek-OCR as a whole: a batch of pages read in one forward with their prompt (prefill, the vision inside it), then
// token by token (decode), as often as there are batches. One trace: what prefill leaves alive is alive in decode.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/analytic_model.h"
#include "model/deepseek_ocr/common_report.h"
#include "model/deepseek_ocr/generation.h"
#include "model/deepseek_ocr/part_stage.h"
#include "model/deepseek_ocr/routing.h"
#include "model/deepseek_ocr/workload.h"

namespace modelmeter::deepseek_ocr {

struct Runtime {
  AttentionImplementation attention = AttentionImplementation::flash_attention_2;  // of the decoder
  bool autocast = true;           // torch.autocast(bfloat16), as infer() runs the model; else plain bfloat16
  bool sampling = false;          // with what generate() runs between two forwards
  bool last_logits_only = false;
  Routing routing = Routing::uniform;

  // The runtime, decoder and head nodes of the configuration.
  static Runtime read(const config::View& config);
};

class DeepSeekOCR : public AnalyticModel {
 public:
  // config: the composed configuration with hf, runtime, workload, vision, decoder, head and model nodes.
  DeepSeekOCR(const config::View& config, const DataFiles& files);

  // vision, prefill (vision included) and the first decode step, each by itself.
  const std::vector<std::unique_ptr<Stage>>& stages() const override { return stages_; }
  std::vector<const BaseLayer*> root_layers() const override { return {model_.get()}; }
  std::string family() const override { return "deepseek_ocr"; }
  std::string report_folder() const override { return "analytic_model"; }
  std::string class_name() const override { return "DeepseekOCRModel"; }
  std::string profile_id() const override { return workload_.profile_id; }
  Fields model_fields() const override;
  Fields workload_fields() const override { return workload_.fields(); }
  Fields runtime_fields() const override;
  std::vector<std::string> notes() const override { return notes_; }
  std::vector<OperatorCategory> categories() const override { return operator_categories(); }
  ReportNames names() const override;

  // The whole run, and prefill with one decode step.
  void trace(Tracer& tracer) const override { record(tracer, workload_.runs(), workload_.decode_steps()); }
  void trace_forward(Tracer& tracer) const override;
  int64_t parameter_count() const override { return model_->parameter_count(); }
  int64_t parameter_bytes() const override { return model_->parameter_bytes(); }
  int64_t kv_cache_bytes() const override;  // of one batch, after its last token
  int64_t kv_cache_bytes_added(const std::string& stage) const override;

  const DeepseekOCRForCausalLM& model() const { return *model_; }
  const Architecture& architecture() const { return model_->architecture(); }
  const Workload& workload() const { return workload_; }
  const Runtime& runtime() const { return runtime_; }
  // Weights that one token of one sequence uses: all but the experts that it is not routed to and the embedding table.
  int64_t active_parameters() const;
  // A part of this model that runs by itself, of a batch of such pages.
  PartOptions part_options(PartKind kind, int64_t batch, int64_t new_tokens, int64_t cached_tokens) const;

 private:
  GenerationInputs generation(int64_t decode_steps) const;
  void record(Tracer& tracer, int64_t runs, int64_t decode_steps) const;
  void add_stages();
  void add_notes();

  Identity identity_;
  Runtime runtime_;
  Workload workload_;
  std::unique_ptr<DeepseekOCRForCausalLM> model_;
  std::vector<std::unique_ptr<Stage>> stages_;
  std::vector<std::string> notes_;
};

}  // namespace modelmeter::deepseek_ocr
