#include "model/registry.h"

#include <fmt/format.h>

#include "base/error.h"
#include "model/deepseek_ocr/remote/model.h"
#include "model/deepseek_ocr/remote/recorded_stage.h"
#include "model/deepseek_ocr/transformers/model.h"
#include "model/deepseek_ocr/transformers/recorded_stage.h"
#include "model/wan/model.h"
#include "model/wan/recorded_stage.h"

namespace modelmeter {
namespace {

using ModelRegistry = config::Registry<std::unique_ptr<AnalyticModel>, const config::View&, const DataFiles&>;
using RecordedStage = std::unique_ptr<Stage> (*)(const Recording&);

const ModelRegistry& models() {
  static const ModelRegistry registry = [] {
    ModelRegistry r("model");
    r.add("modelmeter.wan2_1.Wan2_1Model", [](const config::View&, const config::View& root, const DataFiles& files) {
      return std::make_unique<wan::Wan2_1Model>(root, files);
    });
    r.add("modelmeter.deepseek_ocr.DeepSeekOCR",
          [](const config::View&, const config::View& root, const DataFiles& files) {
            return std::make_unique<deepseek_ocr::DeepSeekOCR>(root, files);
          });
    r.add("modelmeter.deepseek_ocr.DeepSeekOCR2",
          [](const config::View&, const config::View& root, const DataFiles& files) {
            return std::make_unique<deepseek_ocr::transformers::DeepSeekOCR2>(root, files);
          });
    return r;
  }();
  return registry;
}

// By the class of the recorded root module.
const std::vector<std::pair<std::string, RecordedStage>>& recorded_stages() {
  static const std::vector<std::pair<std::string, RecordedStage>> table = {
      {"WanModel", wan::recorded_dit},
      {"VaceWanModel", wan::recorded_dit},
      {"WanTransformer3DModel", wan::recorded_dit},
      {"WanVACETransformer3DModel", wan::recorded_dit},
      {"T5Encoder", wan::recorded_text_encoder},
      {"UMT5EncoderModel", wan::recorded_text_encoder},
      {"VisionTransformer", wan::recorded_image_encoder},
      {"CLIPVisionModel", wan::recorded_image_encoder},
      {"WanVAE_", wan::recorded_vae},
      {"AutoencoderKLWan", wan::recorded_vae},
      {"DeepseekOCRForCausalLM", deepseek_ocr::recorded_stage},
      {"DeepseekOCRModel", deepseek_ocr::recorded_stage},
      {"DeepseekV2DecoderLayer", deepseek_ocr::recorded_stage},
      {"ImageEncoderViT", deepseek_ocr::recorded_stage},
      {"VitModel", deepseek_ocr::recorded_stage},
      {"DeepseekOcr2ForConditionalGeneration", deepseek_ocr::transformers::recorded_part},
      {"WanT2V", wan::recorded_sampling},
      {"WanI2V", wan::recorded_sampling},
      {"WanFLF2V", wan::recorded_sampling},
      {"WanVace", wan::recorded_sampling},
      {"WanTI2V", wan::recorded_sampling},
      {"WanPipeline", wan::recorded_sampling},
      {"WanImageToVideoPipeline", wan::recorded_sampling},
      {"WanVACEPipeline", wan::recorded_sampling},
  };
  return table;
}

}  // namespace

std::unique_ptr<AnalyticModel> build_model(const config::View& config, const DataFiles& files) {
  return models().instantiate(config.child("model"), config, files);
}

std::unique_ptr<Stage> stage_of_recording(const Recording& recording) {
  if (recording.modules.empty()) throw Error("the reference names no module");
  // The root comes first; a part of a model, recorded by itself, may stand below modules that did not run.
  for (const RecordedModule& module : recording.modules) {
    for (const auto& [name, build] : recorded_stages()) {
      if (name == module.klass) return build(recording);
    }
  }
  std::vector<std::string> known;
  for (const auto& [name, build] : recorded_stages()) known.push_back(name);
  const std::string& klass = recording.modules.front().klass;
  throw Error(fmt::format("the reference is of a {}, which modelmeter has no twin of", klass), {},
              name_notes(klass, known, "known"));
}

}  // namespace modelmeter
