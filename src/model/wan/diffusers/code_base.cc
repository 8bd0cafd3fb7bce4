#include "model/wan/diffusers/code_base.h"

#include "model/transformers/clip.h"
#include "model/transformers/umt5.h"
#include "model/wan/diffusers/pipeline.h"
#include "model/wan/diffusers/vace.h"
#include "model/wan/diffusers/vae.h"
#include "model/wan/runtime.h"
#include "model/wan/workload.h"

namespace modelmeter::wan::diffusers {
namespace {

// --- models with their inputs ----------------------------------------------------------------------------------------

DiTInputs inputs_of(Tracer& tracer, const TransformerOptions& o, const RunSizes& run) {
  const Architecture& a = o.architecture;
  const DType dtype = o.weight_dtype;
  const Shape& l = run.latent;
  DiTInputs in;
  in.hidden_states = tracer.input({run.batch, a.in_dim, l[1], l[2], l[3]}, dtype);
  const int64_t tokens = l[1] / a.patch_size[0] * (l[2] / a.patch_size[1]) * (l[3] / a.patch_size[2]);
  in.timestep = tracer.input(o.token_timesteps ? Shape{run.batch, tokens} : Shape{run.batch}, o.timestep_dtype);
  in.encoder_hidden_states = tracer.input({run.batch, a.text_len, a.text_dim}, dtype);
  if (a.image_conditioned()) {
    in.encoder_hidden_states_image = tracer.input({run.batch * a.images(), o.image_tokens, a.image_dim}, dtype);
  }
  if (a.vace_in_dim > 0) in.control_hidden_states = tracer.input({run.batch, a.vace_in_dim, l[1], l[2], l[3]}, dtype);
  return in;
}

template <class Model>
BoundModel bind_transformer(const TransformerOptions& o) {
  const auto model = std::make_shared<const Model>(BuildContext{o.weight_dtype}, o.architecture);
  return {model, [m = model.get(), o](Tracer& tracer, const RunSizes& run) {
            const ContextGuard context;
            context->attention = o.attention;
            const DiTInputs in = inputs_of(tracer, o, run);
            (*m)(in);
          }};
}

BoundModel transformer(const TransformerOptions& o) {
  return o.architecture.vace_layers.empty() ? bind_transformer<WanTransformer3DModel>(o)
                                            : bind_transformer<WanVACETransformer3DModel>(o);
}

BoundModel text_encoder(const TextEncoderOptions& o) {
  const auto model =
      std::make_shared<const transformers::UMT5EncoderModel>(BuildContext{o.weight_dtype}, o.architecture);
  return {model, [m = model.get(), o](Tracer& tracer, const RunSizes& run) {
            const ContextGuard context;
            context->attention = o.attention;
            const Tensor ids = tracer.input({run.batch, o.text_len}, DType::int64);
            const Tensor mask = tracer.input({run.batch, o.text_len}, DType::int64);
            (*m)(ids, mask);
          }};
}

BoundModel image_encoder(const ImageEncoderOptions& o) {
  const auto model =
      std::make_shared<const transformers::CLIPVisionModel>(BuildContext{o.weight_dtype}, o.architecture);
  return {model, [m = model.get(), o](Tracer& tracer, const RunSizes&) {
            const ContextGuard context;
            context->attention = o.attention;
            const int64_t side = o.architecture.image_size;
            const Tensor images = tracer.input({o.batch, 3, side, side}, DType::float32);
            (*m)(images);
          }};
}

BoundModel autoencoder(const AutoencoderOptions& o, std::shared_ptr<const BaseLayer> shared) {
  VaeOptions options;
  options.tiling = o.tiling;
  options.slicing = o.slicing;
  const auto model =
      shared ? std::static_pointer_cast<const AutoencoderKLWan>(std::move(shared))
             : std::make_shared<const AutoencoderKLWan>(BuildContext{o.weight_dtype}, o.architecture, options);
  return {model, [m = model.get(), o](Tracer& tracer, const RunSizes& run) {
            const ContextGuard context;
            context->attention = o.attention;
            Shape sizes = o.decode ? run.latent : Shape{3, run.frames(), run.height(), run.width()};
            sizes.insert(0, run.batch);
            const Tensor x = tracer.input(sizes, o.weight_dtype);
            if (o.decode) {
              m->decode(x);
            } else {
              m->encode(x);
            }
          }};
}

BoundModel sampling(const SamplingOptions& o) {
  const auto model = std::make_shared<const WanPipeline>(o);
  return {model, [m = model.get()](Tracer&, const RunSizes& run) { (*m)(run); }};
}

// --- what it does not have -------------------------------------------------------------------------------------------

void check_runtime(const config::View& view, const Runtime& r) {
  if (r.scheduler == Scheduler::dpm_solver) {
    throw view.at("scheduler")
        .error("diffusers' Wan pipelines come with UniPC; their DPM-Solver++ is not modelled",
               {"runtime.implementation=official has both schedulers"});
  }
}

void check_workload(const config::View& view, const Workload& w, const Architecture&, int64_t) {
  if (w.seq_len) throw view.at("seq_len").error("diffusers does not pad the sequence");
  if (w.image_dtype) throw view.at("image_dtype").error("diffusers converts the features to the transformer's dtype");
}

std::vector<std::string> sampling_notes(const SamplingInputs&) { return {}; }

nlohmann::ordered_json sampling_config(const SamplingInputs& o) {
  nlohmann::ordered_json out = {{"dtype", short_name(o.model_dtype)}};
  if (o.task == Task::vace) out["control_layers"] = o.control_layers;
  return out;
}

void name_classes(const VaeArchitecture&, ReportNames& names) {
  names.class_prefix = "diffusers.models.transformers.transformer_wan.";
  names.stage_class_prefix = {{"text_encoder/", "transformers.models.umt5.modeling_umt5."},
                              {"image_encoder/", "transformers.models.clip.modeling_clip."},
                              {"vae/", "diffusers.models.autoencoders.autoencoder_kl_wan."}};
  names.class_modules = {{"WanVACETransformer3DModel", "diffusers.models.transformers.transformer_wan_vace"},
                         {"WanVACETransformerBlock", "diffusers.models.transformers.transformer_wan_vace"},
                         {"FeedForward", "diffusers.models.attention"},
                         {"FP32LayerNorm", "diffusers.models.normalization"},
                         {"PixArtAlphaTextProjection", "diffusers.models.embeddings"},
                         {"TimestepEmbedding", "diffusers.models.embeddings"},
                         {"Timesteps", "diffusers.models.embeddings"},
                         {"GELU", "diffusers.models.activations"},
                         {"NewGELUActivation", "transformers.activations"},
                         {"GELUActivation", "transformers.activations"},
                         {"WanPipeline", "diffusers.pipelines.wan.pipeline_wan"},
                         {"WanImageToVideoPipeline", "diffusers.pipelines.wan.pipeline_wan_i2v"},
                         {"WanVACEPipeline", "diffusers.pipelines.wan.pipeline_wan_vace"}};
}

}  // namespace

const CodeBase& code_base() {
  static const CodeBase record = {
      .name = "diffusers",
      .encoders_from = "transformers",
      .text_encoder_attention = nullptr,
      .names_generation = false,
      .key_names = KeyNames::published,
      .transformer_dtype = DType::bfloat16,
      .text_encoder_dtype = DType::bfloat16,
      .image_encoder_dtype = DType::float32,  // as diffusers' documentation loads it
      .autocasts = false,
      .pads_sequence = false,
      .autoencoder_in_float32 = false,
      .lists_samples = false,
      .one_video_at_a_time = false,
      .residencies = {Residency::all, Residency::offload, Residency::sequential},
      .gives_real_tokens = false,
      .transformer = transformer,
      .text_encoder = text_encoder,
      .image_encoder = image_encoder,
      .autoencoder = autoencoder,
      .sampling = sampling,
      .residents = residents,
      .name_classes = name_classes,
      .check_runtime = check_runtime,
      .check_workload = check_workload,
      .sampling_notes = sampling_notes,
      .sampling_config = sampling_config,
      .recorded_roots = {{"WanTransformer3DModel", Role::transformer},
                         {"WanVACETransformer3DModel", Role::transformer},
                         {"UMT5EncoderModel", Role::text_encoder},
                         {"CLIPVisionModel", Role::image_encoder},
                         {"AutoencoderKLWan", Role::autoencoder},
                         {"WanPipeline", Role::sampling},
                         {"WanImageToVideoPipeline", Role::sampling},
                         {"WanVACEPipeline", Role::sampling}},
  };
  return record;
}

}  // namespace modelmeter::wan::diffusers
