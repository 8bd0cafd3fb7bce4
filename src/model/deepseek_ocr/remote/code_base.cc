#include "model/deepseek_ocr/remote/code_base.h"

#include "model/deepseek_ocr/remote/model.h"
#include "model/deepseek_ocr/remote/recorded.h"

namespace modelmeter::deepseek_ocr::remote {

const CodeBase& code_base() {
  static const CodeBase record = {
      "official",
      "modelmeter.deepseek_ocr.DeepSeekOCR",
      [](const config::View& config, const DataFiles& files) -> std::unique_ptr<AnalyticModel> {
        return std::make_unique<DeepSeekOCR>(config, files);
      },
      stage_names(),
      {"prefill", "decode", "infer"},
      {"DeepseekOCRForCausalLM", "DeepseekOCRModel", "DeepseekV2DecoderLayer", "ImageEncoderViT", "VitModel"},
      configuration_of,
      {"vision", "decoder", "head"},
  };
  return record;
}

}  // namespace modelmeter::deepseek_ocr::remote
