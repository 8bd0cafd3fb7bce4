#include "model/deepseek_ocr/analytic_ocr.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/checked.h"
#include "base/edit_distance.h"
#include "trace/repeat.h"

namespace modelmeter::deepseek_ocr {
namespace {

constexpr char cache_overflow[] = "the size of the KV cache";

std::string page_note(const Workload& w) {
  const Page& p = w.page;
  if (p.columns > 0) {
    return fmt::format(
        "a page of {} x {} pixels is {} x {} tiles of {} pixels and the whole at {}: {} image tokens, {} of text",
        p.width, p.height, p.columns, p.rows, p.image_size, p.base_size, p.image_tokens, w.prompt_tokens);
  }
  const int64_t side = p.crop_mode ? p.base_size : p.image_size;
  return fmt::format("a page is seen at {} x {} pixels: {} image tokens, {} of text", side, side, p.image_tokens,
                     w.prompt_tokens);
}

}  // namespace

AnalyticOcr::AnalyticOcr(const config::View& config, const DataFiles& files, Workload::PageReader read_page)
    : workload_(Workload::read(config.child("workload"), read_page)) {
  const config::View hf = config.child("hf");
  hf.require_known_keys({"model_id", "model_variant", "config_path", "config", "notes"});
  model_id_ = hf.get<std::string>("model_id");
  model_variant_ = hf.get<std::string>("model_variant");
  model_notes_ = hf.get_or<std::string>("notes", "");
  if (hf.has("config")) {
    metadata_ = hf.at("config").node();
  } else {
    ModelFiles found = find_model(hf.at("config_path"), files);
    metadata_ = std::move(found.config);
    weights_ = std::move(found.weights);
    config_folder_ = std::filesystem::path(found.config_path).parent_path().string();
  }
  config.child("model").require_known_keys({"_target_", "stages"});
}

std::vector<config::View> AnalyticOcr::chosen_stages(const config::View& model, const std::vector<std::string>& known) {
  std::vector<config::View> out;
  if (!model.has("stages")) return out;
  for (const config::View& item : model.at("stages").items()) {
    const auto name = item.as<std::string>();
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw item.error(fmt::format("there is no stage '{}'", name), name_notes(name, known, "stages"));
    }
    for (const config::View& before : out) {
      if (before.as<std::string>() == name) throw item.error(fmt::format("the stage '{}' is named twice", name));
    }
    out.push_back(item);
  }
  if (out.empty()) throw model.at("stages").expected("at least one stage");
  by_stages_ = true;
  return out;
}

void AnalyticOcr::read_depth(const config::View& decoder, DecoderArchitecture& d) {
  if (!decoder.has("num_hidden_layers")) return;
  d.num_hidden_layers = decoder.get_positive<int64_t>("num_hidden_layers", config::max_layers);
  notes_.push_back(fmt::format("the depth is set to {} layers by decoder.num_hidden_layers", d.num_hidden_layers));
}

void AnalyticOcr::add_page_and_token_notes() {
  const Workload& w = workload_;
  if (weights_) notes_.push_back(compare_weights(*weights_, layer()));
  notes_.push_back(page_note(w));
  notes_.push_back(fmt::format("{} new tokens: the first comes out of prefill, {} decode steps give the others",
                               w.max_new_tokens, w.decode_steps()));
  if (w.seq_len + w.max_new_tokens > decoder().max_position_embeddings) {
    notes_.push_back(fmt::format("{} tokens are more than the {} positions that the model is made for",
                                 w.seq_len + w.max_new_tokens, decoder().max_position_embeddings));
  }
}

void AnalyticOcr::set_execution(Execution execution) {
  AnalyticModel::set_execution(execution);
  if (whole_run_) whole_run_->set_execution(execution);
}

void AnalyticOcr::trace(Tracer& tracer) const {
  if (by_stages_) return AnalyticModel::trace(tracer);
  record(tracer, run_sizes());
}

void AnalyticOcr::trace_forward(Tracer& tracer) const {
  if (by_stages_) return AnalyticModel::trace_forward(tracer);
  RunSizes once = run_sizes();
  once.runs = 1;
  once.decode_steps = std::min<int64_t>(once.decode_steps, 1);
  record(tracer, once);
}

