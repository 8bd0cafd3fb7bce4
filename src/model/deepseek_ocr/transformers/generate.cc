#include "model/deepseek_ocr/transformers/generate.h"

#include "trace/repeat.h"

namespace modelmeter::deepseek_ocr::transformers {
namespace {

Tensor pictures(int64_t count, int64_t side, const OcrForConditionalGeneration& model) {
  return Tracer::current().input({count, model.architecture().sam.num_channels, side, side}, model.dtype());
}

// A view of the encoder's output at its queries: as many follow the features.
Tensor encoded(int64_t count, int64_t side, const OcrForConditionalGeneration& model) {
  const int64_t all = sam_features(side) + query_tokens(side);
  const Tensor output = Tracer::current().input({count, all, model.architecture().encoder.hidden_size}, model.dtype());
  return output.slice(1, sam_features(side), all);
}

OcrInputs token_inputs(const GenerateInputs& in, int64_t tokens, DynamicCache& cache) {
  OcrInputs inputs;
  inputs.input_ids = Tracer::current().input({in.batch_size, tokens}, DType::int64);
  inputs.position_ids = Tracer::current().input({in.batch_size, tokens}, DType::int64);
  inputs.past_key_values = &cache;
  return inputs;
}

}  // namespace

GenerateInputs inputs_of(const RunSizes& run) {
  GenerateInputs in;
  in.page = {run.base_size, run.tile_size, run.columns, run.rows};
  in.batch_size = run.batch;
  in.prompt_tokens = run.prompt_tokens;
  in.decode_steps = run.decode_steps;
  return in;
}

ImageFeatures features_of(const OcrForConditionalGeneration& model, const GenerateInputs& in) {
  const PageLayout& page = in.page;
  ImageFeatures out;
  out.last_hidden_state = encoded(in.batch_size, page.image_size, model);
  if (page.tiles() > 0) out.local_last_hidden_state = encoded(in.batch_size * page.tiles(), page.tile_size, model);
  for (int64_t i = 0; i < in.batch_size; ++i) {
    out.pooler_output.push_back(
        Tracer::current().input({page.image_tokens(), model.architecture().decoder.hidden_size}, model.dtype()));
  }
  return out;
}

ImageFeatures vision(const OcrForConditionalGeneration& model, const GenerateInputs& in) {
  FunctionScope scope("vision");
  PixelValues pixels;
  pixels.global = pictures(in.batch_size, in.page.image_size, model);
  pixels.tiles = in.page.tiles();
  if (pixels.tiles > 0) pixels.local = pictures(in.batch_size * pixels.tiles, in.page.tile_size, model);
  return model.get_image_features(pixels);
}

void prefill(const OcrForConditionalGeneration& model, const GenerateInputs& in, const ImageFeatures& features,
             DynamicCache& cache) {
  FunctionScope scope("prefill");
  OcrInputs inputs = token_inputs(in, in.context_tokens(), cache);
  inputs.image = &features;
  inputs.experts = ExpertsImplementation::grouped_mm;
  model(inputs);
}

void decode(const OcrForConditionalGeneration& model, const GenerateInputs& in, DynamicCache& cache) {
  FunctionScope scope("decode");
  OcrInputs inputs = token_inputs(in, 1, cache);
  inputs.experts = ExpertsImplementation::batched_mm;
  LoopState state;
  for (Tensor& keys : cache.key_cache) state.growing.push_back(&keys);
  for (Tensor& values : cache.value_cache) state.growing.push_back(&values);
  repeat_steadily(in.decode_steps, state, [&](int64_t) { model(inputs); });
}

void generate(const OcrForConditionalGeneration& model, const GenerateInputs& in) {
  const ImageFeatures features = vision(model, in);
  DynamicCache cache;
  prefill(model, in, features, cache);
  decode(model, in, cache);
}

}  // namespace modelmeter::deepseek_ocr::transformers
