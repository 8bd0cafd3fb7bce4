#include "model/deepseek_ocr/code_base.h"

#include "model/deepseek_ocr/remote/code_base.h"
#include "model/deepseek_ocr/transformers/code_base.h"

namespace modelmeter::deepseek_ocr {

std::vector<const CodeBase*> code_bases() { return {&remote::code_base(), &transformers::code_base()}; }

}  // namespace modelmeter::deepseek_ocr
