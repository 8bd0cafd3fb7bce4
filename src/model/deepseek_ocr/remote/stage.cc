#include "model/deepseek_ocr/remote/stage.h"

#include <fmt/format.h>

#include <array>

#include "base/edit_distance.h"
#include "base/error.h"
#include "model/deepseek_ocr/remote/sampling.h"
#include "model/deepseek_ocr/run_sizes.h"

namespace modelmeter::deepseek_ocr::remote {

// The layers that a stage holds, and its forward on inputs that it makes.
class OcrStage::Body {
 public:
  virtual ~Body() = default;
  virtual BaseLayer& layer() = 0;
  virtual void forward(Tracer& tracer, const StageOptions& o) const = 0;
};

namespace {

constexpr std::array<std::string_view, 9> names = {"sam",  "clip",    "vision", "layer-dense", "layer-moe",
                                                   "head", "prefill", "decode", "infer"};
constexpr int64_t pixels_per_feature = 64;  // along each side

// Stands for what is above the layers in the whole model: it does not run, and gives them their names.
class Above : public BaseLayer {
 public:
  Above() : BaseLayer("") {}
  using BaseLayer::register_module;
  using BaseLayer::register_module_list;
};

class SamBody : public OcrStage::Body {
 public:
  explicit SamBody(const StageOptions& o) : sam_({o.dtype}, o.architecture.sam) {
    above_.register_module("model.sam_model", sam_);
  }
  BaseLayer& layer() override { return above_; }
  void forward(Tracer& tracer, const StageOptions& o) const override {
    const Tensor image = tracer.input({o.batch, 3, o.image, o.image}, o.dtype);
    sam_(image);
  }

 private:
  ImageEncoderViT sam_;
  Above above_;
};

// CLIP on given features of SAM, and the projector on given features of both.
class ClipBody : public OcrStage::Body {
 public:
  explicit ClipBody(const StageOptions& o)
      : clip_({o.dtype}, o.architecture.clip),
        projector_({o.dtype}, o.architecture.projector_input_dim, o.architecture.n_embed) {
    above_.register_module("model.vision_model", clip_);
    above_.register_module("model.projector", projector_);
  }
  BaseLayer& layer() override { return above_; }
  void forward(Tracer& tracer, const StageOptions& o) const override {
    const int64_t side = o.image / pixels_per_feature;
    const Tensor image = tracer.input({o.batch, 3, o.image, o.image}, o.dtype);
    const Tensor features = tracer.input({o.batch, o.architecture.sam.net_3_chans, side, side}, o.dtype);
    const Tensor joined = tracer.input({o.batch, side * side, o.architecture.projector_input_dim}, o.dtype);
    const Tensor clip = clip_(image, features);
    const Tensor projected = projector_(joined);
  }

 private:
  VitModel clip_;
  MlpProjector projector_;
  Above above_;
};

class LayerBody : public OcrStage::Body {
 public:
  explicit LayerBody(const StageOptions& o)
      : moe_(o.kind == StageKind::layer_moe),
        index_(moe_ ? o.architecture.decoder.first_k_dense_replace : 0),
        layer_({o.dtype}, o.architecture.decoder, o.attention, moe_) {
    above_.register_module_list("model.layers", layer_, 1, index_);
  }
  BaseLayer& layer() override { return above_; }
  void forward(Tracer& tracer, const StageOptions& o) const override {
    const DecoderArchitecture& d = o.architecture.decoder;
    const Tensor hidden_states = tracer.input({o.batch, o.new_tokens, d.hidden_size}, o.dtype);
    LayerArguments args;
    args.position_ids = tracer.input({o.batch, o.new_tokens}, DType::int64);
    if (o.attention == AttentionImplementation::eager) {
      args.attention_mask = tracer.input({o.batch, 1, o.new_tokens, o.cached_tokens + o.new_tokens}, o.dtype);
    }
    DynamicCache cache;
    if (o.cached_tokens > 0) {
      const Shape sizes{o.batch, d.num_key_value_heads, o.cached_tokens, d.head_dim()};
      cache.key_cache = {tracer.consumed_input(sizes, o.dtype)};
      cache.value_cache = {tracer.consumed_input(sizes, o.dtype)};
    }
    args.cache = &cache;
    args.tokens_per_expert = o.tokens_per_expert;
    layer_.call_as(index_, hidden_states, args, 0);
  }

