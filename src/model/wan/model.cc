#include "model/wan/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked.h"
#include "base/edit_distance.h"
#include "model/wan/encoder_stages.h"

namespace modelmeter::wan {
namespace {

const std::vector<std::string>& stage_names() {
  static const std::vector<std::string> names = {"image_encoder", "text_encoder", "vae_encode",
                                                 "sampling",      "diffusion",    "vae_decode"};
  return names;
}

Residency read_residency(const config::View& runtime, bool official) {
  const std::string name =
      runtime.has("residency") ? runtime.get_choice("residency", {"all", "offload", "sequential"}) : std::string("all");
  if (name == "sequential" && official) {
    throw runtime.at("residency")
        .error("the official code has no sequential offload", {"residency=offload is its --offload_model"});
  }
  return name == "all" ? Residency::all : name == "offload" ? Residency::offload : Residency::sequential;
}

}  // namespace

Wan2_1Model::Wan2_1Model(const config::View& config, const DataFiles& files) {
  read_metadata(config.child("hf"), files);
  const config::View transformer = config.child("transformer");
  transformer.require_known_keys({"_target_", "num_layers"});
  if (transformer.has("num_layers")) {
    architecture_.num_layers = transformer.get_positive<int64_t>("num_layers");
    notes_.push_back(fmt::format("the depth is set to {} blocks by transformer.num_layers", architecture_.num_layers));
  }

  const config::View runtime = config.child("runtime");
  runtime_ = Runtime::read(runtime);
  residency_ = read_residency(runtime, runtime_.implementation == Implementation::official);
  t5_cpu_ = runtime.get_or<bool>("t5_cpu", false);
  vae_options_.tiling = runtime.get_or<bool>("vae_tiling", false);
  if (vae_options_.tiling && runtime_.implementation == Implementation::official) {
    throw runtime.at("vae_tiling").error("the official code has no tiling", {"runtime.implementation=diffusers has"});
  }

  workload_ = Workload::read(config.child("workload"));
  architecture_.text_len = workload_.text_len;
  GeometryRules rules;
  const VaeArchitecture vae = variant_->vae();
  rules.latent_channels = vae.z_dim;
  rules.vae_stride = {vae.temporal_compression(), vae.spatial_compression, vae.spatial_compression};
  rules.patch_size = architecture_.patch_size;
  rules.rope_positions = architecture_.rope_max_seq_len;
  geometry_ = geometry({workload_.num_frames, workload_.height, workload_.width}, rules);
  // The official code lists its samples, and so does its twin.
  if (workload_.batch_size > 255 && runtime_.implementation == Implementation::official) {
    const int64_t scores = checked_mul(geometry_.tokens, geometry_.tokens, "the number of attention scores");
    checked_mul(checked_mul(scores, workload_.batch_size, "the number of FLOPs"), 4 * architecture_.dim,
                "the number of FLOPs");
    throw config.child("workload")
        .at("batch_size")
        .error(
            fmt::format("the official implementation is traced for at most 255 samples, got {}", workload_.batch_size),
            {"runtime.implementation=diffusers has no such limit"});
  }
  notes_.insert(notes_.end(), geometry_.notes.begin(), geometry_.notes.end());
  check_supported(config);

  const config::View model = config.child("model");
  model.require_known_keys({"stages"});
  if (!model.has("stages")) {
    add_diffusion();
    return;
  }
  const std::vector<config::View> wanted = model.at("stages").items();
  if (wanted.empty()) throw model.at("stages").expected("at least one stage");
  for (const config::View& stage : wanted) add_stage(stage.as<std::string>(), stage);
}

void Wan2_1Model::read_metadata(const config::View& hf, const DataFiles& files) {
  hf.require_known_keys({"model_id", "model_variant", "config_path", "variant", "notes"});
  model_id_ = hf.get<std::string>("model_id");
  model_variant_ = hf.get<std::string>("model_variant");
  model_notes_ = hf.get_or<std::string>("notes", "");
  config_path_ = files.find(hf.at("config_path"));
  const config::Node metadata = read_data_file(config_path_);
  architecture_ = read_architecture(config::View(metadata));
  variant_ = hf.has("variant") ? &variant_named(hf.at("variant")) : &variant_of(architecture_.model_type);
  known_variant_ = hf.has("variant");
  architecture_.generation = variant_->generation;
  // Wan2.2's image-to-video model has no image encoder; its config.json does not say so.
  if (variant_->generation == Generation::wan2_2) architecture_.image_dim = architecture_.pos_embed_seq_len = 0;
}

void Wan2_1Model::check_supported(const config::View& config) {
  const std::string reason = refused(*variant_, {workload_.num_frames, workload_.height, workload_.width});
  if (reason.empty() || !known_variant_) return;
  const bool allowed = config.child("runtime").get_or<bool>("allow_unsupported", false) || workload_.allow_unsupported;
  if (!allowed) {
    throw config.child("workload").error(reason, {"runtime.allow_unsupported=true turns this into a note"});
  }
  notes_.push_back("the official command line refuses this workload: " + reason);
}

void Wan2_1Model::add_stage(const std::string& name, const config::View& where) {
  const auto add_unless_image = [&](bool present, auto add) {
    if (!present) {
      throw where.error(fmt::format("{} has no {} stage", variant_->name, name));
    }
    add();
  };
  const Task task = variant_->task;
  const bool from_pixels = task == Task::i2v || task == Task::flf2v || task == Task::vace;
  if (name == "text_encoder") return add_text_encoder();
  if (name == "diffusion") return add_diffusion();
  if (name == "sampling") return add_sampling();
  if (name == "vae_decode") return add_vae(true);
  if (name == "vae_encode") return add_unless_image(from_pixels, [&] { add_vae(false); });
  if (name == "image_encoder") return add_unless_image(architecture_.image_conditioned(), [&] { add_image_encoder(); });
  throw where.error(fmt::format("there is no stage '{}'", name), name_notes(name, stage_names(), "stages"));
}

void Wan2_1Model::add_text_encoder() {
  TextEncoderStage::Options o;
  o.implementation = runtime_.implementation;
  o.attention = runtime_.attention;
  o.batch = workload_.batch_size;
  o.text_len = workload_.text_len;
  o.forwards = runtime_.cfg ? 2 : 1;
  stages_.push_back(std::make_unique<TextEncoderStage>(o));
  if (t5_cpu_) notes_.push_back("runtime.t5_cpu: the text encoder's work is counted, its memory is not on the device");
}

void Wan2_1Model::add_image_encoder() {
  ImageEncoderStage::Options o;
  o.batch = variant_->task == Task::flf2v ? 2 : 1;
  o.implementation = runtime_.implementation;
  if (runtime_.implementation == Implementation::diffusers) {
    o.attention = runtime_.attention;
    o.dtype = DType::float32;
  }
  stages_.push_back(std::make_unique<ImageEncoderStage>(o));
}

void Wan2_1Model::add_diffusion() {
  DiTWorkload w;
  w.batch = workload_.batch_size;
  w.latent = geometry_.latent;
  w.seq_len = geometry_.seq_len;
  w.text_len = workload_.text_len;
  w.prompt_tokens = workload_.prompt_tokens;
  if (variant_->task == Task::ti2v) {
    w.token_timesteps = true;
    w.timestep_dtype = DType::float32;
  }
  const auto add = [&](int64_t steps, const std::string& id) {
    w.forwards = checked_mul(steps, runtime_.cfg ? 2 : 1, "the number of forwards");
    stages_.push_back(std::make_unique<DiTStage>(architecture_, runtime_, w, id));
  };
  const int64_t steps = workload_.num_inference_steps;
  if (variant_->boundary == 0) return add(steps, "diffusion/dit");
  const int64_t high = high_noise_steps(steps, variant_->shift, variant_->boundary);
  notes_.push_back(fmt::format("{} steps by the high-noise expert, {} by the low-noise one", high, steps - high));
  if (high > 0) add(high, "diffusion/dit_high_noise");
  if (steps > high) add(steps - high, "diffusion/dit_low_noise");
}

void Wan2_1Model::add_sampling() {
  const int64_t pixels = variant_->vae().spatial_compression;
  SamplingOptions o;
  o.task = variant_->task;
  o.generation = variant_->generation;
  o.scheduler = runtime_.scheduler;
  o.guidance = runtime_.cfg;
  o.offload_model = residency_ == Residency::offload;
  o.t5_cpu = t5_cpu_;
  o.steps = workload_.num_inference_steps;
  o.batch = workload_.batch_size;
  o.latent = geometry_.latent;
  o.frames = (geometry_.latent[1] - 1) * variant_->vae().temporal_compression() + 1;
  o.height = geometry_.latent[2] * pixels;
  o.width = geometry_.latent[3] * pixels;
  o.text_len = workload_.text_len;
  o.prompt_tokens = workload_.prompt_tokens;
  o.text_dim = architecture_.text_dim;
  o.model_dtype = runtime_.weight_dtype;
  o.control_layers = static_cast<int64_t>(architecture_.vace_layers.size());
  auto stage = std::make_unique<SamplingStage>(runtime_.implementation, o);
  sampling_ = stage.get();
  stages_.push_back(std::move(stage));
  if (runtime_.implementation == Implementation::official) {
    if (!runtime_.cfg) {
      notes_.push_back("the official code always guides: what runs around the transformer is counted without guidance");
    }
    if (o.batch > 1) {
      notes_.push_back(fmt::format(
          "the official code makes one video at a time: what runs around the transformer is counted {} times",
          o.batch));
    }
  }
}

void Wan2_1Model::add_vae(bool decode) {
  VaeStage::Options o;
  o.architecture = variant_->vae();
  o.implementation = runtime_.implementation;
  o.attention = runtime_.attention;
  o.tiling = vae_options_;
  o.decode = decode;
  o.batch = workload_.batch_size;
  o.latent = geometry_.latent;
  const VaeArchitecture& a = o.architecture;
  o.frames = (geometry_.latent[1] - 1) * a.temporal_compression() + 1;
  o.height = geometry_.latent[2] * a.spatial_compression;
  o.width = geometry_.latent[3] * a.spatial_compression;
  if (!decode && variant_->task == Task::vace) o.forwards = 2;  // what is to change, and what is to stay
  const VaeStage* other = nullptr;
  for (const auto& stage : stages_) {
    if (const auto* vae = dynamic_cast<const VaeStage*>(stage.get())) other = vae;
  }
  stages_.push_back(std::make_unique<VaeStage>(o, other));
}

Residents Wan2_1Model::residents(const Stage& running) const {
  const ResidencyRules rules = {runtime_.implementation, residency_, t5_cpu_, variant_->generation, variant_->task};
  const std::vector<Residents> all = residents_by_stage(stages_, rules);
  size_t at = 0;
  while (stages_[at].get() != &running) ++at;
  return all[at];
}

int64_t Wan2_1Model::held_bytes(const Stage& running) const {
  return sampling_ == nullptr ? 0 : sampling_->held_while(running);
}

}  // namespace modelmeter::wan
