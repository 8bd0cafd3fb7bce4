#include "model/deepseek_ocr/ocr2/recorded_stage.h"

#include <fmt/format.h>

#include "config/yaml.h"
#include "model/deepseek_ocr/ocr2/generation.h"

namespace modelmeter::deepseek_ocr::ocr2 {
namespace {

// One of the three parts of reading a page, by itself.
class RecordedPart : public Stage {
 public:
  RecordedPart(const Recording& recording, const Architecture& a, AttentionImplementation implementation,
               const config::View& workload)
      : Stage(workload.get_choice("case", {"vision", "prefill", "decode"}), workload.get<std::string>("case")),
        recorded_{recording.implementation, recording.attention, recording.config, recording.workload},
        model_(a, implementation, DType::bfloat16) {
    in_.batch_size = workload.has("batch_size") ? workload.get_positive<int64_t>("batch_size") : 1;
    in_.page.image_size = workload.get_positive<int64_t>("image");
    in_.page.tile_size = workload.get_positive<int64_t>("tile");
    in_.page.columns = workload.get_non_negative<int64_t>("tiles");
    in_.page.rows = 1;
    if (stage() == "prefill") {
      in_.prompt_tokens = workload.get_positive<int64_t>("new_tokens") - in_.page.image_tokens();
      if (in_.prompt_tokens < 0) throw workload.at("new_tokens").error("fewer than the image tokens");
    }
    if (stage() == "decode") cached_tokens_ = workload.get_positive<int64_t>("cached_tokens");
    in_.decode_steps = 1;
  }

  const BaseLayer& layer() const override { return model_; }

  void forward(Tracer&) const override {
    if (stage() == "vision") {
      vision(model_, in_);
      return;
    }
    const ImageFeatures features = features_of(model_, in_);
    if (stage() == "prefill") {
      DynamicCache cache;
      prefill(model_, in_, features, cache);
    } else {
      DynamicCache cache = cache_of(model_.architecture().decoder, in_.batch_size, cached_tokens_, model_.dtype());
      decode(model_, in_, cache);
    }
  }

  RecordedInputs recorded_inputs() const override { return recorded_; }

 private:
  RecordedInputs recorded_;
  OcrForConditionalGeneration model_;
  GenerationInputs in_;
  int64_t cached_tokens_ = 0;
};

}  // namespace

std::unique_ptr<Stage> recorded_part(const Recording& recording) {
  const config::Node config = config::parse_yaml(recording.config, "config of the reference");
  const config::Node workload = config::parse_yaml(recording.workload, "workload of the reference");
  const Architecture a = read_architecture(config::View(config));
  const auto implementation =
      recording.attention == "eager" ? AttentionImplementation::eager : AttentionImplementation::sdpa;
  return std::make_unique<RecordedPart>(recording, a, implementation, config::View(workload));
}

}  // namespace modelmeter::deepseek_ocr::ocr2
