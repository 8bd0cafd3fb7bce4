#include "model/deepseek_ocr/remote/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked.h"
#include "model/deepseek_ocr/remote/sampling.h"

namespace modelmeter::deepseek_ocr::remote {

void Runtime::read_precision(const config::View& runtime) {
  const std::string precision = choice_or_alias(runtime, "precision", {"autocast", "bf16", "float16", "float32"},
                                                {{"bfloat16", "bf16"},
                                                 {"torch.bfloat16", "bf16"},
                                                 {"fp16", "float16"},
                                                 {"torch.float16", "float16"},
                                                 {"fp32", "float32"},
                                                 {"torch.float32", "float32"}});
  autocast = precision == "autocast";
  if (precision == "float16") dtype = DType::float16;
  if (precision != "float32") return;
  dtype = DType::float32;
  if (attention == AttentionImplementation::eager) return;
  throw runtime.at("precision").error("flash_attn takes 16 bits only", {"runtime.attention=eager takes float32"});
}

Runtime Runtime::read(const config::View& config) {
  const config::View runtime = config.child("runtime"), decoder = config.child("decoder"), head = config.child("head");
  runtime.require_known_keys(
      {"implementation", "execution", "attention", "precision", "sampling", "torch_dtype", "device_map"});
  decoder.require_known_keys(with_storage_keys({"num_hidden_layers", "routing", "tokens_per_expert"}));
  head.require_known_keys({"logits"});
  runtime.get_choice("implementation", {"official"});
  Runtime r;
  r.attention = choice_or_alias(runtime, "attention", {"flash", "eager"}, {{"flash_attention_2", "flash"}}) == "eager"
                    ? AttentionImplementation::eager
                    : AttentionImplementation::flash_attention_2;
  r.read_precision(runtime);
  if (runtime.has("torch_dtype")) {
    r.loads_float32 = choice_or_alias(runtime, "torch_dtype", {"float32", "bfloat16"},
                                      {{"torch.float32", "float32"}, {"torch.bfloat16", "bfloat16"}}) == "float32";
  }
  if (runtime.has("device_map")) {
    r.device_map = runtime.get_choice("device_map", {"cuda", "auto", "balanced", "balanced_low_0", "sequential"});
  }
  r.sampling = runtime.get_or<bool>("sampling", false);
  r.last_logits_only = head.get_choice("logits", {"all", "last"}) == "last";
  const std::string routing = decoder.get_choice("routing", {"uniform", "worst", "best"});
  r.routing = routing == "uniform" ? Routing::uniform : routing == "worst" ? Routing::worst : Routing::best;
  if (decoder.has("tokens_per_expert")) {
    r.tokens_per_expert = decoder.get<std::vector<int64_t>>("tokens_per_expert");
    if (!config.child("model").has("stages")) {
      throw decoder.at("tokens_per_expert")
          .error("forwards of the whole run route different numbers of tokens",
                 {"model.stages=[layer-moe] is one that runs by itself"});
    }
  }
  return r;
}

namespace {

// from_pretrained() gives float32, .cuda() moves that, .to(bfloat16) casts one parameter after another, children before
// their parents: the first, embed_tokens.weight, while all others are as they came.
std::string loading_note(const DeepseekOCRForCausalLM& model) {
  const BaseLayer* leaf = &model;
  while (!leaf->children().empty()) leaf = leaf->children().front().layer;
  int64_t first = 0;
  leaf->for_each_parameter([&](const std::string&, const TensorSpec& spec) {
    if (first == 0) first = spec.sizes.numel();
  });
  const int64_t loaded = checked_mul(model.parameter_count(), 4, "the size of the weights");
  constexpr double gib = 1024.0 * 1024.0 * 1024.0;
  return fmt::format(
      "loaded as the model's README does (.cuda(), then .to(bfloat16)) the weights hold {:.2f} GiB in float32 before the "
      "first forward and {:.2f} GiB at the first cast; memory is counted from bfloat16 weights",
      static_cast<double>(loaded) / gib, static_cast<double>(loaded + 2 * first) / gib);
}

}  // namespace

DeepSeekOCR::DeepSeekOCR(const config::View& config, const DataFiles& files)
    : AnalyticOcr(config, files, read_page), runtime_(Runtime::read(config)) {
  const config::View vision = config.child("vision");
  vision.require_known_keys(with_storage_keys({"sam", "clip"}));
  vision.get_choice("sam", {"sam_vit_b"});
  vision.get_choice("clip", {"clip_vit_l"});
  Architecture architecture = read_architecture(config::View(metadata()));
  read_depth(config.child("decoder"), architecture.decoder);
  using Kind = WeightFormatKind;
  storage_ =
      Storage::read(config, metadata(),
                    {Kind::bnb_int8, Kind::bnb_4bit, Kind::packed_int4, Kind::torchao_int8, Kind::torchao_int4}, files);
  storage_.decoder_modules = {"model.layers"};
  storage_.vision_modules = {"model.sam_model", "model.vision_model", "model.projector"};
  model_ = std::make_unique<DeepseekOCRForCausalLM>(BuildContext{runtime_.dtype}, architecture, runtime_.attention);
  storage_.apply(*model_);

  for (const config::View& chosen : chosen_stages(config.child("model"), stage_names())) {
    add_chosen_stage(chosen, config.child("decoder"));
  }
  if (by_stages()) return;

  const auto add = [&](StageKind kind, int64_t new_tokens, int64_t cached) {
    stages_.push_back(std::make_unique<OcrStage>(stage_options(kind, workload_.batch_size, new_tokens, cached),
                                                 run_sizes().values()));
  };
  add(StageKind::vision, workload_.seq_len, 0);
  add(StageKind::prefill, workload_.seq_len, 0);
  if (workload_.decode_steps() > 0) add(StageKind::decode, 1, workload_.seq_len);

  add_whole_run();
  add_page_and_token_notes();
  if (runtime_.dtype == DType::bfloat16 && storage_.fields().empty()) notes_.push_back(loading_note(*model_));
  for (std::string& note : storage_.notes(*model_)) notes_.push_back(std::move(note));
  if (!runtime_.device_map.empty()) {
    notes_.push_back(
        fmt::format("runtime.device_map={}: on one device that has room for all of the model", runtime_.device_map));
  }
  if (architecture.decoder.n_routed_experts > 0) add_routing_note();
  if (!runtime_.sampling) {
    notes_.push_back("what generate() runs between two forwards is left out; runtime.sampling=true counts it");
  }
}

void DeepSeekOCR::add_chosen_stage(const config::View& chosen, const config::View& decoder) {
  const Workload& w = workload_;
  const DecoderArchitecture& d = architecture().decoder;
  const StageKind kind = parse_stage_kind(chosen.as<std::string>());
  if (kind == StageKind::layer_moe && (d.n_routed_experts == 0 || d.first_k_dense_replace >= d.num_hidden_layers)) {
    throw chosen.error("the model has no layer with experts");
  }
  if (kind == StageKind::layer_dense && d.is_moe(0)) throw chosen.error("the model has no dense layer");
  const bool alone = kind == StageKind::layer_dense || kind == StageKind::layer_moe || kind == StageKind::head;
  const int64_t new_tokens = alone ? w.new_tokens : kind == StageKind::decode ? 1 : w.seq_len;
  const int64_t cached = alone ? w.cached_tokens : kind == StageKind::decode ? w.seq_len : 0;
  StageOptions o = stage_options(kind, w.batch_size, new_tokens, cached);
  if (!runtime_.tokens_per_expert.empty()) check_tokens_per_expert(o, decoder);
  stages_.push_back(std::make_unique<OcrStage>(std::move(o), run_sizes().values()));
}

void DeepSeekOCR::check_tokens_per_expert(const StageOptions& o, const config::View& decoder) const {
  const DecoderArchitecture& d = architecture().decoder;
  const std::vector<int64_t>& counts = runtime_.tokens_per_expert;
  const config::View at = decoder.at("tokens_per_expert");
  if (o.kind == StageKind::infer) throw at.error("forwards of infer() route different numbers of tokens");
  if (o.tokens_per_expert.empty()) return;  // routes none
  if (static_cast<int64_t>(counts.size()) != d.n_routed_experts) {
    throw at.error(fmt::format("{} numbers for {} experts", counts.size(), d.n_routed_experts));
  }
  int64_t sum = 0;
  for (const int64_t n : counts) {
    if (n < 0) throw at.expected("numbers of tokens");
    sum = checked_add(sum, n, "the number of tokens");
  }
  const int64_t routed = o.batch * o.new_tokens * d.num_experts_per_tok;
  if (sum != routed) throw at.error(fmt::format("{} tokens; stage {} routes {}", sum, name_of(o.kind), routed));
}

void DeepSeekOCR::set_layout(const Page& page, RunSizes& run) const {
  const PageLayout layout = layout_of(page);
  run.base_size = layout.base_size;
  run.tile_size = layout.tile_size;
  run.columns = layout.columns;
  run.rows = layout.rows;
}

std::vector<Setting> DeepSeekOCR::settings() const {
  // Numbers of tokens that are given for each expert are of one forward only.
  return runtime_.tokens_per_expert.empty() ? AnalyticOcr::settings() : std::vector<Setting>();
}

void DeepSeekOCR::read_batch(const RunSizes& run) const {
  GenerateInputs in;
  in.page = {run.base_size, run.tile_size, run.columns, run.rows};
  in.batch = run.batch;
  in.prompt_tokens = run.prompt_tokens;
  in.decode_steps = run.decode_steps;
  in.last_logits_only = runtime_.last_logits_only;
  in.routing = routing_of(runtime_.routing, architecture().decoder);
  AutocastGuard autocast(DType::bfloat16, runtime_.autocast);
  if (runtime_.sampling) {
    infer(*model_, in);
  } else {
    generate(*model_, in);
  }
}

StageOptions DeepSeekOCR::stage_options(StageKind kind, int64_t batch, int64_t new_tokens,
                                        int64_t cached_tokens) const {
  const DecoderArchitecture& d = architecture().decoder;
  StageOptions o;
  o.kind = kind;
  o.architecture = architecture();
  o.attention = runtime_.attention;
  o.autocast = runtime_.autocast;
  o.dtype = runtime_.dtype;
  o.storage = storage_;
  o.batch = batch;
  o.page = layout_of(workload_.page);
  o.prompt_tokens = workload_.prompt_tokens;
  o.new_tokens = new_tokens;
  o.cached_tokens = cached_tokens;
  o.image = o.page.base_size;
  o.last_logits_only = runtime_.last_logits_only;
  o.max_new_tokens = workload_.max_new_tokens;
  o.routing = runtime_.routing;
  if (routes(kind) && d.n_routed_experts > 0) {
    o.tokens_per_expert =
        !runtime_.tokens_per_expert.empty()
            ? runtime_.tokens_per_expert
            : tokens_per_expert(runtime_.routing, batch * new_tokens, d.num_experts_per_tok, d.n_routed_experts);
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

// transformers 4.46.3: without low_cpu_mem_usage the model is made first, then its file is read whole beside it. A
// device map makes it without memory, and takes the file's tensors to the device one by one.
std::vector<LoadedModel> DeepSeekOCR::loading() const {
  if (by_stages()) return {};
  const std::vector<Resident> there = residents(*stages().front()).list;
  const int64_t file = model_->parameter_bytes();
  const bool casts = runtime_.loads_float32 && storage_.fields().empty();  // quantised weights come as they are kept
  const int64_t made = casts ? checked_mul(model_->parameter_count(), 4, "the weights in host memory") : file;
  const int64_t beside = runtime_.device_map.empty() ? made : 0;
  return {{there.front().what, model_.get(), checked_add(beside, file, "the weights in host memory"), 0, casts}};
}

}  // namespace modelmeter::deepseek_ocr::remote
