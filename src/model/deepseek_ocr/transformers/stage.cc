#include "model/deepseek_ocr/transformers/stage.h"

namespace modelmeter::deepseek_ocr::transformers {

OcrStage::OcrStage(const std::string& name, std::shared_ptr<const OcrForConditionalGeneration> model,
                   const GenerateInputs& in, int64_t cached_tokens)
    : Stage(name, name), model_(std::move(model)), in_(in), cached_tokens_(cached_tokens) {
  in_.decode_steps = 1;
}

void OcrStage::forward(Tracer&) const {
  if (stage() == "vision") {
    vision(*model_, in_);
    return;
  }
  const ImageFeatures features = features_of(*model_, in_);
  if (stage() == "prefill") {
    DynamicCache cache;
    prefill(*model_, in_, features, cache);
  } else {
    DynamicCache cache = cache_of(model_->architecture().decoder, in_.batch_size, cached_tokens_, model_->dtype());
    decode(*model_, in_, cache);
  }
}

}  // namespace modelmeter::deepseek_ocr::transformers
