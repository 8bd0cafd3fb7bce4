#include "model/deepseek_ocr/remote/part_stage.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "base/edit_distance.h"
#include "base/error.h"
#include "model/deepseek_ocr/remote/sampling.h"

namespace modelmeter::deepseek_ocr {

// A part: the layers that it holds, and its forward on inputs that it makes.
class PartStage::Part {
 public:
  virtual ~Part() = default;
  virtual const BaseLayer& layer() const = 0;
  virtual void forward(Tracer& tracer, const PartOptions& o) const = 0;
};

namespace {

constexpr std::array<std::string_view, 9> names = {"sam",  "clip",    "vision", "layer-dense", "layer-moe",
                                                   "head", "prefill", "decode", "infer"};
constexpr int64_t pixels_per_token = 64;  // along each side

// Stands for what is above the part in the whole model: it does not run, and gives the part its name.
class Above : public BaseLayer {
 public:
  Above() : BaseLayer("") {}
  using BaseLayer::register_module;
  using BaseLayer::register_module_list;
};

class SamPart : public PartStage::Part {
 public:
  explicit SamPart(const PartOptions& o) : sam_({o.dtype}, o.architecture.sam) {
    above_.register_module("model.sam_model", sam_);
  }
  const BaseLayer& layer() const override { return above_; }
  void forward(Tracer& tracer, const PartOptions& o) const override {
    const Tensor image = tracer.input({o.batch, 3, o.image, o.image}, o.dtype);
    sam_(image);
  }

