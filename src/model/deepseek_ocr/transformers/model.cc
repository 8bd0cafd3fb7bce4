#include "model/deepseek_ocr/transformers/model.h"

#include "model/deepseek_ocr/transformers/part.h"

namespace modelmeter::deepseek_ocr::transformers {
namespace {

PageLayout tiles_of(const Page& page) {
  PageLayout out;
  out.columns = page.columns;
  out.rows = page.rows;
  return out;
}

void read_page(const config::View& view, Page& page) {
  for (const char* key : {"mode", "base_size", "image_size", "crop_mode"}) {
    if (view.has(key))
      throw view.at(key).error("DeepSeek-OCR-2 sees all pages in one way: whole, and in tiles where it is large");
  }
  const PageLayout layout = page_layout(page.width, page.height);
  page.mode = "gundam";
  page.base_size = layout.image_size;
  page.image_size = layout.tile_size;
  page.crop_mode = true;
  page.columns = layout.columns;
  page.rows = layout.rows;
  page.image_tokens = layout.image_tokens();
}

AttentionImplementation read_attention(const config::View& runtime) {
  runtime.require_known_keys({"implementation", "attention"});
  runtime.get_choice("implementation", {"transformers"});
  return runtime.get_choice("attention", {"sdpa", "eager"}) == "eager" ? AttentionImplementation::eager
                                                                       : AttentionImplementation::sdpa;
}

}  // namespace

DeepSeekOCR2::DeepSeekOCR2(const config::View& config, const DataFiles& files) : AnalyticOcr(config, files, read_page) {
  const config::Node file = metadata();
  Architecture architecture = read_architecture(config::View(file));
  config.child("decoder").require_known_keys({"num_hidden_layers"});
  read_depth(config.child("decoder"), architecture.decoder);
  model_ = std::make_shared<const OcrForConditionalGeneration>(BuildContext{DType::bfloat16}, architecture,
                                                               read_attention(config.child("runtime")));
  stages_.push_back(std::make_unique<Part>("vision", model_, generation(0)));
  stages_.push_back(std::make_unique<Part>("prefill", model_, generation(0)));
  if (workload_.decode_steps() > 0) {
    stages_.push_back(std::make_unique<Part>("decode", model_, generation(1), workload_.seq_len));
  }
  add_page_and_token_notes();
  notes_.push_back(
      "FLOPs (torch) leave out the experts of prefill: FlopCounterMode has no formula for _grouped_mm; tensor and full have them");
}

GenerationInputs DeepSeekOCR2::generation(int64_t decode_steps) const {
  GenerationInputs in;
  in.page = tiles_of(workload_.page);
  in.batch_size = workload_.batch_size;
  in.prompt_tokens = workload_.prompt_tokens;
  in.decode_steps = decode_steps;
  return in;
}

int64_t DeepSeekOCR2::vision_parameters() const {
  const int64_t hidden_size = decoder().hidden_size, separator = hidden_size;
  const int64_t projector = (model_->architecture().encoder.hidden_size + 1) * hidden_size;
  return model_->model().vision_tower().parameter_count() + projector + separator;
}

Fields DeepSeekOCR2::runtime_fields() const {
  const bool eager = model_->implementation() == AttentionImplementation::eager;
  return {{"implementation", std::string("transformers")},
          {"attention", std::string(eager ? "eager" : "sdpa")},
          {"precision", std::string("bf16")},
          {"logits", std::string("last")}};
}

ReportNames DeepSeekOCR2::names() const {
  ReportNames out = common_names("DeepseekOcr2TextDecoderLayer");
  out.class_prefix = "transformers.models.deepseek_ocr2.modeling_deepseek_ocr2.";
  out.modules = {{"layers[]", "layer"}, {"language_model.embed_tokens", "embed_tokens"}};
  const std::string layers = layers_id;
  out.placed = {{"vision/model/vision_tower/sam_encoder", "vision/image_encoder_vit", "vision"},
                {"vision/model/vision_tower/vision_encoder", "vision/vit_model", "vision"},
                {"vision/model/multi_modal_projector", "vision/mlp_projector", "vision"},
                {"prefill/model/language_model/decoder", layers + "/prefill", "prefill"},
                {"decode/model/language_model/decoder", layers + "/decode", "decode"}};
  return out;
}

}  // namespace modelmeter::deepseek_ocr::transformers