void AnalyticOcr::record(Tracer& tracer, const RunSizes& run) const {
  Tracer::Guard guard(tracer);
  Trace& trace = tracer.trace();
  trace.given_bytes = checked_add(layer().parameter_bytes(), layer().buffer_bytes(), "the size of the weights");
  const bool eager = execution() == Execution::eager;
  const bool shares_calls = eager || tracer.exchange_shares_calls(false);
  const int32_t repetition = tracer.enter_repetition(run.runs);
  read_batch(run);
  tracer.leave();
  if (!eager) {
    tracer.exchange_shares_calls(shares_calls);
    execute(trace, 0, execution());
  }
  // Each stage has the weights and inputs of the whole.
  for (int32_t child = trace.scopes[static_cast<size_t>(repetition)].first_child; child >= 0;
       child = trace.scopes[static_cast<size_t>(child)].next_sibling) {
    if (trace.scopes[static_cast<size_t>(child)].kind == ScopeKind::function) {
      trace.residences.push_back({child, trace.given_bytes});
    }
  }
}

// One batch, the images, the prompt and all steps. Its cost is quadratic in the steps, since the cache grows.
class AnalyticOcr::WholeRun : public Stage {
 public:
  explicit WholeRun(const AnalyticOcr& model) : Stage("run", "other", model.run_sizes().values()), model_(model) {}

  const BaseLayer& layer() const override { return model_.layer(); }
  std::vector<Dependence> depends_on() const override {
    std::vector<Dependence> out = page_dependences();
    constexpr int64_t first_steps = 4, most_steps = 100'000;
    out.push_back({run_value::decode_steps, 2, first_steps, 1, most_steps});
    return out;
  }
  using Stage::forwards;
  int64_t forwards(const RunValues& run) const override { return run[run_value::runs]; }
  using Stage::kv_cache_bytes;
  int64_t kv_cache_bytes(const RunValues& values) const override {
    const RunSizes run = RunSizes::of(values);
    const int64_t tokens = checked_add(run.seq_len(), run.decode_steps, cache_overflow);
    return checked_mul(checked_mul(tokens, run.batch, cache_overflow),
                       model_.decoder().kv_cache_bytes_per_token(model_.weight_dtype()), cache_overflow);
  }
  void forward(Tracer&, const RunValues& run) const override { model_.read_batch(RunSizes::of(run)); }

 private:
  const AnalyticOcr& model_;
};

AnalyticOcr::~AnalyticOcr() = default;

void AnalyticOcr::add_whole_run() { whole_run_ = std::make_unique<WholeRun>(*this); }

std::vector<const Stage*> AnalyticOcr::parts() const {
  return by_stages_ ? AnalyticModel::parts() : std::vector<const Stage*>{whole_run_.get()};
}

RunSizes AnalyticOcr::run_sizes(const Workload& w) const {
  RunSizes out;
  set_layout(w.page, out);
  out.batch = w.batch_size;
  out.image_tokens = w.page.image_tokens;
  out.prompt_tokens = w.prompt_tokens;
  out.new_tokens = w.new_tokens;
  out.cached_tokens = w.cached_tokens;
  out.decode_steps = w.decode_steps();
  out.runs = w.runs();
  return out;
}

std::vector<Setting> AnalyticOcr::settings() const {
  const Workload& w = workload_;
  if (w.seq_len_given && w.prompt_tokens_given) return {};  // of one page only
  return {{"workload.page_width", w.page.width},
          {"workload.page_height", w.page.height},
          w.seq_len_given ? Setting{"workload.seq_len", w.seq_len} : Setting{"workload.prompt_tokens", w.prompt_tokens},
          {"workload.max_new_tokens", w.max_new_tokens},
          {"workload.num_pages", w.num_pages},
          {"workload.batch_size", w.batch_size}};
}

std::optional<RunValues> AnalyticOcr::run_of(std::span<const int64_t> settings) const {
  if (settings[0] < 1 || settings[1] < 1) return std::nullopt;
  Page page = workload_.page;
  page.width = settings[0];
  page.height = settings[1];
  if (!workload_.tiles_given) see(page);
  const std::optional<Workload> w = workload_.with(page, settings[2], settings[3], settings[4], settings[5]);
  return w ? std::optional(run_sizes(*w).values()) : std::nullopt;
}

int64_t AnalyticOcr::parameter_count() const {
  return by_stages_ ? AnalyticModel::parameter_count() : layer().parameter_count();
}

int64_t AnalyticOcr::parameter_bytes() const {
  return by_stages_ ? AnalyticModel::parameter_bytes() : layer().parameter_bytes();
}

std::vector<const BaseLayer*> AnalyticOcr::root_layers() const {
  if (by_stages_) return AnalyticModel::root_layers();
  return {&layer()};
}

// A stage by itself has its own weights on the device, no other's.
Residents AnalyticOcr::residents(const Stage& running, const RunValues& run) const {
  if (!by_stages_) return AnalyticModel::residents(running, run);
  Residents out;
  out.list.push_back({running.id(), running.weight_and_buffer_bytes(), &running.layer()});
  return out;
}

