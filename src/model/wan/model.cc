#include "model/wan/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/checked.h"
#include "base/edit_distance.h"

namespace modelmeter::wan {
namespace {

const std::vector<std::string>& stage_names() {
  static const std::vector<std::string> names = {"image_encoder", "text_encoder", "vae_encode",
                                                 "sampling",      "diffusion",    "vae_decode"};
  return names;
}

// A node that may be missing.
config::View node_or_none(const config::View& config, const char* name) {
  static const config::Node none = config::Node::map();
  const std::optional<config::View> node = config.optional_child(name);
  return node ? *node : config::View(none, name);
}

}  // namespace

Wan2_1Model::Wan2_1Model(const config::View& config, const DataFiles& files) {
  read_metadata(config.child("hf"), files);
  read_transformer(config.child("transformer"));
  const config::View runtime = config.child("runtime");
  runtime_ = Runtime::read(runtime);
  workload_ = Workload::read(config.child("workload"));
  architecture_.text_len = workload_.text_len;
  read_encoders(config);

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
  if (has_transformer_ && runs("diffusion")) check_blocks(config);
  read_sizes(config);
  check_supported(config.child("workload"));
  check_sizes(config);
  for (size_t i = 0; i < wanted_.size(); ++i) {
    add_stage(wanted_[i], model.has("stages") ? model.at("stages").items()[i] : model);
  }
}

// --- reading ---------------------------------------------------------------------------------------------------------

void Wan2_1Model::read_metadata(const config::View& hf, const DataFiles& files) {
  hf.require_known_keys({"model_id", "model_variant", "config_path", "config", "variant", "generation", "notes"});
  model_id_ = hf.get<std::string>("model_id");
  model_variant_ = hf.get<std::string>("model_variant");
  model_notes_ = hf.get_or<std::string>("notes", "");
  has_transformer_ = true;
  if (hf.has("config")) {
    if (hf.has("config_path")) throw hf.at("config").error("stands in place of config_path, which is given too");
    require_known_architecture_keys(hf.at("config"));
    architecture_ = read_architecture(hf.at("config"));
  } else if (hf.has("config_path")) {
    config_path_ = files.find(hf.at("config_path"));
    const config::Node metadata = read_data_file(config_path_);
    architecture_ = read_architecture(config::View(metadata));
  } else {
    has_transformer_ = false;
  }
  variant_ = hf.has("variant") ? &variant_named(hf.at("variant")) : &variant_of(architecture_.model_type);
  known_variant_ = hf.has("variant");
  architecture_.generation = variant_->generation;
  if (hf.has("generation")) {
    const bool second = hf.get_choice("generation", {"wan2.1", "wan2.2"}) == "wan2.2";
    architecture_.generation = second ? Generation::wan2_2 : Generation::wan2_1;
    if (known_variant_ && architecture_.generation != variant_->generation) {
      throw hf.at("generation").error(fmt::format("{} is of the other generation", variant_->name));
    }
  }
  // Wan2.2's image-to-video model has no image encoder; its config.json does not say so.
  if (architecture_.generation == Generation::wan2_2) architecture_.image_dim = architecture_.pos_embed_seq_len = 0;
}

void Wan2_1Model::read_transformer(const config::View& transformer) {
  transformer.require_known_keys({"_target_", "num_layers", "vace_layers"});
  if (transformer.has("num_layers")) {
    architecture_.num_layers = transformer.get_positive<int64_t>("num_layers", config::max_layers);
    notes_.push_back(fmt::format("the depth is set to {} blocks by transformer.num_layers", architecture_.num_layers));
  }
  if (!transformer.has("vace_layers")) return;
  const config::View layers = transformer.at("vace_layers");
  architecture_.vace_layers = layers.as<std::vector<int64_t>>();
  if (has_transformer_ && architecture_.vace_in_dim == 0) throw layers.error("the model has no VACE blocks");
  if (has_transformer_) check_vace_layers(architecture_, layers);
}

void Wan2_1Model::read_encoders(const config::View& config) {
  const CodeBase& code = *runtime_.code_base;
  const config::View text = node_or_none(config, "text_encoder");
  text.require_known_keys(transformers::text_encoder_keys({"weight_dtype"}, code.key_names));
  read_architecture(text, code.key_names, text_encoder_.architecture);
  text_encoder_.weight_dtype = dtype_or(text, "weight_dtype", {"float32", "bfloat16"}, code.text_encoder_dtype);
  text_encoder_.attention = runtime_.attention;
  text_encoder_.text_len = workload_.text_len;

  const config::View image = node_or_none(config, "image_encoder");
  image.require_known_keys(transformers::image_encoder_keys({"weight_dtype", "batch_size"}, code.key_names));
  read_architecture(image, code.key_names, image_encoder_.architecture);
  image_encoder_.weight_dtype =
      dtype_or(image, "weight_dtype", {"float32", "bfloat16", "float16"}, code.image_encoder_dtype);
  image_encoder_.attention = runtime_.attention;
  image_encoder_.batch = variant_->task == Task::flf2v ? 2 : 1;
  if (image.has("batch_size")) image_encoder_.batch = image.get_positive<int64_t>("batch_size");

  const config::View vae = node_or_none(config, "vae");
  vae.require_known_keys(vae_keys({"weight_dtype"}, code.key_names));
  vae_ = variant_->vae();
  read_architecture(vae, code.key_names, vae_);
  vae_dtype_ = dtype_or(vae, "weight_dtype", {"float32", "bfloat16", "float16"}, vae_dtype_);
  if (code.autoencoder_in_float32 && vae_dtype_ != DType::float32) {
    throw vae.at("weight_dtype").error(fmt::format("the {} autoencoder runs in float32", code.name));
  }
}

void Wan2_1Model::read_sizes(const config::View& config) {
  rules_.latent_channels = vae_.z_dim;
  rules_.vae_stride = {vae_.temporal_compression(), vae_.spatial_compression(), vae_.spatial_compression()};
  rules_.patch_size = architecture_.patch_size;
  rules_.rope_positions = architecture_.rope_max_seq_len;
  if (workload_.latent.rank() == 0) {
    video_ = {workload_.num_frames, workload_.height, workload_.width};
    geometry_ = geometry(video_, rules_);
  } else {
    // An autoencoder alone takes what does not divide into patches.
    if (!has_transformer_ && !runs("sampling")) rules_.patch_size = {1, 1, 1};
    video_ = video_of_latent(workload_.latent, rules_);
    geometry_ = geometry_of_latent(workload_.latent, rules_);
  }
  runtime_.code_base->check_workload(config.child("workload"), workload_, architecture_, geometry_.tokens);
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
             {"+transformer.vace_layers=[0,...] says which have one"});
}

