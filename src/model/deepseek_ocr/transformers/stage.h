// One of the three stages of reading a page, by itself: its inputs are what those before it leave behind.
#pragma once

#include <memory>

#include "model/analytic_model.h"
#include "model/deepseek_ocr/run_sizes.h"
#include "model/deepseek_ocr/transformers/generate.h"

namespace modelmeter::deepseek_ocr::transformers {

class OcrStage : public Stage {
 public:
  // name: vision, prefill, or decode behind the prompt's tokens.
  OcrStage(const std::string& name, std::shared_ptr<const OcrForConditionalGeneration> model, const RunValues& run);

  GenerateInputs inputs() const { return inputs_of(RunSizes::of(run())); }  // of the configuration's run
  const BaseLayer& layer() const override { return *model_; }
  std::vector<Dependence> depends_on() const override { return page_dependences(); }
  void forward(Tracer& tracer, const RunValues& run) const override;

 private:
  std::shared_ptr<const OcrForConditionalGeneration> model_;
};

}  // namespace modelmeter::deepseek_ocr::transformers