int64_t AnalyticOcr::kv_cache_bytes() const {
  if (by_stages_) {
    int64_t sum = 0;
    for (const auto& stage : stages_) sum = checked_add(sum, stage->kv_cache_bytes(), cache_overflow);
    return sum;
  }
  return checked_add(kv_cache_bytes_added("prefill"), kv_cache_bytes_added("decode"), cache_overflow);
}

int64_t AnalyticOcr::kv_cache_bytes_added(const std::string& stage) const {
  if (by_stages_) {
    int64_t sum = 0;
    for (const auto& s : stages_) sum = checked_add(sum, s->id() == stage ? s->kv_cache_bytes() : 0, cache_overflow);
    return sum;
  }
  const Workload& w = workload_;
  const int64_t tokens = stage == "prefill" ? w.seq_len : stage == "decode" ? w.decode_steps() : 0;
  return checked_mul(checked_mul(tokens, w.batch_size, cache_overflow),
                     decoder().kv_cache_bytes_per_token(weight_dtype()), cache_overflow);
}

int64_t AnalyticOcr::active_parameters() const {
  const DecoderArchitecture& d = decoder();
  int64_t active = layer().parameter_count() - vision_parameters() - d.vocab_size * d.hidden_size;
  for (int64_t i = 0; i < d.num_hidden_layers; ++i) {
    if (d.is_moe(i))
      active -= (d.n_routed_experts - d.num_experts_per_tok) * 3 * d.hidden_size * d.moe_intermediate_size;
  }
  return active;
}

Fields AnalyticOcr::model_fields() const {
  const DecoderArchitecture& d = decoder();
  return {{"model_id", model_id_},
          {"model_variant", model_variant_},
          {"hf_revision", nullptr},
          {"config_path", config_folder_},
          {"hidden_size", d.hidden_size},
          {"intermediate_size", d.intermediate_size},
          {"num_layers", d.num_hidden_layers},
          {"num_attention_heads", d.num_attention_heads},
          {"vision_backbone", vision_backbone()},
          {"uses_moe", d.n_routed_experts > 0},
          {"num_key_value_heads", d.num_key_value_heads},
          {"moe_intermediate_size", d.moe_intermediate_size},
          {"n_routed_experts", d.n_routed_experts},
          {"n_shared_experts", d.n_shared_experts},
          {"num_experts_per_tok", d.num_experts_per_tok},
          {"vocab_size", d.vocab_size},
          {"active_parameters_per_token", active_parameters()},
          {"kv_cache_bytes_per_token", d.kv_cache_bytes_per_token(weight_dtype())},
          {"notes", model_notes_}};
}

std::vector<OperatorCategory> AnalyticOcr::categories() const {
  const auto rule = [](const char* id, const char* name, const char* description, std::vector<std::string> parts) {
    return OperatorCategory{id, name, description, std::move(parts), {}, true};
  };
  return {
      rule("conv2d", "Convolution", "Patch embedding, neck and downsampling of the image encoder", {"conv"}),
      rule("linear", "Linear", "Projections of attention, MLPs and experts, image projector and head",
           {"linear", "lm_head", "experts"}),
      rule("norm", "Normalisation", "Layer norms and RMS norms", {"norm"}),
      rule("attention", "Attention", "Scores, softmax, weighted sum, relative positions, rotary turn and KV cache",
           {"attention", "attn"}),
      rule("embedding", "Embedding", "Token and position tables, rotary angles", {"embedding"}),
      rule("pool", "Pooling", "Pooling", {"pool"}),
      rule("dropout", "Dropout", "Dropout; none runs in inference", {"dropout"}),
      rule("activation", "Activation", "SiLU, GELU and their kin",
           {"activation", "gelu", "relu", "silu", "sigmoid", "tanh", "softmax"}),
      rule("other", "Other", "Residual additions, routing of tokens to experts, splicing, masks", {}),
  };
}

ReportNames AnalyticOcr::common_names(const std::string& layer_class) const {
  const DecoderArchitecture& d = decoder();
  ReportNames out;
  out.root_id = "model/deepseek_ocr_model";
  out.root_stage = "other";
  out.leaf_snapshots_only = true;
  out.groups = {{layers_id,
                 layer_class,
                 "decode",
                 d.num_hidden_layers,
                 {{"hidden_size", d.hidden_size},
                  {"num_heads", d.num_attention_heads},
                  {"seq_len", workload_.seq_len},
                  {"intermediate_size", d.intermediate_size},
                  {"num_experts", d.n_routed_experts},
                  {"batch_size", workload_.batch_size},
                  {"num_key_value_heads", d.num_key_value_heads},
                  {"k_active", d.num_experts_per_tok},
                  {"num_shared_experts", d.n_shared_experts},
                  {"moe_intermediate_size", d.moe_intermediate_size}}}};
  return out;
}

}  // namespace modelmeter::deepseek_ocr
