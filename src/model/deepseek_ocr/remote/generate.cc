#include "model/deepseek_ocr/remote/generate.h"

#include "trace/repeat.h"

namespace modelmeter::deepseek_ocr::remote {

PageImages page_images(const PageLayout& page, DType dtype) {
  Tracer& tracer = Tracer::current();
  PageImages out;
  out.original = tracer.input({1, 3, page.base_size, page.base_size}, dtype);
  out.columns = page.columns;
  out.rows = page.rows;
  // Without tiles infer() gives one picture of zeros, in torch's default type.
  out.patches = page.has_tiles() ? tracer.input({page.tiles(), 3, page.tile_size, page.tile_size}, dtype)
                                 : tracer.input({1, 3, page.base_size, page.base_size}, DType::float32);
  return out;
}

RoutingRule routing_of(Routing routing, const DecoderArchitecture& decoder) {
  return [routing, k = decoder.num_experts_per_tok, experts = decoder.n_routed_experts](int64_t assignments) {
    return experts == 0 ? std::vector<int64_t>() : tokens_per_expert(routing, assignments / k, k, experts);
  };
}

std::vector<int64_t> tokens_per_expert(const DeepseekOCRForCausalLM& model, const GenerateInputs& in, int64_t tokens) {
  const DecoderArchitecture& a = model.architecture().decoder;
  const int64_t assignments = in.batch * tokens * a.num_experts_per_tok;
  return in.routing ? in.routing(assignments) : even_routing(assignments, a.n_routed_experts);
}

OcrInputs page_inputs(const DeepseekOCRForCausalLM& model, const GenerateInputs& in, DynamicCache& cache) {
  const int64_t tokens = in.context_tokens();
  OcrInputs inputs;
  for (int64_t i = 0; i < in.batch; ++i) inputs.images.push_back(page_images(in.page, model.dtype()));
  inputs.images_seq_mask = Tracer::current().input({in.batch, tokens}, DType::boolean);
  inputs.past_key_values = &cache;
  inputs.tokens_per_expert = tokens_per_expert(model, in, tokens);
  inputs.last_logits_only = in.last_logits_only;
  return inputs;
}

OcrInputs prompt_inputs(const DeepseekOCRForCausalLM& model, const GenerateInputs& in, DynamicCache& cache) {
  Tracer& tracer = Tracer::current();
  const Shape sizes{in.batch, in.context_tokens()};
  OcrInputs inputs = page_inputs(model, in, cache);
  inputs.input_ids = tracer.input(sizes, DType::int64);
  inputs.attention_mask = tracer.input(sizes, DType::int64);
  inputs.position_ids = tracer.input(sizes, DType::int64);
  return inputs;
}

void prefill(const DeepseekOCRForCausalLM& model, const GenerateInputs& in, DynamicCache& cache) {
  FunctionScope scope("prefill");
  model(prompt_inputs(model, in, cache));
}

void decode(const DeepseekOCRForCausalLM& model, const GenerateInputs& in, DynamicCache& cache) {
  FunctionScope scope("decode");
  Tracer& tracer = Tracer::current();
  const int64_t cached = cache.seq_length();
  const Tensor attention_mask = tracer.input({in.batch, cached + in.decode_steps}, DType::int64);
  OcrInputs inputs;
  inputs.input_ids = tracer.input({in.batch, 1}, DType::int64);
  inputs.position_ids = tracer.input({in.batch, 1}, DType::int64);
  inputs.past_key_values = &cache;
  inputs.tokens_per_expert = tokens_per_expert(model, in, 1);

  LoopState state;
  for (Tensor& keys : cache.key_cache) state.growing.push_back(&keys);
  for (Tensor& values : cache.value_cache) state.growing.push_back(&values);
  repeat_steadily(in.decode_steps, state, [&](int64_t i) {
    inputs.attention_mask = attention_mask.slice(1, 0, cached + i + 1);
    model(inputs);
  });
}

void generate(const DeepseekOCRForCausalLM& model, const GenerateInputs& in) {
  DynamicCache cache;
  prefill(model, in, cache);
  decode(model, in, cache);
}

}  // namespace modelmeter::deepseek_ocr::remote
