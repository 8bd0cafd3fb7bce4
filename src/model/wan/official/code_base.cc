#include "model/wan/official/code_base.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked.h"
#include "model/wan/official/autoencoder.h"
#include "model/wan/official/clip.h"
#include "model/wan/official/dit2_2.h"
#include "model/wan/official/flow_scheduler.h"
#include "model/wan/official/generate.h"
#include "model/wan/official/t5.h"
#include "model/wan/official/vace.h"
#include "model/wan/runtime.h"
#include "model/wan/workload.h"

namespace modelmeter::wan::official {
namespace {

// --- models with their inputs ----------------------------------------------------------------------------------------

DiTInputs inputs_of(Tracer& tracer, const TransformerOptions& o, const RunSizes& run) {
  const Architecture& a = o.architecture;
  const Shape l = o.latent(run);
  DiTInputs in;
  for (int64_t i = 0; i < run.batch; ++i) {
    in.x.push_back(tracer.input(l, DType::float32));
    const int64_t tokens = o.prompts.empty() ? run.prompt_tokens : o.prompts[static_cast<size_t>(i)];
    in.context.push_back(tracer.input({tokens, a.text_dim}, o.text_dtype));
    if (const int64_t condition = a.in_dim - l[0]; condition > 0) {
      in.y.push_back(tracer.input({condition, l[1], l[2], l[3]}, DType::float32));
    }
    if (a.vace_in_dim > 0) in.vace_context.push_back(tracer.input({a.vace_in_dim, l[1], l[2], l[3]}, DType::float32));
  }
  const Shape& p = a.patch_size;
  in.seq_len = run.seq_len > 0 ? run.seq_len : l[1] / p[0] * (l[2] / p[1]) * (l[3] / p[2]);
  in.t = tracer.input(o.token_timesteps ? Shape{run.batch, in.seq_len} : Shape{run.batch}, o.timestep_dtype);
  if (a.image_conditioned()) {
    in.clip_fea = tracer.input({run.batch * a.images(), o.image_tokens, a.image_dim}, o.image_dtype);
  }
  return in;
}

// What FSDP's root does with its arguments: tensors of floating point come in the dtype of its parameters.
void cast_inputs(DiTInputs& in, DType dtype) {
  for (Tensor& x : in.x) x = torch::to(x, dtype);
  if (is_floating_point(in.t.dtype())) in.t = torch::to(in.t, dtype);
  for (Tensor& text : in.context) text = torch::to(text, dtype);
  for (Tensor& control : in.vace_context) control = torch::to(control, dtype);
  if (in.clip_fea.defined()) in.clip_fea = torch::to(in.clip_fea, dtype);
  for (Tensor& y : in.y) y = torch::to(y, dtype);
}

template <class Model>
BoundModel bind_transformer(const TransformerOptions& o) {
  const auto model = std::make_shared<const Model>(BuildContext{o.weight_dtype, o.parallel}, o.architecture);
  return {model, [m = model.get(), o](Tracer& tracer, const RunSizes& run) {
            const ContextGuard context;
            context->attention = o.attention;
            context->rank = o.rank;
            AutocastGuard autocast(o.autocast.dtype, o.autocast.enabled);
            DiTInputs in = inputs_of(tracer, o, run);
            if (o.casts_inputs) cast_inputs(in, o.weight_dtype);
            (*m)(in);
          }};
}

BoundModel transformer(const TransformerOptions& o) {
  if (o.architecture.generation == Generation::wan2_2) return bind_transformer<WanModel2_2>(o);
  return o.architecture.vace_layers.empty() ? bind_transformer<WanModel>(o) : bind_transformer<VaceWanModel>(o);
}

BoundModel text_encoder(const TextEncoderOptions& o) {
  const auto model = std::make_shared<const T5Encoder>(BuildContext{o.weight_dtype}, o.architecture);
  return {model, [m = model.get(), o](Tracer& tracer, const RunSizes& run) {
            const ContextGuard context;
            context->attention = o.attention;
            const Tensor ids = tracer.input({run.batch, o.text_len}, DType::int64);
            const Tensor mask = tracer.input({run.batch, o.text_len}, DType::int64);
            (*m)(ids, mask);
          }};
}

BoundModel image_encoder(const ImageEncoderOptions& o) {
  const auto model = std::make_shared<const VisionTransformer>(BuildContext{o.weight_dtype}, o.architecture);
  return {model, [m = model.get(), o](Tracer& tracer, const RunSizes&) {
            const ContextGuard context;
            context->attention = o.attention;
            AutocastGuard autocast(o.weight_dtype);
            const int64_t side = o.architecture.image_size;
            const Tensor images = tracer.input({o.batch, 3, side, side}, DType::float32);
            (*m)(images);
          }};
}

BoundModel autoencoder(const AutoencoderOptions& o, std::shared_ptr<const BaseLayer> shared) {
  const auto model = shared ? std::static_pointer_cast<const WanVAE>(std::move(shared))
                            : std::make_shared<const WanVAE>(BuildContext{o.weight_dtype}, o.architecture);
  return {model, [m = model.get(), o](Tracer& tracer, const RunSizes& run) {
            const ContextGuard context;
            context->attention = o.attention;
            const int64_t frames = o.frames > 0 ? o.frames : run.frames();
            const Shape sample = o.decode ? run.latent : Shape{3, frames, run.height(), run.width()};
            TensorList samples;
            for (int64_t i = 0; i < (o.samples > 0 ? o.samples : run.batch); ++i)
              samples.push_back(tracer.input(sample, DType::float32));
            if (o.decode) {
              m->decode(samples);
            } else {
              m->encode(samples);
            }
          }};
}

BoundModel sampling(const SamplingOptions& o) {
  const auto model = std::make_shared<const Generate>(o);
  return {model, [m = model.get()](Tracer&, const RunSizes& run) {
            AutocastGuard autocast(DType::bfloat16);
            (*m)(run);
          }};
}

// --- what it does not have -------------------------------------------------------------------------------------------

void check_runtime(const config::View& view, const Runtime& r) {
  if (view.get<std::string>("attention") == "sdpa") {
    throw view.at("attention")
        .error("the official code runs flash_attn; scaled_dot_product_attention is what diffusers runs",
               {"attention=flash; or runtime=diffusers"});
  }
  if (r.attention == AttentionKernel::math) {
    throw view.at("attention")
        .error("the official code runs flash attention only", {"runtime.implementation=diffusers has both kernels"});
  }
  if (r.residency == Residency::sequential || r.residency == Residency::group) {
    throw view.at("residency")
        .error(fmt::format("the official code has no {} offload", name_of(r.residency)),
               {"residency=offload is its --offload_model"});
  }
  if (!r.device_map.empty()) {
    throw view.at("device_map").error("the official code has no device_map", {"runtime.implementation=diffusers has"});
  }
  for (const auto& [key, set] : {std::pair("vae_tiling", r.vae_tiling), std::pair("vae_slicing", r.vae_slicing)}) {
    if (!set) continue;
    const std::string what = std::string(key).substr(4);
    throw view.at(key).error("the official code has no " + what, {"runtime.implementation=diffusers has"});
  }
}

// generate.py: --ulysses_size is the number of ranks or 1, but for Wan2.1's --ring_size; --dit_fsdp and --t5_fsdp.
void check_plan(const config::View& config, const ParallelPlan& p, const Architecture& a) {
  if (p.one_rank()) return;
  const config::View plan = config.at("plan");
  const auto refuse = [&](const char* key, const std::string& why) { throw plan.at(key).error(why); };
  if (p.degrees.ring > 1 && a.generation == Generation::wan2_1) refuse("ring", "ring attention is not modelled yet");
  if (p.degrees.ring > 1) refuse("ring", "Wan2.2's official code has no ring attention");
  if (p.degrees.cfg > 1) refuse("cfg_parallel", "the official code runs both branches of guidance on every rank");
  if (p.degrees.ulysses > 1 && p.degrees.ulysses != p.world_size) {
    refuse("world_size", fmt::format("generate.py has as many ranks as --ulysses_size, {}", p.degrees.ulysses));
  }
  check_divides(plan, "ulysses", a.num_heads, "attention heads");
  const config::View runtime = config.child("runtime");
  if (p.fsdp_text_encoder && runtime.get_or<bool>("t5_cpu", false)) {
    throw runtime.at("t5_cpu").error("a text encoder on the CPU is not cut over ranks", {"plan.fsdp=transformer"});
  }
  if (runtime.has("residency") && runtime.get<std::string>("residency") != "all") {
    throw runtime.at("residency")
        .error("of several ranks the models stay on their devices", {"generate.py makes offload_model false there"});
  }
  if (runtime.get_or<int64_t>("block_swap", 0) > 0) {
    throw runtime.at("block_swap").error("swapped blocks of several ranks are not modelled");
  }
}

// vae.py has one width for encoder and decoder, vae2_2.py patches of 2 x 2 pixels: constants there.
void check_groups(const GroupViews& views, const transformers::TextEncoderArchitecture&,
                  const transformers::ImageEncoderArchitecture&, const VaeArchitecture& vae) {
  const auto place = [&](std::initializer_list<const char*> keys) {
    for (const char* key : keys) {
      if (views.vae.has(key)) return views.vae.at(key);
    }
    return views.vae;
  };
  if (!vae.is_residual && vae.decoder_dim != vae.dim) {
    throw place({"dec_dim", "decoder_base_dim"}).error("Wan2.1's autoencoder has one width, dim");
  }
  if (!vae.is_residual && vae.dim_mult.size() > 4) {
    throw place({"dim_mult"}).error("vae.py's decoder fits four levels: it halves the width of three");
  }
  const int64_t patch = vae.is_residual ? 2 : 1;
  if (vae.patch_size == patch) return;
  throw place({"patch_size", "is_residual"})
      .error(fmt::format("{}'s autoencoder has patches of {}", vae.is_residual ? "Wan2.2" : "Wan2.1", patch));
}

// --- what it makes of a workload -------------------------------------------------------------------------------------

VideoSize video(const VideoSize& asked, const GeometryRules&, std::vector<std::string>&) { return asked; }

std::string refused(const Variant& variant, const VideoSize& size) {
  if (variant.task == Task::flf2v && size.frames != 81) {
    return fmt::format("first_last_frame2video.py has a mask of 81 frames, whatever is asked; not {}", size.frames);
  }
  return refused_by_generate(variant, size);
}

std::string fails(const Variant& variant, const VideoSize& size) {
  if (variant.task == Task::flf2v && size.frames < 3) {
    return fmt::format("a video between two given frames has at least 3, not {}", size.frames);
  }
  if ((variant.task == Task::i2v || variant.task == Task::flf2v) && size.frames % 4 != 1) {
    return fmt::format("the mask of {} frames does not divide into latent frames of 4; 4n + 1 do", size.frames);
  }
  return "";
}

// generate.py of Wan2.1 (_validate_args) and the configs of Wan2.2 (sample_shift).
double shift(const Variant& variant, const VideoSize& size) {
  if (variant.name == "t2v-A14B") return 12.0;
  if (variant.generation == Generation::wan2_2) return 5.0;
  const bool small = std::min(size.height, size.width) == 480 && std::max(size.height, size.width) == 832;
  if (variant.task == Task::i2v && small) return 3.0;
  return variant.task == Task::flf2v || variant.task == Task::vace ? 16.0 : 5.0;
}

// The code lists its samples, and so does its twin.
void check_workload(const config::View& view, const Workload& w, const Architecture& a, int64_t tokens) {
  if (w.batch_size > 255) {
    const int64_t scores = checked_mul(tokens, tokens, "the number of attention scores");
    checked_mul(checked_mul(scores, w.batch_size, "the number of FLOPs"), 4 * a.dim, "the number of FLOPs");
    throw view.at("batch_size")
        .error(fmt::format("the official implementation is traced for at most 255 samples, got {}", w.batch_size),
               {"runtime.implementation=diffusers has no such limit"});
  }
  if (w.token_timesteps.value_or(false) && a.generation == Generation::wan2_1) {
    throw view.at("token_timesteps").error("Wan2.1's official code takes a time step per sample, not per token");
  }
  if (w.seq_len && *w.seq_len < tokens) {
    throw view.at("seq_len").error(fmt::format("{} tokens do not fit into seq_len {}", tokens, *w.seq_len));
  }
}

std::vector<std::string> sampling_notes(const SamplingInputs& o) {
  std::vector<std::string> out;
  if (!o.guidance) {
    out.emplace_back("the official code always guides: what runs around the transformer is counted without guidance");
  }
  if (o.batch > 1) {
    out.push_back(fmt::format(
        "the official code makes one video at a time: what runs around the transformer is counted {} times", o.batch));
  }
  return out;
}

nlohmann::ordered_json sampling_config(const SamplingInputs& o) {
  nlohmann::ordered_json out = {{"offload_model", o.offload_model()}, {"t5_cpu", o.t5_cpu}};
  if (o.reference_images > 0) out["src_ref_images"] = o.reference_images;
  if (o.image) out["image"] = true;
  return out;
}

const FormatSupport& formats(Role role) {
  static const std::string other = "runtime.implementation=diffusers has formats";
  static const FormatSupport transformer = {"the official code's transformer", {}, other, {}, {}, {}};
  static const FormatSupport text = {"the official code's text encoder", {}, other, {}, {}, {}};
  static const FormatSupport image = {"the official code's image encoder", {}, other, {}, {}, {}};
  static const FormatSupport vae = {"the official code's autoencoder", {}, "", {}, {}, {}};
  switch (role) {
    case Role::transformer: return transformer;
    case Role::text_encoder: return text;
    case Role::image_encoder: return image;
    default: return vae;
  }
}

void name_classes(const VaeArchitecture& vae, ReportNames& names) {
  names.class_prefix = "wan.modules.model.";
  names.stage_class_prefix = {{"text_encoder/", "wan.modules.t5."},
                              {"image_encoder/", "wan.modules.clip."},
                              {"vae/", vae.is_residual ? "wan.modules.vae2_2." : "wan.modules.vae."}};
  names.class_modules = {{"VaceWanModel", "wan.modules.vace_model"},
                         {"VaceWanAttentionBlock", "wan.modules.vace_model"},
                         {"BaseWanAttentionBlock", "wan.modules.vace_model"},
                         {"WanT2V", "wan.text2video"},
                         {"WanI2V", "wan.image2video"},
                         {"WanFLF2V", "wan.first_last_frame2video"},
                         {"WanVace", "wan.vace"},
                         {"WanTI2V", "wan.textimage2video"}};
}

}  // namespace

const CodeBase& code_base() {
  static const CodeBase record = {
      .name = "official",
      .encoders_from = "official",
      .text_encoder_attention = "explicit",
      .names_generation = true,
      .key_names = KeyNames::original,
      .transformer_dtype = DType::float32,
      .text_encoder_dtype = DType::bfloat16,
      .image_encoder_dtype = DType::float16,
      .autocasts = true,
      .pads_sequence = true,
      .autoencoder_in_float32 = true,
      .lists_samples = true,
      .one_video_at_a_time = true,
      .residencies = {Residency::all, Residency::offload},
      .reference_images = "src_ref_images",
      .gives_real_tokens = true,
      .transformer = transformer,
      .text_encoder = text_encoder,
      .image_encoder = image_encoder,
      .autoencoder = autoencoder,
      .sampling = sampling,
      .video = video,
      .refused = refused,
      .fails = fails,
      .schedulers = {Scheduler::unipc, Scheduler::dpm_solver},
      .shift = shift,
      .timesteps = noise_timesteps,
      .guides = [](double) { return true; },
      .offload = [](Role role, Residency, const Runtime& r) { return block_swap(role, r); },
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
      .recorded_roots = {{"WanModel", Role::transformer},
                         {"VaceWanModel", Role::transformer},
                         {"T5Encoder", Role::text_encoder},
                         {"VisionTransformer", Role::image_encoder},
                         {"WanVAE_", Role::autoencoder},
                         {"WanT2V", Role::sampling},
                         {"WanI2V", Role::sampling},
                         {"WanFLF2V", Role::sampling},
                         {"WanVace", Role::sampling},
                         {"WanTI2V", Role::sampling}},
  };
  return record;
}

}  // namespace modelmeter::wan::official
