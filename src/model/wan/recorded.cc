#include "model/wan/recorded.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "config/yaml.h"
#include "model/wan/model.h"

namespace modelmeter::wan {
namespace {

using config::Map;
using config::Node;
using config::View;
using Json = nlohmann::ordered_json;

Node text(std::string value) { return Node::string(std::move(value)); }

Node list(const std::vector<int64_t>& values) {
  config::List items;
  for (const int64_t value : values) items.push_back(Node::integer(value));
  return Node::list(std::move(items));
}

// A dtype by torch's name, which configurations have, from the short one of recordings.
Node dtype(const std::string& short_name) { return text(std::string(torch_name(parse_dtype(short_name)))); }

// Writes the header of one recording as the nodes of a configuration.
class Configuration {
 public:
  Configuration(const Recording& recording, const CodeBase& code)
      : recording_(recording),
        code_(code),
        config_node_(config::parse_yaml(recording.config, "config of the reference")),
        workload_node_(config::parse_yaml(recording.workload, "workload of the reference")),
        config_(config_node_),
        given_(workload_node_) {
    hf_.set("model_id", text("recording"));
    hf_.set("model_variant", text(recording.variant));
    runtime_.set("implementation", text(std::string(code.name)));
    runtime_.set("attention", text(recording.attention == "math" ? "math" : "flash"));
    runtime_.set("allow_unsupported", Node::boolean(true));
    workload_.set("profile_id", text("recording"));
    workload_.set("batch_size", Node::integer(given_.get_or<int64_t>("batch_size", 1)));
    workload_.set("num_inference_steps", Node::integer(given_.get_or<int64_t>("num_inference_steps", 1)));
    workload_.set("text_len", Node::integer(given_.get_or("text_len", config_.get_or<int64_t>("text_len", 512))));
    copy(given_, "prompt_tokens", workload_);
    if (workload_.find("prompt_tokens") == nullptr) workload_.set("prompt_tokens", *workload_.find("text_len"));
    workload_.set("latent", list(latent()));
  }

  Node build(Role role) {
    switch (role) {
      case Role::transformer: read_transformer(); break;
      case Role::text_encoder: read_text_encoder(); break;
      case Role::image_encoder: read_image_encoder(); break;
      case Role::autoencoder: read_autoencoder(); break;
      case Role::sampling: read_sampling(); break;
    }
    Node model = Node::map();
    model.set("_target_", text("modelmeter.wan2_1.Wan2_1Model"));
    model.set("stages", Node::list({text(stage_)}));
    Node out = Node::map();
    out.set("hf", std::move(hf_));
    out.set("runtime", std::move(runtime_));
    out.set("workload", std::move(workload_));
    out.set("transformer", std::move(transformer_));
    if (!recording_.parallel.empty())
      out.set("plan", config::parse_yaml(recording_.parallel, "parallel of the reference"));
    for (const config::Entry& group : groups_.entries()) out.set(group.key, group.value);
    out.set("model", std::move(model));
    return out;
  }

 private:
  static void copy(const View& from, const char* key, Node& to) {
    if (from.has(key)) to.set(key, from.at(key).node());
  }
  static void copy_dtype(const View& from, const char* key, const char* as, Node& to) {
    if (from.has(key)) to.set(as, dtype(from.get<std::string>(key)));
  }
  static void copy_dtype(const View& from, const char* key, Node& to) { copy_dtype(from, key, key, to); }

  // [C, T, h, w], of four sizes or five with the batch. The smallest where the header names none: what it is of has
  // no video.
  std::vector<int64_t> latent() const {
    if (!given_.has("latent")) return {16, 1, 2, 2};
    const auto sizes = given_.get<std::vector<int64_t>>("latent");
    if (sizes.size() < 4 || sizes.size() > 5) throw given_.at("latent").expected("four or five sizes");
    return {sizes.end() - 4, sizes.end()};
  }

  Node& group(const char* name) {
    Node* found = groups_.find(name);
    return found != nullptr ? *found : groups_.set(name, Node::map());
  }

  // The group of configuration that gives the sizes of a model: the recorded ones, without those that decide nothing.
  Node& set_group(const char* name, const std::vector<std::string>& without) {
    Node& sizes = groups_.set(name, config_node_);
    for (const std::string& key : without) sizes.erase(key);
    if (!recording_.weights.empty()) sizes.set("weight_dtype", dtype(recording_.weights));
    return sizes;
  }

