#include "model/deepseek_ocr/transformers/code_base.h"

#include "model/deepseek_ocr/transformers/model.h"
#include "model/deepseek_ocr/transformers/recorded.h"

namespace modelmeter::deepseek_ocr::transformers {

const CodeBase& code_base() {
  static const CodeBase record = {
      "transformers",
      "modelmeter.deepseek_ocr.DeepSeekOCR2",
      [](const config::View& config, const DataFiles& files) -> std::unique_ptr<AnalyticModel> {
        return std::make_unique<DeepSeekOCR2>(config, files);
      },
      {"vision", "prefill", "decode"},
      {"prefill", "decode"},
      {"DeepseekOcr2ForConditionalGeneration"},
      configuration_of,
      {"decoder"},
  };
  return record;
}

}  // namespace modelmeter::deepseek_ocr::transformers
