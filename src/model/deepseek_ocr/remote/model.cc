#include "model/deepseek_ocr/remote/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/deepseek_ocr/remote/sampling.h"

namespace modelmeter::deepseek_ocr {

Runtime Runtime::read(const config::View& config) {
  const config::View runtime = config.child("runtime"), decoder = config.child("decoder"), head = config.child("head");
  runtime.require_known_keys({"implementation", "attention", "precision", "sampling"});
  decoder.require_known_keys({"num_hidden_layers", "routing"});
  head.require_known_keys({"logits"});
  runtime.get_choice("implementation", {"official"});
  Runtime r;
  r.attention = runtime.get_choice("attention", {"flash", "eager"}) == "eager"
                    ? AttentionImplementation::eager
                    : AttentionImplementation::flash_attention_2;
  r.autocast = runtime.get_choice("precision", {"autocast", "bf16"}) == "autocast";
  r.sampling = runtime.get_or<bool>("sampling", false);
  r.last_logits_only = head.get_choice("logits", {"all", "last"}) == "last";
  const std::string routing = decoder.get_choice("routing", {"uniform", "worst", "best"});
  r.routing = routing == "uniform" ? Routing::uniform : routing == "worst" ? Routing::worst : Routing::best;
  return r;
}

DeepSeekOCR::DeepSeekOCR(const config::View& config, const DataFiles& files)
    : AnalyticOcr(config, files, read_page), runtime_(Runtime::read(config)) {
  const config::View vision = config.child("vision");
  vision.require_known_keys({"sam", "clip"});
  vision.get_choice("sam", {"sam_vit_b"});
  vision.get_choice("clip", {"clip_vit_l"});
  const config::Node file = metadata();
  Architecture architecture = read_architecture(config::View(file));
  read_depth(config.child("decoder"), architecture.decoder);
  model_ = std::make_unique<DeepseekOCRForCausalLM>(BuildContext{DType::bfloat16}, architecture, runtime_.attention);

  const auto add = [&](PartKind kind, int64_t new_tokens, int64_t cached) {
    stages_.push_back(std::make_unique<PartStage>(part_options(kind, workload_.batch_size, new_tokens, cached)));
  };
  add(PartKind::vision, workload_.seq_len, 0);
  add(PartKind::prefill, workload_.seq_len, 0);
  if (workload_.decode_steps() > 0) add(PartKind::decode, 1, workload_.seq_len);

  add_page_and_token_notes();
  if (architecture.decoder.n_routed_experts > 0) add_routing_note();
  if (!runtime_.sampling) {
    notes_.push_back("what generate() runs between two forwards is left out; runtime.sampling=true counts it");
  }
}

GenerationInputs DeepSeekOCR::generation(int64_t decode_steps) const {
  const DecoderArchitecture& d = architecture().decoder;
  GenerationInputs in;
  in.page = layout_of(workload_.page);
  in.batch = workload_.batch_size;
  in.prompt_tokens = workload_.prompt_tokens;
  in.decode_steps = decode_steps;
  in.last_logits_only = runtime_.last_logits_only;
  in.routing = [routing = runtime_.routing, k = d.num_experts_per_tok,
                experts = d.n_routed_experts](int64_t assignments) {
    return experts == 0 ? std::vector<int64_t>() : tokens_per_expert(routing, assignments / k, k, experts);
  };
  return in;
}

void DeepSeekOCR::run(int64_t decode_steps) const {
  AutocastGuard autocast(DType::bfloat16, runtime_.autocast);
  if (runtime_.sampling) {
    infer(*model_, generation(decode_steps));
  } else {
    generate(*model_, generation(decode_steps));
  }
}

PartOptions DeepSeekOCR::part_options(PartKind kind, int64_t batch, int64_t new_tokens, int64_t cached_tokens) const {
  const DecoderArchitecture& d = architecture().decoder;
  PartOptions o;
  o.kind = kind;
  o.architecture = architecture();
  o.attention = runtime_.attention;
  o.autocast = runtime_.autocast;
  o.batch = batch;
  o.page = layout_of(workload_.page);
  o.prompt_tokens = workload_.prompt_tokens;
  o.new_tokens = new_tokens;
  o.cached_tokens = cached_tokens;
  o.last_logits_only = runtime_.last_logits_only;
  if (kind != PartKind::vision && d.n_routed_experts > 0) {
    o.tokens_per_expert =
        tokens_per_expert(runtime_.routing, batch * new_tokens, d.num_experts_per_tok, d.n_routed_experts);
  }
  return o;
}

void DeepSeekOCR::add_routing_note() {
  const DecoderArchitecture& d = architecture().decoder;
  const auto touched = [&](int64_t tokens) {
    const auto counts = tokens_per_expert(runtime_.routing, tokens, d.num_experts_per_tok, d.n_routed_experts);
    return std::count_if(counts.begin(), counts.end(), [](int64_t n) { return n > 0; });
  };
  const char* how = runtime_.routing == Routing::uniform ? "expected number where each token is routed at random"
                    : runtime_.routing == Routing::worst ? "most that can be"
                                                         : "fewest that can be";
  notes_.push_back(fmt::format("routing: prefill touches {} of {} experts in each layer, a decode step {}: the {}",
                               touched(workload_.batch_size * workload_.seq_len), d.n_routed_experts,
                               touched(workload_.batch_size), how));
}

int64_t DeepSeekOCR::vision_parameters() const {
  const DeepseekOCRModel& body = model_->model();
  const int64_t newline_and_separator = 2 * architecture().n_embed;
  return body.sam_model().parameter_count() + body.vision_model().parameter_count() +
         body.projector().parameter_count() + newline_and_separator;
}

}  // namespace modelmeter::deepseek_ocr