  // Wan2.1 has no model of text and image.
  bool second_generation() const {
    if (!recording_.generation.empty()) return recording_.generation == "2.2";
    if (recording_.code.rfind("Wan2.2 ", 0) == 0) return true;
    return config_.get_or<std::string>("model_type", "") == "ti2v";
  }

  void read_transformer() {
    stage_ = "diffusion";
    hf_.set("config", config_node_);
    hf_.set("generation", text(second_generation() ? "wan2.2" : "wan2.1"));
    if (!recording_.weights.empty()) runtime_.set("weight_dtype", dtype(recording_.weights));
    copy(given_, "autocast", runtime_);
    copy_dtype(given_, "autocast_dtype", runtime_);
    std::vector<int64_t> sizes = latent();
    // diffusers' input is the latent with what conditions it.
    if (!code_.pads_sequence) sizes[0] = read_architecture(config_).out_dim;
    workload_.set("latent", list(sizes));
    if (code_.pads_sequence) workload_.set("seq_len", given_.at("seq_len").node());
    copy(given_, "token_timesteps", workload_);
    copy_dtype(given_, "timestep_dtype", workload_);
    copy_dtype(given_, "image_dtype", workload_);
    copy_dtype(given_, "text_dtype", "weight_dtype", group("text_encoder"));
  }

  void read_text_encoder() {
    stage_ = "text_encoder";
    set_group("text_encoder", {"dropout", "feed_forward_proj"});
  }

  void read_image_encoder() {
    stage_ = "image_encoder";
    hf_.set("variant", text("i2v-14B"));
    copy(given_, "batch_size", set_group("image_encoder", {"pool_type", "post_norm"}));
  }

  // Older recordings name the direction in `code` alone: "… WanVAE.encode (fp32)".
  bool decodes() const {
    if (given_.has("direction")) return given_.get_choice("direction", {"encode", "decode"}) == "decode";
    return recording_.code.find(".encode") == std::string::npos;
  }

  void read_autoencoder() {
    const bool decode = decodes();
    stage_ = decode ? "vae_decode" : "vae_encode";
    hf_.set("variant", text("i2v-14B"));
    Node& sizes = set_group("vae", {"attn_scales", "dropout", "scale_factor_spatial", "scale_factor_temporal"});
    if (recording_.variant == "wan-vae-2.2") {  // vae2_2.py's constants
      sizes.set("is_residual", Node::boolean(true));
      sizes.set("patch_size", Node::integer(2));
      for (const char* key : {"in_channels", "out_channels"}) sizes.set(key, Node::integer(12));
    }
    if (given_.has("tiling")) runtime_.set("vae_tiling", given_.at("tiling").node());
    if (given_.has("slicing")) runtime_.set("vae_slicing", given_.at("slicing").node());
  }

  void read_sampling() {
    stage_ = "sampling";
    const std::string task = config_.get_choice("task", {"t2v", "i2v", "flf2v", "vace", "ti2v"});
    const bool experts = second_generation() || config_.get_or<int64_t>("experts", 1) == 2;
    const bool split = experts && (task == "t2v" || task == "i2v");
    hf_.set("variant", text(task + (task == "ti2v" ? "-5B" : split ? "-A14B" : "-14B")));
    copy(config_, "scheduler", runtime_);
    for (const char* key : {"src_ref_images", "reference_images", "image"}) copy(config_, key, workload_);
    if (config_.has("guidance")) runtime_.set("cfg", config_.at("guidance").node());
    copy_dtype(config_, "dtype", "weight_dtype", runtime_);
    copy(config_, "t5_cpu", runtime_);
    if (config_.get_or("offload_model", false)) runtime_.set("residency", text("offload"));
    if (config_.has("image_encoder")) groups_.set("image_encoder", config_.at("image_encoder").node());
    copy_dtype(config_, "image_dtype", "weight_dtype", group("image_encoder"));
    copy_dtype(config_, "text_dtype", "weight_dtype", group("text_encoder"));
    const char* text_dim = code_.key_names == KeyNames::original ? "dim" : "d_model";
    if (config_.has("text_dim")) group("text_encoder").set(text_dim, config_.at("text_dim").node());
    std::vector<int64_t> layers;
    const bool controlled = config_.has("control_layers");
    const auto count = controlled ? config_.get_non_negative<int64_t>("control_layers", config::max_layers) : 0;
    for (int64_t i = 0; i < count; ++i) layers.push_back(i);
    if (!layers.empty()) transformer_.set("vace_layers", list(layers));
  }

