// What the header of a recording of DeepSeek-OCR-2 says, as the configuration that builds it. The other way, from a
// stage to the header of what `modelmeter trace` writes, is DeepSeekOCR2::describe(), in the same file.
#pragma once

#include "config/node.h"
#include "recording/recording.h"

namespace modelmeter::deepseek_ocr::transformers {

// model.stages is the recorded case: vision, prefill or decode. Errors name the field of the header.
config::Node configuration_of(const Recording& recording);

}  // namespace modelmeter::deepseek_ocr::transformers
