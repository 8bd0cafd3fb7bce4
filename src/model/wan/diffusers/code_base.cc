#include "model/wan/diffusers/code_base.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/transformers/clip.h"
#include "model/transformers/umt5.h"
#include "model/wan/diffusers/pipeline.h"
#include "model/wan/diffusers/scheduler.h"
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
  const Shape l = o.latent(run);
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
  const auto model = std::make_shared<Model>(BuildContext{o.weight_dtype}, o.architecture);
  o.storage.apply(*model);
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
  const auto model = std::make_shared<transformers::UMT5EncoderModel>(BuildContext{o.weight_dtype}, o.architecture);
  o.storage.apply(*model);
  return {model, [m = model.get(), o](Tracer& tracer, const RunSizes& run) {
            const ContextGuard context;
            context->attention = o.attention;
            const Tensor ids = tracer.input({run.batch, o.text_len}, DType::int64);
            const Tensor mask = tracer.input({run.batch, o.text_len}, DType::int64);
            (*m)(ids, mask);
          }};
}

BoundModel image_encoder(const ImageEncoderOptions& o) {
  const auto model = std::make_shared<transformers::CLIPVisionModel>(BuildContext{o.weight_dtype}, o.architecture);
  o.storage.apply(*model);
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
  options.tile_min_height = o.tiles.size[0];
  options.tile_min_width = o.tiles.size[1];
  options.tile_stride_height = o.tiles.stride[0];
  options.tile_stride_width = o.tiles.stride[1];
  const auto model =
      shared ? std::static_pointer_cast<const AutoencoderKLWan>(std::move(shared))
             : std::make_shared<const AutoencoderKLWan>(BuildContext{o.weight_dtype}, o.architecture, options);
  return {model, [m = model.get(), o](Tracer& tracer, const RunSizes& run) {
            const ContextGuard context;
            context->attention = o.attention;
            const int64_t frames = o.frames > 0 ? o.frames : run.frames();
            Shape sizes = o.decode ? run.latent : Shape{3, frames, run.height(), run.width()};
            sizes.insert(0, o.samples > 0 ? o.samples : run.batch);
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

void check_runtime(const config::View&, const Runtime&) {}

void check_plan(const config::View& config, const ParallelPlan& p, const Architecture&) {
  if (p.one_rank()) return;
  throw config.at("plan").at(p.key()).error("plans of several ranks are not modelled for diffusers",
                                            {"runtime=official has plan.ulysses and plan.fsdp"});
}

void check_groups(const GroupViews& views, const transformers::TextEncoderArchitecture& text,
                  const transformers::ImageEncoderArchitecture& image, const VaeArchitecture&) {
  if (text.shared_pos) {
    throw views.text_encoder.at("shared_pos").error("transformers' UMT5 has a table of positions for each layer");
  }
  if (!image.pre_norm) throw views.image_encoder.at("pre_norm").error("transformers' CLIPVisionModel always has it");
}

void check_workload(const config::View& view, const Workload& w, const Architecture& a, int64_t) {
  if (w.seq_len) throw view.at("seq_len").error("diffusers does not pad the sequence");
  if (w.image_dtype) throw view.at("image_dtype").error("diffusers converts the features to the transformer's dtype");
  if (w.batch_size > 1 && a.task() == "vace") {
    throw view.at("batch_size")
        .error("diffusers' VACE pipeline makes one video (\"more than one is not yet supported\")");
  }
}

// --- what it makes of a workload -------------------------------------------------------------------------------------

// __call__: frames are rounded up to 4 n + 1 of the next multiple below ("rounding to the nearest number"), sides down
// to whole patches.
VideoSize video(const VideoSize& asked, const GeometryRules& rules, std::vector<std::string>& notes) {
  VideoSize out = asked;
  const int64_t every = rules.vae_stride[0];
  if (asked.frames % every != 1) {
    out.frames = std::max<int64_t>(asked.frames / every * every + 1, 1);
    notes.push_back(fmt::format("num_frames {} is not {}n + 1: diffusers makes {}", asked.frames, every, out.frames));
  }
  const auto whole = [&](int64_t side, int dim, const char* name) {
    const int64_t multiple = rules.vae_stride[dim] * rules.patch_size[dim], kept = side / multiple * multiple;
    if (kept == side || kept == 0) return side;
    notes.push_back(fmt::format("{} {} is not a multiple of {}: diffusers makes {}", name, side, multiple, kept));
    return kept;
  };
  out.height = whole(asked.height, 1, "height");
  out.width = whole(asked.width, 2, "width");
  return out;
}

std::string refused(const Variant& variant, const VideoSize& size) {
  if (variant.task == Task::t2i && size.frames != 1) {
    return fmt::format("{} makes one frame, not {}; allowed: workload.num_frames=1", variant.name, size.frames);
  }
  if (size.height % 16 == 0 && size.width % 16 == 0) return "";
  return fmt::format("`height` and `width` have to be divisible by 16 but are {} and {}", size.height, size.width);
}

std::string fails(const Variant& variant, const VideoSize& size) {
  if (variant.task != Task::flf2v || size.frames >= 2) return "";
  return fmt::format("a video between two given frames has at least 2, not {}", size.frames);
}

// scheduler/scheduler_config.json of the published pipelines (convert_wan_to_diffusers.py).
double shift(const Variant& variant, const VideoSize&) {
  if (variant.task == Task::flf2v) return 16.0;
  return variant.task == Task::ti2v ? 5.0 : 3.0;
}

std::vector<std::string> sampling_notes(const SamplingInputs&) { return {}; }

nlohmann::ordered_json sampling_config(const SamplingInputs& o) {
  nlohmann::ordered_json out = {{"dtype", short_name(o.model_dtype)}};
  if (o.task == Task::vace) out["control_layers"] = o.control_layers;
  if (o.reference_images > 0) out["reference_images"] = o.reference_images;
  if (o.image) out["image"] = true;
  return out;
}

// --- weight formats --------------------------------------------------------------------------------------------------

// The names of Wan's checkpoints as diffusers' (loaders/single_file_utils.py, convert_wan_transformer_to_diffusers).
std::string name_of_gguf(const std::string& name) {
  struct Renamed {
    std::string_view from, to;
  };
  static constexpr Renamed all[] = {
      {"model.diffusion_model.", ""},
      {"time_embedding.0", "condition_embedder.time_embedder.linear_1"},
      {"time_embedding.2", "condition_embedder.time_embedder.linear_2"},
      {"text_embedding.0", "condition_embedder.text_embedder.linear_1"},
      {"text_embedding.2", "condition_embedder.text_embedder.linear_2"},
      {"time_projection.1", "condition_embedder.time_proj"},
      {"img_emb.proj.1", "condition_embedder.image_embedder.ff.net.0.proj"},
      {"img_emb.proj.3", "condition_embedder.image_embedder.ff.net.2"},
      {"cross_attn", "attn2"},
      {"self_attn", "attn1"},
      {".o.", ".to_out.0."},
      {".q.", ".to_q."},
      {".k.", ".to_k."},
      {".v.", ".to_v."},
      {".k_img.", ".add_k_proj."},
      {".v_img.", ".add_v_proj."},
      {"head.head", "proj_out"},
      {"ffn.0", "ffn.net.0.proj"},
      {"ffn.2", "ffn.net.2"},
      {"before_proj", "proj_in"},
      {"after_proj", "proj_out"},
  };
  std::string out = name;
  for (const Renamed& renamed : all) {
    const size_t at = out.find(renamed.from);
    const bool done = !renamed.to.empty() && out.find(renamed.to) != std::string::npos;
    if (at == std::string::npos || done) continue;
    out.replace(at, renamed.from.size(), renamed.to);
  }
  return out;
}

const FormatSupport& formats(Role role) {
  using Kind = WeightFormatKind;
  // transformer_wan.py: _keep_in_fp32_modules, _skip_layerwise_casting_patterns; GGUF: what ComfyUI-GGUF's tools
  // leave as it is (lcpp.patch, LLM_ARCH_WAN).
  static const FormatSupport transformer = {
      "diffusers' transformer",
      {Kind::cast, Kind::scaled_mm, Kind::bnb_int8, Kind::bnb_4bit, Kind::gguf, Kind::torchao_int8, Kind::torchao_int4},
      "",
      {"rope", "time_embedder", "scale_shift_table", "norm1", "norm2", "norm3"},
      {"rope", "scale_shift_table", "patch_embedding", "condition_embedder", "norm"},
      {"condition_embedder", "patch_embedding", "vace_patch_embedding", "^proj_out"},
      true,
      name_of_gguf};
  // modeling_umt5.py: _keep_in_fp32_modules; apply_layerwise_casting()'s own patterns, and wo, whose dtype its caller
  // converts to.
  static const FormatSupport text = {"transformers' text encoder",
                                     {Kind::cast, Kind::scaled_mm, Kind::block_mm, Kind::bnb_int8, Kind::bnb_4bit,
                                      Kind::torchao_int8, Kind::torchao_int4},
                                     "",
                                     {"wo"},
                                     {"wo", "pos_embed", "patch_embed", "norm", "^proj_in", "^proj_out"},
                                     {}};
  static const FormatSupport image = {"transformers' image encoder",
                                      {Kind::cast, Kind::bnb_int8, Kind::bnb_4bit},
                                      "",
                                      {},
                                      {"pos_embed", "patch_embed", "norm", "^proj_in", "^proj_out"},
                                      {}};
  static const FormatSupport vae = {
      "the autoencoder", {}, "vae.weight_dtype=bfloat16 and float16 halve its weights", {}, {}, {}};
  switch (role) {
    case Role::transformer: return transformer;
    case Role::text_encoder: return text;
    case Role::image_encoder: return image;
    default: return vae;
  }
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
      .residencies = {Residency::all, Residency::offload, Residency::sequential, Residency::group},
      .reference_images = "reference_images",
      .gives_real_tokens = false,
      .transformer = transformer,
      .text_encoder = text_encoder,
      .image_encoder = image_encoder,
      .autoencoder = autoencoder,
      .sampling = sampling,
      .video = video,
      .refused = refused,
      .fails = fails,
      .schedulers = {Scheduler::unipc, Scheduler::dpm_solver, Scheduler::euler, Scheduler::lcm},
      .shift = shift,
      .timesteps = noise_timesteps,
      .guides = [](double scale) { return scale > 1.0; },  // do_classifier_free_guidance
      .offload = offload,
      .residents = residents,
      .loading = loading,
      .formats = formats,
      .name_classes = name_classes,
      .check_runtime = check_runtime,
      .check_plan = check_plan,
      .check_groups = check_groups,
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
