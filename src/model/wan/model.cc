#include "model/wan/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/checked.h"
#include "base/edit_distance.h"
#include "model/wan/groups.h"

namespace modelmeter::wan {
namespace {

constexpr DType fsdp_dtype = DType::bfloat16;  // shard_model()'s param_dtype

const std::vector<std::string>& stage_names() {
  static const std::vector<std::string> names = {"image_encoder", "text_encoder", "vae_encode",
                                                 "sampling",      "diffusion",    "vae_decode"};
  return names;
}

}  // namespace

Wan2_1Model::Wan2_1Model(const config::View& config, const DataFiles& files)
    : metadata_(Metadata::read(config.child("hf"), files)),
      variant_(metadata_.variant),
      architecture_(metadata_.architecture),
      notes_(metadata_.notes) {
  read_transformer(config.child("transformer"));
  const config::View runtime = config.child("runtime");
  runtime_ = Runtime::read(runtime);
  plan_ = ParallelPlan::read(config);
  runtime_.code_base->check_plan(config, plan_, architecture_);
  workload_ = Workload::read(config.child("workload"));
  architecture_.text_len = workload_.text_len;

  const config::View model = config.child("model");
  model.require_known_keys({"stages"});
  if (model.has("stages")) {
    wanted_ = model.get<std::vector<std::string>>("stages");
    if (wanted_.empty()) throw model.at("stages").expected("at least one stage");
    if (std::set<std::string>(wanted_.begin(), wanted_.end()).size() != wanted_.size()) {
      throw model.at("stages").error("a stage is named twice");
    }
  } else {
    wanted_ = {"diffusion"};
  }
  check_images(config.child("workload"));
  if (metadata_.has_transformer && runs("diffusion")) check_blocks(config);
  check_block_swap(config.child("runtime"));
  read_groups(config, files);
  read_rules();
  if (metadata_.has_transformer && metadata_.known_variant) check_channels(config);
  read_sizes(config);
  check_supported(config.child("workload"));
  check_sizes(config);
  check_experts(runtime);
  check_tiles(runtime);
  note_format(files);
  note_plan();
  for (const std::string& stage : wanted_) {
    config::View where = model;
    for (const config::View& item : model.has("stages") ? model.at("stages").items() : std::vector<config::View>()) {
      if (item.as<std::string>() == stage) where = item;
    }
    add_stage(stage, where);
  }
}

// Rank 0 alone decodes: `if self.rank == 0` in the official code.
void Wan2_1Model::note_plan() {
  if (plan_.one_rank()) return;
  notes_.push_back(fmt::format("plan: {}; all figures are this rank's", plan_.to_string()));
  if (plan_.fsdp()) {
    notes_.emplace_back(
        "plan.fsdp: weights are listed whole, as they are gathered in bfloat16; `modelmeter memory` says what of them this "
        "rank holds");
  }
  if (plan_.rank == 0 || !runs("vae_decode") || wanted_.size() == 1) return;
  wanted_.erase(std::find(wanted_.begin(), wanted_.end(), "vae_decode"));
  notes_.push_back(fmt::format("plan.rank={}: rank 0 alone decodes", plan_.rank));
  if (runs("vae_encode")) return;
  const BoundModel vae = runtime_.code_base->autoencoder(vae_options(true), nullptr);
  idle_vae_bytes_ = vae.layer->parameter_bytes() + vae.layer->buffer_bytes();
}

// --- reading ---------------------------------------------------------------------------------------------------------

void Wan2_1Model::read_rules() {
  rules_.latent_channels = vae_.z_dim > 0 ? vae_.z_dim : variant_->latent_channels();
  rules_.vae_stride = variant_->vae_stride();
  if (!vae_.dim_mult.empty()) {
    rules_.vae_stride = {vae_.temporal_compression(), vae_.spatial_compression(), vae_.spatial_compression()};
  }
  rules_.patch_size = architecture_.patch_size;
  rules_.rope_positions = architecture_.rope_max_seq_len;
  rules_.reference_frames = workload_.reference_images;
  rules_.sequence_parallel = plan_.degrees.ulysses;
}

void Wan2_1Model::read_sizes(const config::View& config) {
  if (workload_.latent.rank() == 0) {
    video_ = runtime_.code_base->video({workload_.num_frames, workload_.height, workload_.width}, rules_, notes_);
    geometry_ = geometry(video_, rules_);
  } else {
    // An autoencoder alone takes what does not divide into patches.
    if (!metadata_.has_transformer && !runs("sampling")) rules_.patch_size = {1, 1, 1};
    video_ = video_of_latent(workload_.latent, rules_);
    geometry_ = geometry_of_latent(workload_.latent, rules_);
  }
  const config::View workload = config.child("workload");
  runtime_.code_base->check_workload(workload, workload_, architecture_, geometry_.tokens);
  if (!workload_.prompts.empty() && runtime_.code_base->one_video_at_a_time && runs("sampling")) {
    throw workload.at("prompt_tokens")
        .error(fmt::format("{}'s pipeline makes one video after another: each prompt is a run of its own",
                           runtime_.code_base->name),
               {"workload.batch_size=1 and workload.prompt_tokens=N, once for each"});
  }
  if (workload_.seq_len && *workload_.seq_len % rules_.sequence_parallel != 0) {
    throw workload.at("seq_len").error(
        fmt::format("{} tokens do not divide by {} ranks", *workload_.seq_len, rules_.sequence_parallel),
        {"generate.py pads them to a multiple of --ulysses_size"});
  }
  run_ = run_sizes(workload_, geometry_, runtime_.residency);
  notes_.insert(notes_.end(), geometry_.notes.begin(), geometry_.notes.end());
}

// --- what does not go together ---------------------------------------------------------------------------------------

void Wan2_1Model::check_blocks(const config::View& config) const {
  if (variant_->task == Task::vace && (architecture_.vace_layers.empty() || architecture_.vace_in_dim == 0)) {
    throw config.at("hf").error(fmt::format("{} needs vace_layers and vace_in_dim in the metadata", variant_->name));
  }
  if (architecture_.vace_layers.empty() || architecture_.vace_layers.back() < architecture_.num_layers) return;
  throw config.at(config.has("transformer") ? "transformer" : "hf")
      .error(fmt::format("of {} blocks number {} is to have a VACE block beside it", architecture_.num_layers,
                         architecture_.vace_layers.back()),
             {"transformer.vace_layers=[0,...] says which have one"});
}

void Wan2_1Model::check_block_swap(const config::View& runtime) {
  if (runtime_.record_stream) {
    notes_.emplace_back(
        "runtime.group_offload.record_stream: a group's memory is free again once its kernels have run; what is "
        "reserved is the most that may be, as if the host were 1,024 launches ahead of them all the time");
  }
  const int64_t swapped = runtime_.block_swap;
  if (swapped == 0) return;
  if (!runs("diffusion")) {
    throw runtime.at("block_swap").error("blocks of the transformer are swapped, and this run has none");
  }
  if (swapped > architecture_.num_layers) {
    throw runtime.at("block_swap")
        .error(
            fmt::format("{} blocks are to be swapped, and the transformer has {}", swapped, architecture_.num_layers));
  }
  notes_.push_back(fmt::format(
      "runtime.block_swap: blocks are swapped as ComfyUI-WanVideoWrapper does it; {} itself has no such setting",
      runtime_.code_base->name));
}

bool Wan2_1Model::runs(const char* stage) const {
  return std::find(wanted_.begin(), wanted_.end(), stage) != wanted_.end();
}

bool Wan2_1Model::around_transformer() const { return runs("sampling") || runs("vae_encode"); }

// Images of the workload, by the names that the code bases have for them.
void Wan2_1Model::check_images(const config::View& workload) {
  const CodeBase& code = *runtime_.code_base;
  for (const char* key : {"src_ref_images", "reference_images"}) {
    if (!workload.has(key)) continue;
    if (key != code.reference_images) {
      throw workload.at(key).error(fmt::format("{} calls them {}", code.name, code.reference_images),
                                   {fmt::format("workload.{}={}", code.reference_images, workload_.reference_images)});
    }
    if (workload_.reference_images > 0 && variant_->task != Task::vace) {
      throw workload.at(key).error(fmt::format("{} takes no reference images; VACE's models do", variant_->name));
    }
  }
  if (!workload_.image) return;
  const bool always = variant_->task == Task::i2v || variant_->task == Task::flf2v;
  if (always && !*workload_.image) throw workload.at("image").error(variant_->name + " always goes on from an image");
  if (always || !*workload_.image) return;
  if (variant_->task != Task::ti2v) throw workload.at("image").error(variant_->name + " takes no image");
  if (!runs("sampling") || !runs("vae_decode") || runs("vae_encode")) return;
  wanted_.insert(std::find(wanted_.begin(), wanted_.end(), "sampling"), "vae_encode");
  notes_.emplace_back("workload.image: the image is encoded, too (vae_encode)");
}

bool Wan2_1Model::from_one_image() const { return variant_->task == Task::ti2v && workload_.image.value_or(false); }

bool Wan2_1Model::has_image_encoder() const {
  if (metadata_.has_transformer) return architecture_.image_conditioned();
  const bool from_image = variant_->task == Task::i2v || variant_->task == Task::flf2v;
  return from_image && architecture_.generation == Generation::wan2_1;
}

// What the transformer takes: the latent; with an image the latent, the mask of frames (a channel for each of those
// that one latent frame stands for) and the image's latent. VACE's control: two latents and the mask's pixels of a
// latent.
void Wan2_1Model::check_channels(const config::View& config) const {
  const Architecture& a = architecture_;
  const config::View hf = config.child("hf");
  const config::View at = hf.has("config") ? hf.at("config") : hf.at("config_path");
  const int64_t z = rules_.latent_channels, pixels = rules_.vae_stride[1] * rules_.vae_stride[2];
  const bool from_image = variant_->task == Task::i2v || variant_->task == Task::flf2v;
  const config::View vae = group_or_none(config, "vae");
  // The published transformer with another autoencoder: the group is what is wrong.
  if (a.out_dim == variant_->latent_channels() && z != a.out_dim) {
    throw(vae.has("z_dim") ? vae.at("z_dim") : vae)
        .error(fmt::format("the autoencoder's latents have {} channels, but the transformer gives {}", z, a.out_dim),
               {fmt::format("vae={} is the one of {}", variant_->second_vae ? "wan2_2" : "wan2_1", variant_->name)});
  }
  const auto require = [&](const char* what, int64_t size, int64_t wanted, const char* made_of) {
    if (size == wanted) return;
    throw at.error(fmt::format("the transformer {} {} channels, but the autoencoder's latents have {}: {} takes {}{}",
                               what, size, z, variant_->name, wanted, made_of));
  };
  require("gives", a.out_dim, z, "");
  require("takes", a.in_dim, from_image ? 2 * z + rules_.vae_stride[0] : z,
          from_image ? ", the latent, the image's latent and a mask" : "");
  if (variant_->task == Task::vace) {
    require("takes a control of", a.vace_in_dim, 2 * z + pixels, ", two latents and a mask");
  }
}

void Wan2_1Model::note_format(const DataFiles& files) {
  const CodeBase& code = *runtime_.code_base;
  const bool own =
      !files.root.empty() && metadata_.config_path.compare(0, files.root.size() + 1, files.root + "/") == 0;
  if (metadata_.config_path.empty() || own || architecture_.format == code.key_names) return;
  notes_.push_back(fmt::format("config.json is in {} format; it is modelled as {} runs it, by runtime.implementation",
                               architecture_.format == KeyNames::original ? "the official code's" : "diffusers'",
                               code.name));
}

// Sizes that were set and that the models around them do not fit.
void Wan2_1Model::check_sizes(const config::View& config) const {
  const auto require = [](const config::View& node, const std::string& what, int64_t size, int64_t wanted) {
    if (size == wanted) return;
    throw node.error(fmt::format("{} is {}, but the transformer's is {}", what, size, wanted));
  };
  const Architecture& a = architecture_;
  const config::View workload = config.child("workload");
  const bool vae_runs = runs("vae_encode") || runs("vae_decode");
  if (metadata_.has_transformer) {
    if (workload.has("latent"))
      require(workload.at("latent"), "the number of channels", geometry_.latent[0], a.out_dim);
    const config::View vae = group_or_none(config, "vae");
    if (vae.has("z_dim")) require(vae.at("z_dim"), "the number of latent channels", vae_.z_dim, a.out_dim);
  }
  if (vae_runs && geometry_.latent[0] != vae_.z_dim) {
    throw workload.at("latent").error(fmt::format("the autoencoder's latents have {} channels", vae_.z_dim));
  }
  // An option file's width matters where the text encoder runs; one that somebody typed does anyway.
  const config::View text = group_or_none(config, "text_encoder");
  for (const char* key : {"dim", "d_model"}) {
    if (!metadata_.has_transformer || !text.has(key)) continue;
    if (!runs("text_encoder") && !is_typed(text.at(key).node())) continue;
    require(text.at(key), "the width of the text", text_encoder_.architecture.dim, a.text_dim);
  }
  const config::View image = group_or_none(config, "image_encoder");
  const transformers::ImageEncoderArchitecture& encoder = image_encoder_.architecture;
  if (metadata_.has_transformer && a.image_conditioned()) {
    require(image, "the width of the image encoder", encoder.dim, a.image_dim);
    if (a.pos_embed_seq_len > 0) {
      require(image, "the number of image tokens", 2 * encoder.tokens(), a.pos_embed_seq_len);
    }
  }
  if (runs("sampling") && rules_.vae_stride != variant_->vae_stride()) {
    throw group_or_none(config, "vae").error("the sampling code is written for the compression of the published one");
  }
}

void Wan2_1Model::check_supported(const config::View& workload) {
  if (!metadata_.known_variant) return;
  const CodeBase& code = *runtime_.code_base;
  if (around_transformer()) {
    if (const std::string reason = code.fails(*variant_, video_); !reason.empty()) {
      throw(workload.has("num_frames") ? workload.at("num_frames") : workload)
          .error(fmt::format("{}'s code fails: {}", code.name, reason));
    }
  }
  const std::string reason = code.refused(*variant_, video_);
  if (reason.empty()) return;
  if (!runtime_.allow_unsupported && !workload_.allow_unsupported) {
    throw workload.error(reason, {"runtime.allow_unsupported=true turns this into a note"});
  }
  notes_.push_back(fmt::format("{} refuses this workload: {}",
                               code.name == "official" ? "the official command line" : "diffusers' pipeline", reason));
}

// A tile and a stride of at least one latent.
void Wan2_1Model::check_tiles(const config::View& runtime) const {
  const int64_t latent = rules_.vae_stride[1];
  for (const auto& [key, sizes] :
       {std::pair("vae_tile_size", runtime_.tiles.size), std::pair("vae_tile_stride", runtime_.tiles.stride)}) {
    if (!runtime_.vae_tiling || std::min(sizes[0], sizes[1]) >= latent) continue;
    throw(runtime.has(key) ? runtime.at(key) : runtime).expected(fmt::format("at least {} pixels, one latent", latent));
  }
}

void Wan2_1Model::check_experts(const config::View& runtime) const {
  if (runtime_.step_cache > 0 && !architecture_.vace_layers.empty()) {
    throw runtime.at("step_cache").error("caches between steps of VACE's blocks are not modelled");
  }
  for (const char* key : {"boundary", "expert_steps"}) {
    if (!runtime.has(key) || variant_->boundary > 0 || metadata_.boundary) continue;
    throw runtime.at(key).error(fmt::format("{} has one transformer, not two experts", variant_->name));
  }
  const std::vector<int64_t>& steps = runtime_.expert_steps;
  if (!steps.empty() && steps[0] + steps[1] != workload_.num_inference_steps) {
    throw runtime.at("expert_steps")
        .error(fmt::format("{} + {} steps are not workload.num_inference_steps, {}", steps[0], steps[1],
                           workload_.num_inference_steps));
  }
}

// --- stages ----------------------------------------------------------------------------------------------------------

void Wan2_1Model::add_stage(const std::string& name, const config::View& where) {
  const auto add_unless_image = [&](bool present, auto add_it) {
    if (!present) {
      throw where.error(fmt::format("{} has no {} stage", variant_->name, name));
    }
    add_it();
  };
  const Task task = variant_->task;
  const bool from_pixels = task == Task::i2v || task == Task::flf2v || task == Task::vace || from_one_image();
  if (name == "text_encoder") return add_text_encoder();
  if (name == "diffusion") {
    if (!metadata_.has_transformer) throw where.error("hf.config_path or hf.config must say which transformer");
    return add_diffusion();
  }
  if (name == "sampling") return add_sampling();
  if (name == "vae_decode") return add_vae(true);
  if (name == "vae_encode") return add_unless_image(from_pixels, [&] { add_vae(false); });
  if (name == "image_encoder") return add_unless_image(has_image_encoder(), [&] { add_image_encoder(); });
  throw where.error(fmt::format("there is no stage '{}'", name), name_notes(name, stage_names(), "stages"));
}

void Wan2_1Model::add(Role role, std::string id, BoundModel model, StageOrigin origin,
                      std::function<int64_t(const RunSizes&)> forwards) {
  WanStageOptions options{role, std::move(id)};
  options.origin = std::move(origin);
  options.depends_on = dependences(role, *runtime_.code_base, rules_.patch_size, runtime_.vae_tiling);
  options.forwards = std::move(forwards);
  if (const std::optional<Offload> cut = fsdp(role)) {
    options.offload = [cut](Residency) { return *cut; };
  } else if (role != Role::text_encoder || !runtime_.t5_cpu) {
    options.offload = [this, role](Residency residency) {
      return runtime_.code_base->offload(role, residency, runtime_);
    };
  }
  stages_.push_back(std::make_unique<WanStage>(std::move(options), std::move(model), run_));
}

// How a model is cut over the ranks, as wan/distributed/fsdp.py wraps it; nothing of one that is not.
std::optional<Offload> Wan2_1Model::fsdp(Role role) const {
  const bool transformer = role == Role::transformer && plan_.fsdp_transformer;
  const bool text = role == Role::text_encoder && plan_.fsdp_text_encoder;
  if (!transformer && !text) return std::nullopt;
  Offload out;
  out.kind = Offload::Kind::fsdp;
  out.rank = plan_.process();
  out.shard_dtype = transformer ? runtime_.weight_dtype : text_encoder_.weight_dtype;
  return out;
}

RunSizes Wan2_1Model::run_sizes(const Workload& w, const Geometry& g, Residency residency) const {
  RunSizes out;
  out.batch = w.batch_size;
  out.latent = g.latent;
  out.temporal_compression = rules_.vae_stride[0];
  out.spatial_compression = rules_.vae_stride[1];
  out.seq_len = w.seq_len.value_or(rules_.sequence_parallel > 1 ? g.seq_len : 0);
  out.prompt_tokens = w.prompt_tokens;
  out.steps = w.num_inference_steps;
  out.high_noise_steps = high_noise_steps(out.steps, video_of_latent(g.latent, rules_));
  out.residency = static_cast<int64_t>(residency);
  return out;
}

void Wan2_1Model::add_text_encoder() {
  TextEncoderOptions options = text_encoder_;
  if (plan_.fsdp_text_encoder) options.weight_dtype = fsdp_dtype;
  add(Role::text_encoder, "text_encoder/umt5", runtime_.code_base->text_encoder(options), {runtime_.code_base, options},
      [cfg = runtime_.cfg](const RunSizes&) { return cfg ? 2 : 1; });
  for (std::string& note : text_encoder_.storage.notes(stages_.back()->layer())) notes_.push_back(std::move(note));
  if (runtime_.t5_cpu) {
    notes_.push_back("runtime.t5_cpu: the text encoder's work is counted, its memory is not on the device");
  }
}

void Wan2_1Model::add_image_encoder() {
  add(Role::image_encoder, "image_encoder/clip", runtime_.code_base->image_encoder(image_encoder_),
      {runtime_.code_base, image_encoder_});
  for (std::string& note : image_encoder_.storage.notes(stages_.back()->layer())) notes_.push_back(std::move(note));
}

// Of the first forward there is nothing to reuse.
int64_t Wan2_1Model::skipped_of(int64_t forwards, double share) {
  return std::clamp<int64_t>(std::llround(static_cast<double>(forwards) * share), 0,
                             std::max<int64_t>(forwards - 1, 0));
}

// Whether the step cache leaves out any: of the model or the high-noise expert, of the low-noise one.
std::pair<bool, bool> Wan2_1Model::skips(const RunSizes& run) const {
  const int64_t branches = runtime_.cfg ? 2 : 1;
  const bool experts = boundary() != 0;
  const int64_t first = experts ? run.high_noise_steps : run.steps, second = experts ? run.steps - first : 0;
  return {skipped_of(first * branches, runtime_.step_cache) > 0,
          skipped_of(second * branches, runtime_.step_cache) > 0};
}

BoundModel Wan2_1Model::with_shortcuts(const BoundModel& model, StepCache cache) const {
  if (cache == StepCache::off && runtime_.attention_density == 1) return model;
  const auto density = static_cast<int32_t>(std::lround(runtime_.attention_density * whole_share));
  const uint8_t branches = runtime_.cfg ? 2 : 1;
  return {model.layer, [forward = model.forward, cache, density, branches](Tracer& tracer, const RunSizes& run) {
            const ContextGuard context;
            context->step_cache = cache;
            context->guidance_branches = branches;
            context->self_attention_density = density;
            forward(tracer, run);
          }};
}

void Wan2_1Model::add_diffusion() {
  TransformerOptions& o = transformer_;
  o.architecture = architecture_;
  o.attention = runtime_.attention;
  o.weight_dtype = plan_.fsdp_transformer ? fsdp_dtype : runtime_.weight_dtype;
  o.casts_inputs = plan_.fsdp_transformer;
  o.autocast = runtime_.autocast;
  o.text_dtype = text_encoder_.weight_dtype;
  o.image_tokens = image_encoder_.architecture.tokens();
  o.image_dtype = workload_.image_dtype.value_or(image_encoder_.weight_dtype);
  o.token_timesteps = workload_.token_timesteps.value_or(variant_->task == Task::ti2v);
  o.reference_frames = rules_.reference_frames;
  o.parallel = plan_.degrees;
  o.rank = plan_.process();
  o.prompts = workload_.prompts;
  o.timestep_dtype = workload_.timestep_dtype.value_or(o.token_timesteps ? DType::float32 : DType::int64);
  const auto add_forwards = [&](auto steps, const std::string& id) {
    const BoundModel model = runtime_.code_base->transformer(o);
    const auto all = [steps, cfg = runtime_.cfg](const RunSizes& run) {
      return checked_mul(steps(run), cfg ? 2 : 1, "the number of forwards");
    };
    const auto skipped = [all, share = runtime_.step_cache](const RunSizes& run) {
      return skipped_of(all(run), share);
    };
    const StepCache cache = runtime_.step_cache > 0 ? StepCache::kept : StepCache::off;
    const auto origin_of = [&](StepCache of) {
      return StageOrigin{runtime_.code_base, o, of, runtime_.attention_density, runtime_.cfg};
    };
    add(Role::transformer, id, with_shortcuts(model, cache), origin_of(cache),
        [all, skipped](const RunSizes& run) { return all(run) - skipped(run); });
    if (skipped(run_) > 0) {
      add(Role::transformer, id + "_cached", with_shortcuts(model, StepCache::reused), origin_of(StepCache::reused),
          skipped);
      notes_.push_back(fmt::format("{} of {} forwards of {} run without their blocks, by runtime.step_cache",
                                   skipped(run_), all(run_), id));
    }
    for (std::string& note : o.storage.notes(stages_.back()->layer())) notes_.push_back(std::move(note));
    if (metadata_.weights) notes_.push_back(compare_weights(*metadata_.weights, stages_.back()->layer()));
    metadata_.weights.reset();  // compared once
  };
  if (boundary() == 0) return add_forwards([](const RunSizes& run) { return run.steps; }, "diffusion/dit");
  const int64_t steps = run_.steps, high = run_.high_noise_steps;
  notes_.push_back(fmt::format("{} steps by the high-noise expert, {} by the low-noise one", high, steps - high));
  const auto high_steps = [](const RunSizes& run) { return run.high_noise_steps; };
  const auto low_steps = [](const RunSizes& run) { return run.steps - run.high_noise_steps; };
  if (high > 0) add_forwards(high_steps, "diffusion/dit_high_noise");
  if (steps > high) add_forwards(low_steps, "diffusion/dit_low_noise");
}

// 0 where the model is one transformer.
double Wan2_1Model::boundary() const {
  return runtime_.boundary.value_or(metadata_.boundary.value_or(variant_->boundary));
}

// Of the denoising steps, those at and above the boundary.
int64_t Wan2_1Model::high_noise_steps(int64_t steps, const VideoSize& video) const {
  if (boundary() == 0) return 0;
  if (!runtime_.expert_steps.empty()) return runtime_.expert_steps[0];
  const std::vector<double> timesteps = runtime_.code_base->timesteps(scheduler(), steps, shift(video));
  return std::count_if(timesteps.begin(), timesteps.end(), [&](double t) { return t >= 1000 * boundary(); });
}

Scheduler Wan2_1Model::scheduler() const {
  const CodeBase& code = *runtime_.code_base;
  if (runtime_.scheduler) return *runtime_.scheduler;
  return metadata_.scheduler && code.key_names == KeyNames::published ? *metadata_.scheduler : code.schedulers.front();
}

double Wan2_1Model::shift(const VideoSize& video) const {
  const CodeBase& code = *runtime_.code_base;
  if (runtime_.shift) return *runtime_.shift;
  return metadata_.shift && code.key_names == KeyNames::published ? *metadata_.shift : code.shift(*variant_, video);
}

void Wan2_1Model::add_sampling() {
  SamplingOptions& o = sampling_options_;
  o.task = variant_->task;
  o.generation = architecture_.generation;
  o.scheduler = scheduler();
  o.guidance = runtime_.cfg;
  o.t5_cpu = runtime_.t5_cpu;
  o.text_len = workload_.text_len;
  o.patch_size = rules_.patch_size;
  const int64_t text_dim = text_encoder_.architecture.dim;
  o.text_dim = metadata_.has_transformer || text_dim == 0 ? architecture_.text_dim : text_dim;
  o.model_dtype = runtime_.weight_dtype;
  o.reference_images = workload_.reference_images;
  o.prompts = workload_.prompts;
  o.image = from_one_image();
  if (metadata_.has_transformer || !architecture_.vace_layers.empty()) {
    o.control_layers = static_cast<int64_t>(architecture_.vace_layers.size());
  }
  o.image_encoder = image_encoder_.architecture;
  o.text_dtype = text_encoder_.weight_dtype;
  o.image_dtype = image_encoder_.weight_dtype;
  auto stage = std::make_unique<SamplingStage>(*runtime_.code_base, o, run_);
  sampling_ = stage.get();
  stages_.push_back(std::move(stage));
  const std::vector<std::string> notes = runtime_.code_base->sampling_notes({o, run_});
  notes_.insert(notes_.end(), notes.begin(), notes.end());
}

AutoencoderOptions Wan2_1Model::vae_options(bool decode) const {
  AutoencoderOptions o;
  o.architecture = vae_;
  o.weight_dtype = vae_dtype_;
  o.attention = runtime_.attention;
  o.tiling = runtime_.vae_tiling;
  o.slicing = runtime_.vae_slicing;
  o.tiles = runtime_.tiles;
  o.decode = decode;
  if (!decode) {
    o.frames = from_one_image() ? 1 : 0;
    o.samples = encoded_samples();
  }
  return o;
}

void Wan2_1Model::add_vae(bool decode) {
  AutoencoderOptions o = vae_options(decode);
  const auto add_forwards = [&](const char* id, int64_t forwards) {
    std::shared_ptr<const BaseLayer> shared;
    for (const auto& stage : stages_) {
      if (role_of(*stage) == Role::autoencoder) shared = static_cast<const WanStage&>(*stage).shared_layer();
    }
    add(Role::autoencoder, id, runtime_.code_base->autoencoder(o, std::move(shared)), {runtime_.code_base, o},
        [forwards](const RunSizes&) { return forwards; });
  };
  const bool twice = !decode && variant_->task == Task::vace;  // what is to change, and what is to stay
  add_forwards(decode ? "vae/decode" : "vae/encode", twice ? 2 : 1);
  if (decode || workload_.reference_images == 0) return;
  o.frames = 1;
  add_forwards("vae/encode_reference", workload_.reference_images);
}

// A pipeline that makes a batch at once encodes one image for all of it. 0: as many as the batch has.
int64_t Wan2_1Model::encoded_samples() const {
  return runs("sampling") && !runtime_.code_base->one_video_at_a_time ? 1 : 0;
}

// --- other runs ------------------------------------------------------------------------------------------------------

std::vector<Setting> Wan2_1Model::settings() const {
  // The padding of a sequence that ranks share is no polynomial of its sizes.
  if (workload_.latent.rank() > 0 || !workload_.prompts.empty() || rules_.sequence_parallel > 1) return {};
  const std::vector<Residency>& known = runtime_.code_base->residencies;
  std::vector<std::string> residencies;
  for (const Residency residency : known) residencies.emplace_back(name_of(residency));
  const int64_t residency = std::find(known.begin(), known.end(), runtime_.residency) - known.begin();
  const Workload& w = workload_;
  return {{"workload.batch_size", w.batch_size},
          {"workload.num_frames", w.num_frames},
          {"workload.height", w.height},
          {"workload.width", w.width},
          {"workload.num_inference_steps", w.num_inference_steps},
          {"workload.prompt_tokens", w.prompt_tokens},
          {"runtime.residency", residency, std::move(residencies)}};
}

std::optional<RunValues> Wan2_1Model::run_of(std::span<const int64_t> settings) const {
  if (std::any_of(settings.begin(), settings.end() - 1, [](int64_t value) { return value < 1; })) return std::nullopt;
  Workload w;
  w.batch_size = settings[0];
  w.num_frames = settings[1];
  w.height = settings[2];
  w.width = settings[3];
  w.num_inference_steps = settings[4];
  w.prompt_tokens = settings[5];
  w.seq_len = workload_.seq_len;
  w.token_timesteps = workload_.token_timesteps;
  if (w.prompt_tokens > workload_.text_len) return std::nullopt;
  if (!runtime_.expert_steps.empty() && w.num_inference_steps != workload_.num_inference_steps) return std::nullopt;
  const CodeBase& code = *runtime_.code_base;
  // On several ranks all is on the device.
  if (!plan_.one_rank() && code.residencies[static_cast<size_t>(settings[6])] != Residency::all) return std::nullopt;
  std::vector<std::string> notes;
  const VideoSize video = code.video({w.num_frames, w.height, w.width}, rules_, notes);
  const bool supported = !metadata_.known_variant || runtime_.allow_unsupported || workload_.allow_unsupported;
  if (!supported && !code.refused(*variant_, video).empty()) return std::nullopt;
  if (metadata_.known_variant && around_transformer() && !code.fails(*variant_, video).empty()) return std::nullopt;
  static const config::Node none = config::Node::map();
  try {
    const Geometry g = geometry(video, rules_);
    code.check_workload(config::View(none), w, architecture_, g.tokens);
    const RunSizes run = run_sizes(w, g, code.residencies[static_cast<size_t>(settings[6])]);
    const auto experts = [](const RunSizes& r) {
      return std::pair(r.high_noise_steps > 0, r.steps > r.high_noise_steps);
    };
    if (experts(run) != experts(run_)) return std::nullopt;  // it is not of these stages
    if (skips(run) != skips(run_)) return std::nullopt;
    return run.values();
  } catch (const Error&) {
    return std::nullopt;
  }
}

// --- residency -------------------------------------------------------------------------------------------------------

ResidencyRules Wan2_1Model::residency_rules(Residency residency) const {
  ResidencyRules out;
  out.residency = residency;
  out.t5_cpu = runtime_.t5_cpu;
  out.generation = architecture_.generation;
  out.task = variant_->task;
  out.run = run_.values();
  out.several_ranks = !plan_.one_rank();
  return out;
}

Residents Wan2_1Model::residents(const Stage& running, const RunValues& run) const {
  const auto residency = static_cast<Residency>(RunSizes::of(run).residency);
  ResidencyRules rules = residency_rules(residency);
  rules.run = run;
  std::vector<Residents> all = runtime_.code_base->residents(stages_, rules);
  size_t at = 0;
  while (stages_[at].get() != &running) ++at;
  if (idle_vae_bytes_ > 0) all[at].list.push_back({"vae, of which rank 0 alone makes use", idle_vae_bytes_});
  return std::move(all[at]);
}

std::vector<LoadedModel> Wan2_1Model::loading() const {
  ResidencyRules rules = residency_rules(runtime_.residency);
  rules.device_map = !runtime_.device_map.empty();
  return runtime_.code_base->loading(stages_, rules);
}

int64_t Wan2_1Model::held_bytes(const Stage& running) const {
  return sampling_ == nullptr ? 0 : sampling_->held_while(running);
}

}  // namespace modelmeter::wan
