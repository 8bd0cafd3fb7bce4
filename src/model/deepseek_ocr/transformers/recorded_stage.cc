#include "model/deepseek_ocr/transformers/recorded_stage.h"

#include "config/yaml.h"
#include "model/deepseek_ocr/transformers/part.h"

namespace modelmeter::deepseek_ocr::transformers {

std::unique_ptr<Stage> recorded_part(const Recording& recording) {
  const config::Node config_node = config::parse_yaml(recording.config, "config of the reference");
  const config::Node workload_node = config::parse_yaml(recording.workload, "workload of the reference");
  const config::View workload(workload_node);
  const auto implementation =
      recording.attention == "eager" ? AttentionImplementation::eager : AttentionImplementation::sdpa;
  const auto model = std::make_shared<const OcrForConditionalGeneration>(
      BuildContext{DType::bfloat16}, read_architecture(config::View(config_node)), implementation);
  const std::string name = workload.get_choice("case", {"vision", "prefill", "decode"});
  GenerationInputs in;
  in.batch_size = workload.has("batch_size") ? workload.get_positive<int64_t>("batch_size") : 1;
  in.page.image_size = workload.get_positive<int64_t>("image");
  in.page.tile_size = workload.get_positive<int64_t>("tile");
  in.page.columns = workload.get_non_negative<int64_t>("tiles");
  in.page.rows = 1;
  if (name == "prefill") {
    in.prompt_tokens = workload.get_positive<int64_t>("new_tokens") - in.page.image_tokens();
    if (in.prompt_tokens < 0) throw workload.at("new_tokens").error("fewer than the image tokens");
  }
  const int64_t cached = name == "decode" ? workload.get_positive<int64_t>("cached_tokens") : 0;
  return std::make_unique<Part>(name, model, in, cached);
}

}  // namespace modelmeter::deepseek_ocr::transformers
