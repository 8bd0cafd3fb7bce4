#include "model/wan/recorded_stage.h"

#include "base/error.h"
#include "config/yaml.h"
#include "model/wan/encoder_stages.h"
#include "model/wan/sampling_stage.h"

namespace modelmeter::wan {
namespace {

// The recording's two JSON texts, to be read with errors that say where.
struct Inputs {
  explicit Inputs(const Recording& recording)
      : config_node(config::parse_yaml(recording.config, "config of the reference")),
        workload_node(config::parse_yaml(recording.workload, "workload of the reference")),
        config(config_node),
        workload(workload_node) {}

  config::Node config_node, workload_node;
  config::View config, workload;
};

bool mentions(const Recording& recording, const char* text) { return recording.code.find(text) != std::string::npos; }

AttentionKernel attention_of(const Recording& recording) {
  return recording.attention == "math" ? AttentionKernel::math : AttentionKernel::flash;
}

// [C, T, h, w], of four or five sizes.
Shape latent_of(const config::View& workload) {
  const auto sizes = workload.get<std::vector<int64_t>>("latent");
  if (sizes.size() < 4 || sizes.size() > 5) throw workload.at("latent").expected("four or five sizes");
  Shape out;
  for (size_t i = sizes.size() - 4; i < sizes.size(); ++i) out.push_back(sizes[i]);
  return out;
}

// The dtype that the recording's parameter of this name has; `otherwise` where it has none.
DType recorded_dtype(const Recording& recording, const std::string& name, DType otherwise) {
  for (const RecordedParameter& p : recording.parameters) {
    if (p.name == name) return parse_dtype(p.tensor.dtype);
  }
  return otherwise;
}

// The image features enter through img_emb: its first kernel shows their type.
DType recorded_image_dtype(const Recording& recording) {
  for (const RecordedOp& op : recording.ops) {
    if (op.scope.compare(0, 7, "img_emb") == 0 && !op.inputs.empty()) return parse_dtype(op.inputs[0].dtype);
  }
  return DType::float16;
}

std::unique_ptr<Stage> recorded_dit(const Recording& recording) {
  const Inputs in(recording);
  Architecture a = read_architecture(in.config);
  if (mentions(recording, "Wan2.2")) {
    a.generation = Generation::wan2_2;
    a.image_dim = 0;
  }

  Runtime runtime;
  const bool official = recording.implementation == "official";
  runtime.implementation = official ? Implementation::official : Implementation::diffusers;
  runtime.attention = attention_of(recording);
  runtime.weight_dtype = recorded_dtype(recording, "patch_embedding.weight", DType::float32);

  DiTWorkload w;
  w.batch = in.workload.get_or<int64_t>("batch_size", 1);
  w.latent = latent_of(in.workload);
  w.text_len = in.workload.get_or<int64_t>("text_len", a.text_len);
  a.text_len = w.text_len;
  w.token_timesteps = in.workload.get_or<bool>("token_timesteps", false);
  const std::string usual = w.token_timesteps ? "f32" : "i64";
  w.timestep_dtype = parse_dtype(in.workload.get_or<std::string>("timestep_dtype", usual));
  if (official) {
    w.seq_len = in.workload.get<int64_t>("seq_len");
    w.prompt_tokens = in.workload.get_or<int64_t>("prompt_tokens", w.text_len);
    w.image_dtype = recorded_image_dtype(recording);
  }
  return std::make_unique<DiTStage>(a, runtime, w);
}

std::unique_ptr<Stage> recorded_text_encoder(const Recording& recording) {
  const Inputs in(recording);
  TextEncoderStage::Options o;
  TextEncoderArchitecture& a = o.architecture;
  if (recording.implementation == "official") {
    a.vocab = in.config.get_or("vocab", a.vocab);
    a.dim = in.config.get_or("dim", a.dim);
    a.dim_attn = in.config.get_or("dim_attn", a.dim_attn);
    a.dim_ffn = in.config.get_or("dim_ffn", a.dim_ffn);
    a.num_heads = in.config.get_or("num_heads", a.num_heads);
    a.num_buckets = in.config.get_or("num_buckets", a.num_buckets);
    a.shared_pos = in.config.get_or("shared_pos", a.shared_pos);
  } else {
    o.implementation = Implementation::diffusers;
    a.vocab = in.config.get_or("vocab_size", a.vocab);
    a.dim = in.config.get_or("d_model", a.dim);
    a.dim_ffn = in.config.get_or("d_ff", a.dim_ffn);
    a.num_heads = in.config.get_or("num_heads", a.num_heads);
    a.dim_attn = a.num_heads * in.config.get_or<int64_t>("d_kv", 64);
  }
  a.num_layers = in.config.get_or("num_layers", a.num_layers);
  o.attention = attention_of(recording);
  o.batch = in.workload.get_or<int64_t>("batch_size", 1);
  o.text_len = in.workload.get<int64_t>("text_len");
  return std::make_unique<TextEncoderStage>(o);
}

std::unique_ptr<Stage> recorded_image_encoder(const Recording& recording) {
  const Inputs in(recording);
  ImageEncoderStage::Options o;
  ImageEncoderArchitecture& a = o.architecture;
  a.image_size = in.config.get_or("image_size", a.image_size);
  a.patch_size = in.config.get_or("patch_size", a.patch_size);
  if (recording.implementation == "official") {
    a.dim = in.config.get_or("dim", a.dim);
    a.mlp_ratio = in.config.get_or("mlp_ratio", a.mlp_ratio);
    a.out_dim = in.config.get_or("out_dim", a.out_dim);
    a.num_heads = in.config.get_or("num_heads", a.num_heads);
    a.num_layers = in.config.get_or("num_layers", a.num_layers);
    a.pre_norm = in.config.get_or("pre_norm", a.pre_norm);
    a.activation = in.config.get_or("activation", a.activation);
  } else {
    o.implementation = Implementation::diffusers;
    a.dim = in.config.get_or("hidden_size", a.dim);
    a.mlp_ratio = in.config.get_or("intermediate_size", a.dim * a.mlp_ratio) / a.dim;
    a.out_dim = in.config.get_or("projection_dim", a.out_dim);
    a.num_heads = in.config.get_or("num_attention_heads", a.num_heads);
    a.num_layers = in.config.get_or("num_hidden_layers", a.num_layers);
    a.activation = in.config.get_or("hidden_act", a.activation);
    o.dtype = recorded_dtype(recording, "pre_layrnorm.weight", DType::float32);
  }
  o.attention = attention_of(recording);
  o.batch = in.workload.get_or<int64_t>("batch_size", 1);
  return std::make_unique<ImageEncoderStage>(o);
}

std::unique_ptr<Stage> recorded_sampling(const Recording& recording) {
  const Inputs in(recording);
  SamplingOptions o;
  const bool official = recording.implementation == "official";
  o.task = variant_of(in.config.get_or<std::string>("task", "t2v")).task;
  if (mentions(recording, "Wan2.2") || in.config.get_or<int64_t>("experts", 1) == 2) o.generation = Generation::wan2_2;
  const bool unipc = in.config.get_or<std::string>("scheduler", "unipc") == "unipc";
  o.scheduler = unipc ? Scheduler::unipc : Scheduler::dpm_solver;
  o.guidance = in.config.get_or("guidance", true);
  o.offload_model = in.config.get_or("offload_model", false);
  o.t5_cpu = in.config.get_or("t5_cpu", false);
  o.model_dtype = parse_dtype(in.config.get_or<std::string>("dtype", "bf16"));
  o.control_layers = in.config.get_or("control_layers", o.control_layers);
  o.steps = in.workload.get<int64_t>("num_inference_steps");
  o.batch = in.workload.get_or<int64_t>("batch_size", 1);
  o.frames = in.workload.get<int64_t>("num_frames");
  o.height = in.workload.get<int64_t>("height");
  o.width = in.workload.get<int64_t>("width");
  o.latent = latent_of(in.workload);
  o.text_len = in.workload.get<int64_t>("text_len");
  o.prompt_tokens = in.workload.get<int64_t>("prompt_tokens");
  return std::make_unique<SamplingStage>(official ? Implementation::official : Implementation::diffusers, o);
}

std::unique_ptr<Stage> recorded_vae(const Recording& recording) {
  const Inputs in(recording);
  VaeStage::Options o;
  const bool official = recording.implementation == "official";
  const bool second = recording.variant == "wan-vae-2.2" || in.config.get_or("is_residual", false);
  VaeArchitecture& a = o.architecture;
  if (second) a = VaeArchitecture::wan2_2();
  a.dim = in.config.get_or(official ? "dim" : "base_dim", a.dim);
  if (!second) a.decoder_dim = a.dim;
  a.decoder_dim = in.config.get_or(official ? "dec_dim" : "decoder_base_dim", a.decoder_dim);
  a.z_dim = in.config.get_or("z_dim", a.z_dim);
  a.num_res_blocks = in.config.get_or("num_res_blocks", a.num_res_blocks);
  if (in.config.has("dim_mult")) a.dim_mult = in.config.get<std::vector<int64_t>>("dim_mult");
  if (in.config.has("temperal_downsample")) {
    a.temporal_downsample.clear();
    for (const config::View& item : in.config.at("temperal_downsample").items()) {
      a.temporal_downsample.push_back(item.as<bool>());
    }
  }
  if (!recording.parameters.empty()) o.dtype = parse_dtype(recording.parameters.front().tensor.dtype);
  o.implementation = official ? Implementation::official : Implementation::diffusers;
  o.attention = attention_of(recording);
  o.decode = in.workload.has("direction") ? in.workload.get<std::string>("direction") == "decode"
                                          : mentions(recording, ".decode");
  o.tiling.tiling = in.workload.get_or("tiling", false);
  o.tiling.slicing = in.workload.get_or("slicing", false);
  o.batch = in.workload.get_or<int64_t>("batch_size", 1);
  o.latent = latent_of(in.workload);
  o.frames = in.workload.get<int64_t>("num_frames");
  o.height = in.workload.get<int64_t>("height");
  o.width = in.workload.get<int64_t>("width");
  return std::make_unique<VaeStage>(o);
}

using Build = std::unique_ptr<Stage> (*)(const Recording&);

const std::vector<std::pair<std::string, Build>>& builders() {
  static const std::vector<std::pair<std::string, Build>> table = {
      {"WanModel", recorded_dit},
      {"VaceWanModel", recorded_dit},
      {"WanTransformer3DModel", recorded_dit},
      {"WanVACETransformer3DModel", recorded_dit},
      {"T5Encoder", recorded_text_encoder},
      {"UMT5EncoderModel", recorded_text_encoder},
      {"VisionTransformer", recorded_image_encoder},
      {"CLIPVisionModel", recorded_image_encoder},
      {"WanVAE_", recorded_vae},
      {"AutoencoderKLWan", recorded_vae},
      {"WanT2V", recorded_sampling},
      {"WanI2V", recorded_sampling},
      {"WanFLF2V", recorded_sampling},
      {"WanVace", recorded_sampling},
      {"WanTI2V", recorded_sampling},
      {"WanPipeline", recorded_sampling},
      {"WanImageToVideoPipeline", recorded_sampling},
      {"WanVACEPipeline", recorded_sampling},
  };
  return table;
}

}  // namespace

std::vector<std::string> recorded_classes() {
  std::vector<std::string> out;
  for (const auto& [klass, build] : builders()) out.push_back(klass);
  return out;
}

std::unique_ptr<Stage> recorded_stage(const Recording& recording, const std::string& root_class) {
  for (const auto& [klass, build] : builders()) {
    if (klass == root_class) return build(recording);
  }
  return nullptr;
}

}  // namespace modelmeter::wan
