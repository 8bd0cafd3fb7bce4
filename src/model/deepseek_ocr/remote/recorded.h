// What the header of a recording of DeepSeek-OCR's own code says, as the configuration that builds it. The other way,
// from a stage to the header of what `modelmeter trace` writes, is DeepSeekOCR::describe(), in the same file.
#pragma once

#include "config/node.h"
#include "recording/recording.h"

namespace modelmeter::deepseek_ocr::remote {

// model.stages is the recorded case ("sam", "layer-moe", "prefill" …). Sizes of the decoder that the header does not
// give are the published ones; tokens are routed evenly to as many experts as can be, as the recorder has them, where
// it gives no numbers. Errors name the field of the header.
config::Node configuration_of(const Recording& recording);

}  // namespace modelmeter::deepseek_ocr::remote
