#include "model/deepseek_ocr/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked.h"
#include "model/deepseek_ocr/sampling.h"

namespace modelmeter::deepseek_ocr {

Runtime Runtime::read(const config::View& config) {
  const config::View runtime = config.child("runtime"), decoder = config.child("decoder"), head = config.child("head");
  runtime.require_known_keys({"implementation", "attention", "precision", "sampling"});
  decoder.require_known_keys({"num_hidden_layers", "routing"});
  head.require_known_keys({"logits"});
  runtime.get_choice("implementation", {"official"});
  Runtime r;
  r.attention = runtime.get_choice("attention", {"flash", "eager"}) == "eager" ? AttentionImplementation::eager
                                                                               : AttentionImplementation::flash_attention_2;
  r.autocast = runtime.get_choice("precision", {"autocast", "bf16"}) == "autocast";
  r.sampling = runtime.get_or<bool>("sampling", false);
  r.last_logits_only = head.get_choice("logits", {"all", "last"}) == "last";
  const std::string routing = decoder.get_choice("routing", {"uniform", "worst", "best"});
  r.routing = routing == "uniform" ? Routing::uniform : routing == "worst" ? Routing::worst : Routing::best;
  return r;
}

DeepSeekOCR::DeepSeekOCR(const config::View& config, const DataFiles& files) {
  identity_ = Identity::read(config.child("hf"), files);
  const config::Node metadata = read_data_file(identity_.config_file);
  Architecture architecture = read_architecture(config::View(metadata));
  const config::View vision = config.child("vision");
  vision.require_known_keys({"sam", "clip"});
  vision.get_choice("sam", {"sam_vit_b"});
  vision.get_choice("clip", {"clip_vit_l"});
  config.child("model").require_known_keys({"_target_"});
  runtime_ = Runtime::read(config);
  workload_ = Workload::read(config.child("workload"), read_page);
  if (config.child("decoder").has("num_hidden_layers")) {
    architecture.decoder.num_hidden_layers = config.child("decoder").get_positive<int64_t>("num_hidden_layers");
    notes_.push_back(fmt::format("the depth is set to {} layers by decoder.num_hidden_layers",
                                 architecture.decoder.num_hidden_layers));
  }
  model_ = std::make_unique<DeepseekOCRForCausalLM>(architecture, runtime_.attention, DType::bfloat16);
  add_stages();
  add_notes();
}

GenerationInputs DeepSeekOCR::generation(int64_t decode_steps) const {
  const DecoderArchitecture& d = architecture().decoder;
  GenerationInputs in;
  in.page = layout_of(workload_.page);
  in.batch = workload_.batch_size;
  in.prompt_tokens = workload_.prompt_tokens;
  in.decode_steps = decode_steps;
  in.last_logits_only = runtime_.last_logits_only;
  in.routing = [routing = runtime_.routing, k = d.num_experts_per_tok, experts = d.n_routed_experts](int64_t assignments) {
    return experts == 0 ? std::vector<int64_t>() : tokens_per_expert(routing, assignments / k, k, experts);
  };
  return in;
}

void DeepSeekOCR::record(Tracer& tracer, int64_t runs, int64_t decode_steps) const {
  Tracer::Guard guard(tracer);
  AutocastGuard autocast(DType::bfloat16, runtime_.autocast);
  Trace& trace = tracer.trace();
  trace.given_bytes = checked_add(model_->parameter_bytes(), model_->buffer_bytes(), "the size of the weights");
  const int32_t repetition = tracer.enter_repetition(runs);
  if (runtime_.sampling) {
    infer(*model_, generation(decode_steps));
  } else {
    generate(*model_, generation(decode_steps));
  }
  tracer.leave();
  add_residences(trace, repetition);
}

void DeepSeekOCR::trace_forward(Tracer& tracer) const {
  record(tracer, 1, std::min<int64_t>(workload_.decode_steps(), 1));
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
    o.tokens_per_expert = tokens_per_expert(runtime_.routing, batch * new_tokens, d.num_experts_per_tok, d.n_routed_experts);
  }
  return o;
}

void DeepSeekOCR::add_stages() {
  const auto add = [&](PartKind kind, int64_t new_tokens, int64_t cached) {
    stages_.push_back(std::make_unique<PartStage>(part_options(kind, workload_.batch_size, new_tokens, cached)));
  };
  add(PartKind::vision, workload_.seq_len, 0);
  add(PartKind::prefill, workload_.seq_len, 0);
  if (workload_.decode_steps() > 0) add(PartKind::decode, 1, workload_.seq_len);
}

void DeepSeekOCR::add_notes() {
  const DecoderArchitecture& d = architecture().decoder;
  const Workload& w = workload_;
  notes_.push_back(page_note(w));
  if (d.n_routed_experts > 0) {
    const auto touched = [&](int64_t tokens) {
      const auto counts = tokens_per_expert(runtime_.routing, tokens, d.num_experts_per_tok, d.n_routed_experts);
      return std::count_if(counts.begin(), counts.end(), [](int64_t n) { return n > 0; });
    };
    const char* model = runtime_.routing == Routing::uniform
                            ? "expected number where each token is routed at random"
                            : runtime_.routing == Routing::worst ? "most that can be" : "fewest that can be";
    notes_.push_back(fmt::format("routing: prefill touches {} of {} experts in each layer, a decode step {}: the {}",
                                 touched(w.batch_size * w.seq_len), d.n_routed_experts, touched(w.batch_size), model));
  }
  for (const std::string& note : token_notes(w, d)) notes_.push_back(note);
  if (!runtime_.sampling) notes_.push_back("what generate() runs between two forwards is left out; runtime.sampling=true counts it");
}

int64_t DeepSeekOCR::kv_cache_bytes() const {
  return checked_add(kv_cache_bytes_added("prefill"), kv_cache_bytes_added("decode"), "the size of the KV cache");
}

int64_t DeepSeekOCR::kv_cache_bytes_added(const std::string& stage) const {
  return cache_bytes_added(stage, workload_, architecture().decoder, model_->dtype());
}

int64_t DeepSeekOCR::active_parameters() const {
  const DeepseekOCRModel& body = model_->model();
  const int64_t vision = body.sam_model().parameter_count() + body.vision_model().parameter_count() +
                         body.projector().parameter_count() + 2 * architecture().n_embed;
  return active_decoder_parameters(model_->parameter_count() - vision, architecture().decoder);
}

}  // namespace modelmeter::deepseek_ocr
