// DeepSeek-OCR-2 as transformers 5.23 runs it.
#pragma once

#include "model/deepseek_ocr/code_base.h"

namespace modelmeter::deepseek_ocr::transformers {

const CodeBase& code_base();

}  // namespace modelmeter::deepseek_ocr::transformers