 private:
  ImageEncoderViT sam_;
  Above above_;
};

// CLIP on given features of SAM, and the projector on given features of both.
class ClipPart : public PartStage::Part {
 public:
  explicit ClipPart(const PartOptions& o)
      : clip_({o.dtype}, o.architecture.clip),
        projector_({o.dtype}, o.architecture.projector_input_dim, o.architecture.n_embed) {
    above_.register_module("model.vision_model", clip_);
    above_.register_module("model.projector", projector_);
  }
  const BaseLayer& layer() const override { return above_; }
  void forward(Tracer& tracer, const PartOptions& o) const override {
    const int64_t side = o.image / pixels_per_token;
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

class LayerPart : public PartStage::Part {
 public:
  explicit LayerPart(const PartOptions& o)
      : moe_(o.kind == PartKind::layer_moe),
        index_(moe_ ? o.architecture.decoder.first_k_dense_replace : 0),
        layer_({o.dtype}, o.architecture.decoder, o.attention, moe_) {
    above_.register_module_list("model.layers", layer_, 1, index_);
  }
  const BaseLayer& layer() const override { return above_; }
  void forward(Tracer& tracer, const PartOptions& o) const override {
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
class HeadPart : public PartStage::Part {
 public:
  explicit HeadPart(const PartOptions& o) : model_({o.dtype}, o.architecture.decoder) {}
  const BaseLayer& layer() const override { return model_; }
  void forward(Tracer& tracer, const PartOptions& o) const override {
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
  ModelInputs(Tracer& tracer, const PartOptions& o)
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
class VisionPart : public PartStage::Part {
 public:
  explicit VisionPart(const PartOptions& o) : model_({o.dtype}, without_layers(o.architecture), o.attention) {
    above_.register_module("model", model_);
  }
  const BaseLayer& layer() const override { return above_; }
  void forward(Tracer& tracer, const PartOptions& o) const override {
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

class ModelPart : public PartStage::Part {
 public:
  explicit ModelPart(const PartOptions& o) : model_({o.dtype}, o.architecture, o.attention) {}
  const BaseLayer& layer() const override { return model_; }
  void forward(Tracer& tracer, const PartOptions& o) const override {
    ModelInputs inputs(tracer, o);
    model_(inputs.in);
  }

 private:
  DeepseekOCRForCausalLM model_;
};

// generate() as infer() calls it, with even routing.
class InferPart : public PartStage::Part {
 public:
  explicit InferPart(const PartOptions& o) : model_({o.dtype}, o.architecture, o.attention) {}
  const BaseLayer& layer() const override { return model_; }
  void forward(Tracer&, const PartOptions& o) const override {
    GenerationInputs in;
    in.page = o.page;
    in.batch = o.batch;
    in.prompt_tokens = o.prompt_tokens;
    in.decode_steps = o.max_new_tokens - 1;
    in.last_logits_only = o.last_logits_only;
    infer(model_, in);
  }

 private:
  DeepseekOCRForCausalLM model_;
};

std::unique_ptr<PartStage::Part> make_part(const PartOptions& o) {
  switch (o.kind) {
    case PartKind::sam: return std::make_unique<SamPart>(o);
    case PartKind::clip: return std::make_unique<ClipPart>(o);
    case PartKind::vision: return std::make_unique<VisionPart>(o);
    case PartKind::layer_dense:
    case PartKind::layer_moe: return std::make_unique<LayerPart>(o);
    case PartKind::head: return std::make_unique<HeadPart>(o);
    case PartKind::prefill:
    case PartKind::decode: return std::make_unique<ModelPart>(o);
    case PartKind::infer: return std::make_unique<InferPart>(o);
  }
  throw Error(ErrorCode::internal, "an unknown part of the model");
}

// The stage of reports that the part belongs to.
std::string stage_of(PartKind kind) {
  if (kind == PartKind::sam || kind == PartKind::clip || kind == PartKind::vision) return "vision";
  if (kind == PartKind::infer) return "other";
  return kind == PartKind::decode ? "decode" : "prefill";
}

}  // namespace

PartKind parse_part_kind(const std::string& name) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (name == names[i]) return static_cast<PartKind>(i);
  }
  throw Error(fmt::format("there is no part '{}'", name), {},
              name_notes(name, std::vector<std::string>(names.begin(), names.end()), "parts"));
}

std::string_view part_name(PartKind kind) { return names[static_cast<size_t>(kind)]; }

PartStage::PartStage(PartOptions options)
    : Stage(std::string(part_name(options.kind)), stage_of(options.kind)),
      options_(std::move(options)),
      part_(make_part(options_)) {}

PartStage::~PartStage() = default;

const BaseLayer& PartStage::layer() const { return part_->layer(); }

void PartStage::forward(Tracer& tracer) const {
  AutocastGuard autocast(DType::bfloat16, options_.autocast);
  part_->forward(tracer, options_);
}

int64_t PartStage::kv_cache_bytes() const {
  const PartOptions& o = options_;
  const bool layer = o.kind == PartKind::layer_dense || o.kind == PartKind::layer_moe;
  const bool whole = o.kind == PartKind::prefill || o.kind == PartKind::decode || o.kind == PartKind::infer;
  if (!layer && !whole) return 0;
  const int64_t tokens = o.cached_tokens + o.new_tokens + (o.kind == PartKind::infer ? o.max_new_tokens - 1 : 0);
  const DecoderArchitecture& d = o.architecture.decoder;
  return d.kv_cache_bytes_per_token(o.dtype) / d.num_hidden_layers * (layer ? 1 : d.num_hidden_layers) * o.batch *
         tokens;
}

RecordedInputs PartStage::recorded_inputs() const {
  const PartOptions& o = options_;
  const DecoderArchitecture& d = o.architecture.decoder;
  RecordedInputs out;
  out.implementation = "official";
  out.precision = o.autocast ? "autocast" : "bf16";
  out.part = part_name(o.kind);
  const bool decoder = o.kind != PartKind::sam && o.kind != PartKind::clip && o.kind != PartKind::head;
  out.attention = o.kind == PartKind::head ? "none" : o.attention == AttentionImplementation::eager ? "eager" : "flash";
  out.config =
      !decoder
          ? "{}"
          : fmt::format(R"({{"hidden_size":{},"intermediate_size":{},"moe_intermediate_size":{},"n_routed_experts":{},)"
                        R"("n_shared_experts":{},"num_experts_per_tok":{},"num_hidden_layers":{},)"
                        R"("num_attention_heads":{},"num_key_value_heads":{},"first_k_dense_replace":{},)"
                        R"("vocab_size":{},"max_position_embeddings":{}}})",
                        d.hidden_size, d.intermediate_size, d.moe_intermediate_size, d.n_routed_experts,
                        d.n_shared_experts, d.num_experts_per_tok, o.kind == PartKind::vision ? 0 : d.num_hidden_layers,
                        d.num_attention_heads, d.num_key_value_heads, d.first_k_dense_replace, d.vocab_size,
                        d.max_position_embeddings);
  const std::string experts = o.tokens_per_expert.empty()
                                  ? ""
                                  : fmt::format(R"(,"tokens_per_expert":[{}])", fmt::join(o.tokens_per_expert, ","));
  if (o.kind == PartKind::sam || o.kind == PartKind::clip) {
    out.workload = fmt::format(R"({{"batch_size":{},"image":{}}})", o.batch, o.image);
  } else if (o.kind == PartKind::head) {
    out.workload = fmt::format(R"({{"batch_size":{},"tokens":{}}})", o.batch, o.new_tokens);
  } else if (o.kind == PartKind::layer_dense || o.kind == PartKind::layer_moe) {
    out.workload = fmt::format(R"({{"batch_size":{},"new_tokens":{},"cached_tokens":{}{}}})", o.batch, o.new_tokens,
                               o.cached_tokens, experts);
  } else {
    const std::string tiles = o.page.has_tiles() ? fmt::format("[{},{}]", o.page.columns, o.page.rows) : "null";
    out.workload =
        fmt::format(R"({{"batch_size":{},"base":{},"tile":{},"tiles":{},"image_tokens":{},"prompt_tokens":{},)"
                    R"("new_tokens":{},"cached_tokens":{},"max_new_tokens":{},"last_logits_only":{}{}}})",
                    o.batch, o.page.base_size, o.page.tile_size, tiles, o.page.image_tokens(), o.prompt_tokens,
                    o.new_tokens, o.cached_tokens, o.max_new_tokens, o.last_logits_only, experts);
  }
  return out;
}

}  // namespace modelmeter::deepseek_ocr