bool Wan2_1Model::runs(const char* stage) const {
  return std::find(wanted_.begin(), wanted_.end(), stage) != wanted_.end();
}

bool Wan2_1Model::has_image_encoder() const {
  if (has_transformer_) return architecture_.image_conditioned();
  const bool from_image = variant_->task == Task::i2v || variant_->task == Task::flf2v;
  return from_image && architecture_.generation == Generation::wan2_1;
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
  if (has_transformer_) {
    if (workload.has("latent"))
      require(workload.at("latent"), "the number of channels", geometry_.latent[0], a.out_dim);
    const config::View vae = node_or_none(config, "vae");
    if (vae.has("z_dim")) require(vae.at("z_dim"), "the number of latent channels", vae_.z_dim, a.out_dim);
  }
  if (vae_runs && geometry_.latent[0] != vae_.z_dim) {
    throw workload.at("latent").error(fmt::format("the autoencoder's latents have {} channels", vae_.z_dim));
  }
  const config::View text = node_or_none(config, "text_encoder");
  for (const char* key : {"dim", "d_model"}) {
    if (has_transformer_ && text.has(key)) {
      require(text.at(key), "the width of the text", text_encoder_.architecture.dim, a.text_dim);
    }
  }
  const config::View image = node_or_none(config, "image_encoder");
  const transformers::ImageEncoderArchitecture& encoder = image_encoder_.architecture;
  if (has_transformer_ && a.image_conditioned()) {
    require(image, "the width of the image encoder", encoder.dim, a.image_dim);
    if (a.pos_embed_seq_len > 0) {
      require(image, "the number of image tokens", 2 * encoder.tokens(), a.pos_embed_seq_len);
    }
  }
  const VaeArchitecture published = variant_->vae();
  if (runs("sampling") && (vae_.spatial_compression() != published.spatial_compression() ||
                           vae_.temporal_compression() != published.temporal_compression())) {
    throw node_or_none(config, "vae").error("the sampling code is written for the compression of the published one");
  }
}