  const Recording& recording_;
  const CodeBase& code_;
  Node config_node_, workload_node_;
  View config_, given_;
  Node hf_ = Node::map(), runtime_ = Node::map(), workload_ = Node::map(), transformer_ = Node::map();
  Node groups_ = Node::map();  // text_encoder, image_encoder, vae
  std::string stage_;
};

// --- the other way ---------------------------------------------------------------------------------------------------

std::string short_dtype(DType dtype) { return std::string(short_name(dtype)); }

Json list_of(const Shape& sizes) { return std::vector<int64_t>(sizes.begin(), sizes.end()); }

Json batched(const Shape& sizes, int64_t batch) {
  Shape out = sizes;
  out.insert(0, batch);
  return list_of(out);
}

Json tokens_of_prompts(const std::vector<int64_t>& prompts, const RunSizes& run) {
  return prompts.empty() ? Json(run.prompt_tokens) : Json(prompts);
}

void describe_transformer(const CodeBase& code, const TransformerOptions& o, const RunSizes& run, int64_t tokens,
                          Recording& header) {
  const Architecture& a = o.architecture;
  const Shape latent = o.latent(run);
  header.config = json_of(a, code.key_names).dump();
  Json workload = {{"batch_size", run.batch}};
  if (code.pads_sequence) {
    workload.update({{"latent", list_of(latent)},
                     {"text_len", a.text_len},
                     {"prompt_tokens", tokens_of_prompts(o.prompts, run)},
                     {"seq_len", run.seq_len > 0 ? run.seq_len : tokens}});
  } else {
    workload["latent"] = batched({a.in_dim, latent[1], latent[2], latent[3]}, run.batch);
    workload["text_len"] = a.text_len;
  }
  if (o.token_timesteps || a.model_type == "ti2v") workload["token_timesteps"] = o.token_timesteps;
  workload["timestep_dtype"] = short_dtype(o.timestep_dtype);
  if (code.pads_sequence && a.image_conditioned()) workload["image_dtype"] = short_dtype(o.image_dtype);
  if (code.pads_sequence && o.text_dtype != code.text_encoder_dtype) workload["text_dtype"] = short_dtype(o.text_dtype);
  if (code.autocasts && !o.autocast.enabled) workload["autocast"] = false;
  if (o.autocast.enabled && o.autocast.dtype != DType::bfloat16) {
    workload["autocast_dtype"] = short_dtype(o.autocast.dtype);
  }
  header.workload = workload.dump();
  header.weights = short_dtype(o.weight_dtype);
}

// Of the transformer's rank.
std::string parallel_of(const ParallelPlan& plan) {
  Json out = {{"ulysses", plan.degrees.ulysses}, {"rank", plan.rank}};
  if (plan.world_size != plan.degrees.ulysses) out["world_size"] = plan.world_size;
  if (plan.fsdp_transformer) out["fsdp"] = "transformer";
  return out.dump();
}

void describe_sampling(const CodeBase& code, const SamplingInputs& o, Recording& header) {
  Json config = {{"task", o.task == Task::t2i ? "t2v" : name_of(o.task)}, {"scheduler", name_of(o.scheduler)}};
  config.update(code.sampling_config(o));
  if (o.generation == Generation::wan2_2) config["experts"] = 2;
  if (!o.guidance) config["guidance"] = false;
  if (o.text_dim != Architecture().text_dim) config["text_dim"] = o.text_dim;
  if (o.text_dtype != code.text_encoder_dtype) config["text_dtype"] = short_dtype(o.text_dtype);
  if (o.image_dtype != code.image_encoder_dtype) config["image_dtype"] = short_dtype(o.image_dtype);
  const Json encoder = json_of(o.image_encoder, code.key_names);
  if (encoder != json_of(transformers::ImageEncoderArchitecture(), code.key_names)) config["image_encoder"] = encoder;
  header.attention = "none";
  header.config = config.dump();
  header.workload = Json{
      {"batch_size", o.batch},
      {"num_frames", o.frames()},
      {"height", o.height()},
      {"width", o.width()},
      {"latent", list_of(o.latent)},
      {"text_len", o.text_len},
      {"prompt_tokens", tokens_of_prompts(o.prompts, o)},
      {"num_inference_steps",
       o.steps}}.dump();
}

}  // namespace

std::vector<std::string> recorded_classes() {
  std::vector<std::string> out;
  for (const CodeBase* code : code_bases()) {
    for (const CodeBase::RecordedRoot& root : code->recorded_roots) out.emplace_back(root.klass);
  }
  return out;
}

Node configuration_of(const Recording& recording, const std::string& root_class) {
  for (const CodeBase* code : code_bases()) {
    for (const CodeBase::RecordedRoot& root : code->recorded_roots) {
      if (root.klass == root_class) return Configuration(recording, *code).build(root.role);
    }
  }
  throw Error(ErrorCode::internal, fmt::format("{} is no recorded root of Wan", root_class));
}

std::vector<HeaderReading> readings_of(const Recording& recording, const std::string& root_class) {
  const Json workload = Json::parse(recording.workload);
  if (!workload.is_object() || workload.contains("token_timesteps")) return {};
  for (const CodeBase* code : code_bases()) {
    for (const CodeBase::RecordedRoot& root : code->recorded_roots) {
      if (root.role != Role::transformer || root.klass != root_class) continue;
      std::vector<HeaderReading> out;
      for (const bool per_token : {true, false}) {
        Json with = workload;
        with["token_timesteps"] = per_token;
        out.push_back({with.dump(), per_token ? "workload.token_timesteps: true, a time step per token"
                                              : "workload.token_timesteps: false, a time step per sample"});
      }
      return out;
    }
  }
  return {};
}

void Wan2_1Model::describe(const Stage& stage, Recording& header) const {
  const CodeBase& code = *runtime_.code_base;
  const auto& wan_stage = static_cast<const WanStage&>(stage);
  header.implementation = std::string(code.name);
  header.attention = name_of(runtime_.attention);
  if (code.names_generation) header.generation = architecture_.generation == Generation::wan2_2 ? "2.2" : "2.1";
  switch (wan_stage.role()) {
    case Role::transformer:
      describe_transformer(code, transformer_, run_, geometry_.seq_len, header);
      if (plan_.fsdp_transformer) header.weights = short_dtype(runtime_.weight_dtype);
      if (!plan_.one_rank()) header.parallel = parallel_of(plan_);
      return;
    case Role::sampling: return describe_sampling(code, {sampling_options_, run_}, header);
    case Role::text_encoder:
      header.implementation = std::string(code.encoders_from);
      if (code.text_encoder_attention != nullptr) header.attention = code.text_encoder_attention;
      header.weights = short_dtype(text_encoder_.weight_dtype);
      header.config = json_of(text_encoder_.architecture, code.key_names).dump();
      header.workload = Json{{"batch_size", run_.batch}, {"text_len", text_encoder_.text_len}}.dump();
      return;
    case Role::image_encoder: {
      const int64_t side = image_encoder_.architecture.image_size;
      header.implementation = std::string(code.encoders_from);
      header.weights = short_dtype(image_encoder_.weight_dtype);
      header.config = json_of(image_encoder_.architecture, code.key_names).dump();
      header.workload = Json{{"batch_size", image_encoder_.batch}, {"height", side}, {"width", side}}.dump();
      return;
    }
    case Role::autoencoder: return describe_autoencoder(stage.id(), header);
  }
}

void Wan2_1Model::describe_autoencoder(const std::string& id, Recording& header) const {
  const CodeBase& code = *runtime_.code_base;
  const bool decode = id == "vae/decode";
  Shape latent = geometry_.latent;
  if (id == "vae/encode_reference" || (!decode && from_one_image())) latent[1] = 1;
  const int64_t samples = decode || encoded_samples() == 0 ? workload_.batch_size : encoded_samples();
  header.weights = short_dtype(vae_dtype_);
  header.config = json_of(vae_, code.key_names).dump();
  Json workload = {{"direction", decode ? "decode" : "encode"},
                   {"batch_size", samples},
                   {"num_frames", (latent[1] - 1) * vae_.temporal_compression() + 1},
                   {"height", latent[2] * vae_.spatial_compression()},
                   {"width", latent[3] * vae_.spatial_compression()},
                   {"latent", code.lists_samples ? list_of(latent) : batched(latent, samples)}};
  if (runtime_.vae_tiling) workload["tiling"] = true;
  if (runtime_.vae_slicing) workload["slicing"] = true;
  header.workload = workload.dump();
}

}  // namespace modelmeter::wan
