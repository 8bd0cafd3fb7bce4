// DeepSeek-OCR as its own code runs it: the remote code of deepseek-ai/DeepSeek-OCR under transformers 4.46.3.
#pragma once

#include "model/deepseek_ocr/code_base.h"

namespace modelmeter::deepseek_ocr::remote {

const CodeBase& code_base();

}  // namespace modelmeter::deepseek_ocr::remote