void Wan2_1Model::check_supported(const config::View& workload) {
  const std::string reason = refused(*variant_, video_);
  if (reason.empty() || !known_variant_) return;
  if (!runtime_.allow_unsupported && !workload_.allow_unsupported) {
    throw workload.error(reason, {"runtime.allow_unsupported=true turns this into a note"});
  }
  notes_.push_back("the official command line refuses this workload: " + reason);
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
  const bool from_pixels = task == Task::i2v || task == Task::flf2v || task == Task::vace;
  if (name == "text_encoder") return add_text_encoder();
  if (name == "diffusion") {
    if (!has_transformer_) throw where.error("hf.config_path or hf.config must say which transformer");
    return add_diffusion();
  }
  if (name == "sampling") return add_sampling();
  if (name == "vae_decode") return add_vae(true);
  if (name == "vae_encode") return add_unless_image(from_pixels, [&] { add_vae(false); });
  if (name == "image_encoder") return add_unless_image(has_image_encoder(), [&] { add_image_encoder(); });
  throw where.error(fmt::format("there is no stage '{}'", name), name_notes(name, stage_names(), "stages"));
}

void Wan2_1Model::add(Role role, std::string id, BoundModel model, std::function<int64_t(const RunSizes&)> forwards) {
  WanStageOptions options{role, std::move(id)};
  options.depends_on = dependences(role, *runtime_.code_base, rules_.patch_size, runtime_.vae_tiling);
  options.forwards = std::move(forwards);
  stages_.push_back(std::make_unique<WanStage>(std::move(options), std::move(model), run_));
}

RunSizes Wan2_1Model::run_sizes(const Workload& w, const Geometry& g, Residency residency) const {
  RunSizes out;
  out.batch = w.batch_size;
  out.latent = g.latent;
  out.temporal_compression = vae_.temporal_compression();
  out.spatial_compression = vae_.spatial_compression();
  out.seq_len = w.seq_len.value_or(0);
  out.prompt_tokens = w.prompt_tokens;
  out.steps = w.num_inference_steps;
  if (variant_->boundary != 0) out.high_noise_steps = high_noise_steps(out.steps, variant_->shift, variant_->boundary);
  out.residency = static_cast<int64_t>(residency);
  return out;
}

void Wan2_1Model::add_text_encoder() {
  add(Role::text_encoder, "text_encoder/umt5", runtime_.code_base->text_encoder(text_encoder_),
      [cfg = runtime_.cfg](const RunSizes&) { return cfg ? 2 : 1; });
  if (runtime_.t5_cpu) {
    notes_.push_back("runtime.t5_cpu: the text encoder's work is counted, its memory is not on the device");
  }
}

void Wan2_1Model::add_image_encoder() {
  add(Role::image_encoder, "image_encoder/clip", runtime_.code_base->image_encoder(image_encoder_));
}

