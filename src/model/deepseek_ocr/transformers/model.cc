#include "model/deepseek_ocr/transformers/model.h"

#include "model/deepseek_ocr/transformers/code_base.h"
#include "model/deepseek_ocr/transformers/stage.h"

namespace modelmeter::deepseek_ocr::transformers {
namespace {

// Tiles of 0 x 0 are those of the page's size.
void see_tiles(Page& page, const PageLayout& tiles) {
  PageLayout layout = page_layout(page.width, page.height);
  if (tiles.columns > 0) layout = tiles;
  page.mode = "gundam";
  page.base_size = layout.image_size;
  page.image_size = layout.tile_size;
  page.crop_mode = true;
  page.columns = layout.columns;
  page.rows = layout.rows;
  page.image_tokens = layout.image_tokens();
}

void read_page(const config::View& view, Page& page) {
  for (const char* key : {"mode", "base_size", "image_size", "crop_mode"}) {
    if (view.has(key))
      throw view.at(key).error("DeepSeek-OCR-2 sees all pages in one way: whole, and in tiles where it is large");
  }
  for (const char* key : {"new_tokens", "cached_tokens"}) {
    if (view.has(key)) throw view.at(key).error("no layer of DeepSeek-OCR-2 runs by itself");
  }
  PageLayout tiles;
  tiles.columns = page.columns;
  tiles.rows = page.rows;
  see_tiles(page, tiles);
}

AttentionImplementation read_attention(const config::View& runtime) {
  runtime.require_known_keys({"implementation", "execution", "attention"});
  runtime.get_choice("implementation", {"transformers"});
  return runtime.get_choice("attention", {"sdpa", "eager"}) == "eager" ? AttentionImplementation::eager
                                                                       : AttentionImplementation::sdpa;
}

}  // namespace

DeepSeekOCR2::DeepSeekOCR2(const config::View& config, const DataFiles& files) : AnalyticOcr(config, files, read_page) {
  Architecture architecture = read_architecture(config::View(metadata()));
  config.child("decoder").require_known_keys(with_storage_keys({"num_hidden_layers"}));
  read_depth(config.child("decoder"), architecture.decoder);
  using Kind = WeightFormatKind;
  storage_ = Storage::read(
      config, metadata(),
      {Kind::bnb_int8, Kind::bnb_4bit, Kind::packed_int4, Kind::torchao_int8, Kind::torchao_int4, Kind::block_mm},
      files);
  storage_.decoder_modules = {"model.language_model.layers"};
  const auto model = std::make_shared<OcrForConditionalGeneration>(BuildContext{DType::bfloat16}, architecture,
                                                                   read_attention(config.child("runtime")));
  storage_.apply(*model);
  model_ = model;
  for (const config::View& chosen : chosen_stages(config.child("model"), code_base().stages)) {
    add_stage(chosen.as<std::string>());
  }
  if (by_stages()) return;

  add_stage("vision");
  add_stage("prefill");
  if (workload_.decode_steps() > 0) add_stage("decode");
  add_whole_run();
  add_page_and_token_notes();
  for (std::string& note : storage_.notes(*model_)) notes_.push_back(std::move(note));
  notes_.push_back(
      "FLOPs (torch) leave out the experts of prefill: FlopCounterMode has no formula for _grouped_mm; tensor and full have them");
}

void DeepSeekOCR2::add_stage(const std::string& name) {
  stages_.push_back(std::make_unique<OcrStage>(name, model_, run_sizes().values()));
}

void DeepSeekOCR2::see(Page& page) const { see_tiles(page, {}); }

void DeepSeekOCR2::set_layout(const Page& page, RunSizes& run) const {
  run.base_size = page.base_size;
  run.tile_size = page.image_size;
  run.columns = page.columns;
  run.rows = page.rows;
}

int64_t DeepSeekOCR2::vision_parameters() const {
  const int64_t hidden_size = decoder().hidden_size, separator = hidden_size;
  const int64_t projector = (model_->architecture().encoder.hidden_size + 1) * hidden_size;
  return model_->model().vision_tower().parameter_count() + projector + separator;
}

Fields DeepSeekOCR2::runtime_fields() const {
  const bool eager = model_->implementation() == AttentionImplementation::eager;
  Fields out = {{"implementation", std::string("transformers")},
                {"attention", std::string(eager ? "eager" : "sdpa")},
                {"precision", std::string("bf16")},
                {"logits", std::string("last")}};
  for (auto& field : storage_.fields()) out.push_back(std::move(field));
  return out;
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
