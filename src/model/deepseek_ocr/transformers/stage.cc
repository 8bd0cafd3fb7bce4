#include "model/deepseek_ocr/transformers/stage.h"

namespace modelmeter::deepseek_ocr::transformers {

OcrStage::OcrStage(const std::string& name, std::shared_ptr<const OcrForConditionalGeneration> model,
                   const RunValues& run)
    : Stage(name, name, run), model_(std::move(model)) {}

void OcrStage::forward(Tracer&, const RunValues& run) const {
  GenerateInputs in = inputs_of(RunSizes::of(run));
  in.decode_steps = 1;
  if (stage() == "vision") {
    vision(*model_, in);
    return;
  }
  const ImageFeatures features = features_of(*model_, in);
  if (stage() == "prefill") {
    DynamicCache cache;
    prefill(*model_, in, features, cache);
  } else {
    DynamicCache cache = cache_of(model_->architecture().decoder, in.batch_size, in.context_tokens(), model_->dtype());
    decode(*model_, in, cache);
  }
}

}  // namespace modelmeter::deepseek_ocr::transformers