void Wan2_1Model::add_diffusion() {
  TransformerOptions& o = transformer_;
  o.architecture = architecture_;
  o.attention = runtime_.attention;
  o.weight_dtype = runtime_.weight_dtype;
  o.autocast = runtime_.autocast;
  o.text_dtype = text_encoder_.weight_dtype;
  o.image_tokens = image_encoder_.architecture.tokens();
  o.image_dtype = workload_.image_dtype.value_or(image_encoder_.weight_dtype);
  o.token_timesteps = workload_.token_timesteps.value_or(variant_->task == Task::ti2v);
  o.timestep_dtype = workload_.timestep_dtype.value_or(o.token_timesteps ? DType::float32 : DType::int64);
  const auto add_forwards = [&](auto steps, const std::string& id) {
    add(Role::transformer, id, runtime_.code_base->transformer(o), [steps, cfg = runtime_.cfg](const RunSizes& run) {
      return checked_mul(steps(run), cfg ? 2 : 1, "the number of forwards");
    });
  };
  if (variant_->boundary == 0) return add_forwards([](const RunSizes& run) { return run.steps; }, "diffusion/dit");
  const int64_t steps = run_.steps, high = run_.high_noise_steps;
  notes_.push_back(fmt::format("{} steps by the high-noise expert, {} by the low-noise one", high, steps - high));
  const auto high_steps = [](const RunSizes& run) { return run.high_noise_steps; };
  const auto low_steps = [](const RunSizes& run) { return run.steps - run.high_noise_steps; };
  if (high > 0) add_forwards(high_steps, "diffusion/dit_high_noise");
  if (steps > high) add_forwards(low_steps, "diffusion/dit_low_noise");
}

void Wan2_1Model::add_sampling() {
  SamplingOptions& o = sampling_options_;
  o.task = variant_->task;
  o.generation = architecture_.generation;
  o.scheduler = runtime_.scheduler;
  o.guidance = runtime_.cfg;
  o.t5_cpu = runtime_.t5_cpu;
  o.text_len = workload_.text_len;
  o.patch_size = rules_.patch_size;
  o.text_dim = has_transformer_ ? architecture_.text_dim : text_encoder_.architecture.dim;
  o.model_dtype = runtime_.weight_dtype;
  if (has_transformer_ || !architecture_.vace_layers.empty()) {
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

void Wan2_1Model::add_vae(bool decode) {
  AutoencoderOptions o;
  o.architecture = vae_;
  o.weight_dtype = vae_dtype_;
  o.attention = runtime_.attention;
  o.tiling = runtime_.vae_tiling;
  o.slicing = runtime_.vae_slicing;
  o.decode = decode;
  std::shared_ptr<const BaseLayer> shared;
  for (const auto& stage : stages_) {
    if (role_of(*stage) == Role::autoencoder) shared = static_cast<const WanStage&>(*stage).shared_layer();
  }
  const bool twice = !decode && variant_->task == Task::vace;  // what is to change, and what is to stay
  add(Role::autoencoder, decode ? "vae/decode" : "vae/encode", runtime_.code_base->autoencoder(o, std::move(shared)),
      [twice](const RunSizes&) { return twice ? 2 : 1; });
}

// --- other runs ------------------------------------------------------------------------------------------------------

std::vector<Setting> Wan2_1Model::settings() const {
  if (workload_.latent.rank() > 0) return {};
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
  const VideoSize video{w.num_frames, w.height, w.width};
  const bool supported = !known_variant_ || runtime_.allow_unsupported || workload_.allow_unsupported;
  if (!supported && !refused(*variant_, video).empty()) return std::nullopt;
  static const config::Node none = config::Node::map();
  try {
    const Geometry g = geometry(video, rules_);
    runtime_.code_base->check_workload(config::View(none), w, architecture_, g.tokens);
    const RunSizes run = run_sizes(w, g, runtime_.code_base->residencies[static_cast<size_t>(settings[6])]);
    const auto experts = [](const RunSizes& r) {
      return std::pair(r.high_noise_steps > 0, r.steps > r.high_noise_steps);
    };
    if (experts(run) != experts(run_)) return std::nullopt;  // it is not of these stages
    return run.values();
  } catch (const Error&) {
    return std::nullopt;
  }
}

// --- residency -------------------------------------------------------------------------------------------------------

Residents Wan2_1Model::residents(const Stage& running, const RunValues& run) const {
  const auto residency = static_cast<Residency>(RunSizes::of(run).residency);
  const std::vector<Residents> all =
      runtime_.code_base->residents(stages_, {residency, runtime_.t5_cpu, architecture_.generation, variant_->task});
  size_t at = 0;
  while (stages_[at].get() != &running) ++at;
  return all[at];
}

int64_t Wan2_1Model::held_bytes(const Stage& running) const {
  return sampling_ == nullptr ? 0 : sampling_->held_while(running);
}

}  // namespace modelmeter::wan
