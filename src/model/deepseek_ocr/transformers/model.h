// DeepSeek-OCR-2 as a whole, as transformers runs it: the images of a batch of pages before the forward that reads
// their prompt.
#pragma once

#include <memory>
#include <string>

#include "model/deepseek_ocr/analytic_ocr.h"
#include "model/deepseek_ocr/storage.h"
#include "model/deepseek_ocr/transformers/generate.h"

namespace modelmeter::deepseek_ocr::transformers {

class DeepSeekOCR2 : public AnalyticOcr {
 public:
  // config: the composed configuration with hf, runtime, workload, decoder and model nodes.
  // stages(): those of model.stages, of vision, prefill and the first decode step, each by itself; else all three.
  DeepSeekOCR2(const config::View& config, const DataFiles& files);

  std::string class_name() const override { return "DeepseekOcr2Model"; }
  Fields runtime_fields() const override;
  ReportNames names() const override;
  void describe(const Stage& stage, Recording& header) const override;

  const OcrForConditionalGeneration& model() const { return *model_; }

 private:
  const BaseLayer& layer() const override { return *model_; }
  const DecoderArchitecture& decoder() const override { return model_->architecture().decoder; }
  int64_t vision_parameters() const override;
  std::string vision_backbone() const override { return "other"; }  // SAM and the body of Qwen2-0.5B
  void read_batch(const RunSizes& run) const override { generate(*model_, inputs_of(run)); }
  void see(Page& page) const override;
  void set_layout(const Page& page, RunSizes& run) const override;
  void add_stage(const std::string& name);

  Storage storage_;
  std::shared_ptr<const OcrForConditionalGeneration> model_;
};

}  // namespace modelmeter::deepseek_ocr::transformers