 private:
  bool moe_;
  int64_t index_;
  DeepseekV2DecoderLayer layer_;
  Above above_;
};

// DeepseekOCRForCausalLM.forward with given hidden states.
class HeadBody : public OcrStage::Body {
 public:
  explicit HeadBody(const StageOptions& o) : model_({o.dtype}, o.architecture.decoder) {}
  BaseLayer& layer() override { return model_; }
  void forward(Tracer& tracer, const StageOptions& o) const override {
    const Tensor hidden_states = tracer.input({o.batch, o.new_tokens, o.architecture.decoder.hidden_size}, o.dtype);
    model_(hidden_states);
  }

 private:
  class Head : public Module<Head> {
   public:
    Head(const BuildContext& context, const DecoderArchitecture& d)
        : Module("DeepseekOCRForCausalLM"), lm_head_(context, {d.hidden_size, d.vocab_size, false}) {
      register_module("lm_head", lm_head_);
    }
    Tensor forward(Tensor hidden_states) const {
      Tensor logits = lm_head_(hidden_states);
      return torch::to(logits, DType::float32);
    }

   private:
    Linear lm_head_;
  };
  Head model_;
};

// What a forward of the model is given, whether it looks at it or not.
struct ModelInputs {
  ModelInputs(Tracer& tracer, const StageOptions& o)
      : cache(cache_of(o.architecture.decoder, o.batch, o.cached_tokens, o.dtype)) {
    const int64_t prompt = o.page.image_tokens() + o.prompt_tokens;
    for (int64_t i = 0; i < o.batch; ++i) in.images.push_back(page_images(o.page, o.dtype));
    in.input_ids = tracer.input({o.batch, o.new_tokens}, DType::int64);
    in.position_ids = tracer.input({o.batch, o.new_tokens}, DType::int64);
    in.attention_mask = tracer.input({o.batch, o.cached_tokens + o.new_tokens}, DType::int64);
    in.images_seq_mask = tracer.input({o.batch, prompt}, DType::boolean);
    in.past_key_values = &cache;
    in.tokens_per_expert = o.tokens_per_expert;
    in.last_logits_only = o.last_logits_only;
  }
  DynamicCache cache;
  OcrInputs in;
};

// DeepseekOCRModel.forward of a model without decoder layers.
class VisionBody : public OcrStage::Body {
 public:
  explicit VisionBody(const StageOptions& o) : model_({o.dtype}, without_layers(o.architecture), o.attention) {
    above_.register_module("model", model_);
  }
  BaseLayer& layer() override { return above_; }
  void forward(Tracer& tracer, const StageOptions& o) const override {
    ModelInputs inputs(tracer, o);
    model_(inputs.in);
  }

 private:
  static Architecture without_layers(Architecture a) {
    a.decoder.num_hidden_layers = 0;
    return a;
  }
  DeepseekOCRModel model_;
  Above above_;
};

class ModelBody : public OcrStage::Body {
 public:
  explicit ModelBody(const StageOptions& o) : model_({o.dtype}, o.architecture, o.attention) {}
  BaseLayer& layer() override { return model_; }
  void forward(Tracer& tracer, const StageOptions& o) const override {
    ModelInputs inputs(tracer, o);
    model_(inputs.in);
  }

 private:
  DeepseekOCRForCausalLM model_;
};

// generate() as infer() calls it.
class InferBody : public OcrStage::Body {
 public:
  explicit InferBody(const StageOptions& o) : model_({o.dtype}, o.architecture, o.attention) {}
  BaseLayer& layer() override { return model_; }
  void forward(Tracer&, const StageOptions& o) const override {
    GenerateInputs in;
    in.page = o.page;
    in.batch = o.batch;
    in.prompt_tokens = o.prompt_tokens;
    in.decode_steps = o.max_new_tokens - 1;
    in.routing = routing_of(o.routing, o.architecture.decoder);
    in.last_logits_only = o.last_logits_only;
    infer(model_, in);
  }

