// One of the three stages of reading a page, by itself: its inputs are what those before it leave behind.
#pragma once

#include <memory>

#include "model/analytic_model.h"
#include "model/deepseek_ocr/transformers/generate.h"

namespace modelmeter::deepseek_ocr::transformers {

class OcrStage : public Stage {
 public:
  // name: vision, prefill, or decode behind `cached_tokens` tokens.
  OcrStage(const std::string& name, std::shared_ptr<const OcrForConditionalGeneration> model, const GenerateInputs& in,
           int64_t cached_tokens = 0);

  const GenerateInputs& inputs() const { return in_; }
  int64_t cached_tokens() const { return cached_tokens_; }
  const BaseLayer& layer() const override { return *model_; }
  void forward(Tracer& tracer) const override;

 private:
  std::shared_ptr<const OcrForConditionalGeneration> model_;
  GenerateInputs in_;
  int64_t cached_tokens_;
};

}  // namespace modelmeter::deepseek_ocr::transformers
