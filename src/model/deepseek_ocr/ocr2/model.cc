#include "model/deepseek_ocr/ocr2/model.h"

#include <algorithm>

#include "base/checked.h"
#include "model/deepseek_ocr/ocr2/part.h"

namespace modelmeter::deepseek_ocr::ocr2 {
namespace {

PageLayout tiles_of(const Page& page) {
  PageLayout out;
  out.columns = page.columns;
  out.rows = page.rows;
  return out;
}

void read_page(const config::View& view, Page& page) {
  for (const char* key : {"mode", "base_size", "image_size", "crop_mode"}) {
    if (view.has(key)) throw view.at(key).error("DeepSeek-OCR-2 sees all pages in one way: whole, and in tiles where it is large");
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

std::string class_prefix() { return "transformers.models.deepseek_ocr2.modeling_deepseek_ocr2."; }

}  // namespace

DeepSeekOCR2::DeepSeekOCR2(const config::View& config, const DataFiles& files)
    : identity_(Identity::read(config.child("hf"), files)) {
  const config::Node metadata = read_data_file(identity_.config_file);
  Architecture architecture = read_architecture(config::View(metadata));
  const AttentionImplementation attention = read_attention(config.child("runtime"));
  workload_ = Workload::read(config.child("workload"), read_page);
  config.child("model").require_known_keys({"_target_"});
  const config::View decoder = config.child("decoder");
  decoder.require_known_keys({"num_hidden_layers"});
  if (decoder.has("num_hidden_layers")) {
    architecture.decoder.num_hidden_layers = decoder.get_positive<int64_t>("num_hidden_layers");
  }
  model_ = std::make_shared<const OcrForConditionalGeneration>(architecture, attention, DType::bfloat16);

  stages_.push_back(std::make_unique<Part>("vision", model_, generation(0)));
  stages_.push_back(std::make_unique<Part>("prefill", model_, generation(0)));
  if (workload_.decode_steps() > 0) {
    stages_.push_back(std::make_unique<Part>("decode", model_, generation(1), workload_.seq_len));
  }
  notes_ = {page_note(workload_)};
  for (const std::string& note : token_notes(workload_, architecture.decoder)) notes_.push_back(note);
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

void DeepSeekOCR2::record(Tracer& tracer, int64_t runs, int64_t decode_steps) const {
  Tracer::Guard guard(tracer);
  Trace& trace = tracer.trace();
  trace.given_bytes = checked_add(model_->parameter_bytes(), model_->buffer_bytes(), "the size of the weights");
  const int32_t repetition = tracer.enter_repetition(runs);
  generate(*model_, generation(decode_steps));
  tracer.leave();
  add_residences(trace, repetition);
}

void DeepSeekOCR2::trace_forward(Tracer& tracer) const {
  record(tracer, 1, std::min<int64_t>(workload_.decode_steps(), 1));
}

int64_t DeepSeekOCR2::kv_cache_bytes() const {
  return checked_add(kv_cache_bytes_added("prefill"), kv_cache_bytes_added("decode"), "the size of the KV cache");
}

int64_t DeepSeekOCR2::kv_cache_bytes_added(const std::string& stage) const {
  return cache_bytes_added(stage, workload_, model_->architecture().decoder, model_->dtype());
}

int64_t DeepSeekOCR2::active_parameters() const {
  const DecoderArchitecture& d = model_->architecture().decoder;
  const OcrModel& body = model_->model();
  const int64_t projector = (model_->architecture().encoder.hidden_size + 1) * d.hidden_size;
  const int64_t separator = d.hidden_size;
  return active_decoder_parameters(model_->parameter_count() - body.vision_tower().parameter_count() - projector - separator, d);
}

Fields DeepSeekOCR2::model_fields() const {
  Fields out = model_facts(identity_, model_->architecture().decoder, active_parameters(), model_->dtype());
  for (auto& [name, value] : out) {
    if (name == "vision_backbone") value = std::string("other");  // SAM and the body of Qwen2-0.5B
  }
  return out;
}

Fields DeepSeekOCR2::runtime_fields() const {
  const bool eager = model_->implementation() == AttentionImplementation::eager;
  return {{"implementation", std::string("transformers")},
          {"attention", std::string(eager ? "eager" : "sdpa")},
          {"precision", std::string("bf16")},
          {"logits", std::string("last")}};
}

ReportNames DeepSeekOCR2::names() const {
  ReportNames out;
  out.root_id = "model/deepseek_ocr_model";
  out.root_stage = "other";
  out.class_prefix = class_prefix();
  out.modules = {{"layers[]", "layer"}, {"language_model.embed_tokens", "embed_tokens"}};
  const std::string layers = decoder_layers_id;
  out.placed = {{"vision/model/vision_tower/sam_encoder", "vision/image_encoder_vit", "vision"},
                {"vision/model/vision_tower/vision_encoder", "vision/vit_model", "vision"},
                {"vision/model/multi_modal_projector", "vision/mlp_projector", "vision"},
                {"prefill/model/language_model/decoder", layers + "/prefill", "prefill"},
                {"decode/model/language_model/decoder", layers + "/decode", "decode"}};
  out.groups = {decoder_layers("DeepseekOcr2TextDecoderLayer", model_->architecture().decoder, workload_)};
  out.leaf_snapshots_only = true;
  return out;
}

}  // namespace modelmeter::deepseek_ocr::ocr2
