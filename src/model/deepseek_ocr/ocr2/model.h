// DeepSeek-OCR-2 as a whole: the images of a batch of pages, their prompt in one forward, then token by token, as often
// as there are batches. One trace: what the parts before leave alive is alive in those after.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/deepseek_ocr/common_report.h"
#include "model/deepseek_ocr/ocr2/generation.h"

namespace modelmeter::deepseek_ocr::ocr2 {

class DeepSeekOCR2 : public AnalyticModel {
 public:
  // config: the composed configuration with hf, runtime, workload, decoder and model nodes.
  DeepSeekOCR2(const config::View& config, const DataFiles& files);

  // vision, prefill and the first decode step, each by itself.
  const std::vector<std::unique_ptr<Stage>>& stages() const override { return stages_; }
  std::vector<const BaseLayer*> root_layers() const override { return {model_.get()}; }
  std::string family() const override { return "deepseek_ocr"; }
  std::string report_folder() const override { return "analytic_model"; }
  std::string class_name() const override { return "DeepseekOcr2Model"; }
  std::string profile_id() const override { return workload_.profile_id; }
  Fields model_fields() const override;
  Fields workload_fields() const override { return workload_.fields(); }
  Fields runtime_fields() const override;
  std::vector<std::string> notes() const override { return notes_; }
  std::vector<OperatorCategory> categories() const override { return operator_categories(); }
  ReportNames names() const override;

  // The whole run, and each part once.
  void trace(Tracer& tracer) const override { record(tracer, workload_.runs(), workload_.decode_steps()); }
  void trace_forward(Tracer& tracer) const override;
  int64_t parameter_count() const override { return model_->parameter_count(); }
  int64_t parameter_bytes() const override { return model_->parameter_bytes(); }
  int64_t kv_cache_bytes() const override;
  int64_t kv_cache_bytes_added(const std::string& stage) const override;

  const OcrForConditionalGeneration& model() const { return *model_; }
  const Workload& workload() const { return workload_; }
  int64_t active_parameters() const;

 private:
  GenerationInputs generation(int64_t decode_steps) const;
  void record(Tracer& tracer, int64_t runs, int64_t decode_steps) const;

  Identity identity_;
  Workload workload_;
  std::shared_ptr<const OcrForConditionalGeneration> model_;
  std::vector<std::unique_ptr<Stage>> stages_;
  std::vector<std::string> notes_;
};

}  // namespace modelmeter::deepseek_ocr::ocr2