 private:
  DeepseekOCRForCausalLM model_;
};

std::unique_ptr<OcrStage::Body> make_body(const StageOptions& o) {
  switch (o.kind) {
    case StageKind::sam: return std::make_unique<SamBody>(o);
    case StageKind::clip: return std::make_unique<ClipBody>(o);
    case StageKind::vision: return std::make_unique<VisionBody>(o);
    case StageKind::layer_dense:
    case StageKind::layer_moe: return std::make_unique<LayerBody>(o);
    case StageKind::head: return std::make_unique<HeadBody>(o);
    case StageKind::prefill:
    case StageKind::decode: return std::make_unique<ModelBody>(o);
    case StageKind::infer: return std::make_unique<InferBody>(o);
  }
  throw Error(ErrorCode::internal, "an unknown stage");
}

// The stage of reports that it belongs to.
std::string stage_of(StageKind kind) {
  if (kind == StageKind::sam || kind == StageKind::clip || kind == StageKind::vision) return "vision";
  if (kind == StageKind::infer) return "other";
  return kind == StageKind::decode ? "decode" : "prefill";
}

}  // namespace

StageKind parse_stage_kind(const std::string& name) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (name == names[i]) return static_cast<StageKind>(i);
  }
  throw Error(fmt::format("there is no stage '{}'", name), {}, name_notes(name, stage_names(), "stages"));
}

std::string_view name_of(StageKind kind) { return names[static_cast<size_t>(kind)]; }

std::vector<std::string> stage_names() { return {names.begin(), names.end()}; }

bool runs_alone(StageKind kind) {
  return kind == StageKind::layer_dense || kind == StageKind::layer_moe || kind == StageKind::head;
}

bool routes(StageKind kind) {
  return kind == StageKind::layer_moe || kind == StageKind::prefill || kind == StageKind::decode;
}

OcrStage::OcrStage(StageOptions options, const RunValues& run)
    : Stage(std::string(name_of(options.kind)), stage_of(options.kind), run),
      options_(std::move(options)),
      body_(make_body(options_)) {
  options_.storage.apply_to_part(body_->layer());
}

OcrStage::~OcrStage() = default;

const BaseLayer& OcrStage::layer() const { return body_->layer(); }

std::vector<Dependence> OcrStage::depends_on() const {
  namespace at = run_value;
  switch (options_.kind) {
    case StageKind::sam:
    case StageKind::clip: return {{at::batch}, {at::base_size}};
    case StageKind::layer_dense:
    case StageKind::layer_moe:
    case StageKind::head: return {{at::batch}, {at::new_tokens}, {at::cached_tokens}};
    case StageKind::vision:
    case StageKind::prefill:
    case StageKind::decode: return page_dependences();
    case StageKind::infer: break;
  }
  std::vector<Dependence> out = page_dependences();
  out.push_back({at::decode_steps});
  return out;
}

StageOptions OcrStage::options_of(const RunValues& values) const {
  if (values == run()) return options_;
  const RunSizes run = RunSizes::of(values);
  StageOptions o = options_;
  o.batch = run.batch;
  o.image = run.base_size;
  o.page = {run.base_size, run.tile_size, run.columns, run.rows};
  o.prompt_tokens = run.prompt_tokens;
  o.max_new_tokens = run.decode_steps + 1;
  const bool decode = o.kind == StageKind::decode, alone = runs_alone(o.kind);
  o.new_tokens = alone ? run.new_tokens : decode ? 1 : run.seq_len();
  o.cached_tokens = alone ? run.cached_tokens : decode ? run.seq_len() : 0;
  if (!o.tokens_per_expert.empty()) {
    const DecoderArchitecture& d = o.architecture.decoder;
    o.tokens_per_expert =
        tokens_per_expert(o.routing, o.batch * o.new_tokens, d.num_experts_per_tok, d.n_routed_experts);
  }
  return o;
}

void OcrStage::forward(Tracer& tracer, const RunValues& run) const {
  AutocastGuard autocast(DType::bfloat16, options_.autocast);
  if (run == this->run()) {
    body_->forward(tracer, options_);
  } else {
    body_->forward(tracer, options_of(run));
  }
}

int64_t OcrStage::kv_cache_bytes(const RunValues& run) const {
  const StageOptions o = options_of(run);
  const bool layer = o.kind == StageKind::layer_dense || o.kind == StageKind::layer_moe;
  const bool whole = o.kind == StageKind::prefill || o.kind == StageKind::decode || o.kind == StageKind::infer;
  if (!layer && !whole) return 0;
  const int64_t tokens = o.cached_tokens + o.new_tokens + (o.kind == StageKind::infer ? o.max_new_tokens - 1 : 0);
  const DecoderArchitecture& d = o.architecture.decoder;
  return d.kv_cache_bytes_per_token(o.dtype) / d.num_hidden_layers * (layer ? 1 : d.num_hidden_layers) * o.batch *
         tokens;
}

}  // namespace modelmeter::deepseek_ocr::remote
