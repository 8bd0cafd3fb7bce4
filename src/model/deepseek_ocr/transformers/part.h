// One of the three parts of reading a page, by itself: its inputs are what the parts before it leave behind.
#pragma once

#include <memory>

#include "model/analytic_model.h"
#include "model/deepseek_ocr/transformers/generation.h"

namespace modelmeter::deepseek_ocr::transformers {

class Part : public Stage {
 public:
  // name: vision, prefill, or decode behind `cached_tokens` tokens.
  Part(const std::string& name, std::shared_ptr<const OcrForConditionalGeneration> model, const GenerationInputs& in,
       int64_t cached_tokens = 0);

  const BaseLayer& layer() const override { return *model_; }
  void forward(Tracer& tracer) const override;
  RecordedInputs recorded_inputs() const override;

 private:
  std::shared_ptr<const OcrForConditionalGeneration> model_;
  GenerationInputs in_;
  int64_t cached_tokens_;
};

}  // namespace modelmeter::deepseek_ocr::transformers
