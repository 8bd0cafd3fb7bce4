#include "model/wan2_1/recorded_stage.h"

#include "base/error.h"
#include "config/yaml.h"
#include "model/wan2_1/dit_stage.h"

namespace modelmeter::wan2_1 {
namespace {

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

}  // namespace

std::unique_ptr<Stage> recorded_dit(const Recording& recording) {
  const config::Node config_node = config::parse_yaml(recording.config, "config of the reference");
  const config::Node workload_node = config::parse_yaml(recording.workload, "workload of the reference");
  const config::View workload(workload_node);
  Architecture a = read_architecture(config::View(config_node));

  Runtime runtime;
  const bool official = recording.implementation == "official";
  runtime.implementation = official ? Implementation::official : Implementation::diffusers;
  runtime.attention = recording.attention == "math" ? AttentionKernel::math : AttentionKernel::flash;
  runtime.weight_dtype = recorded_dtype(recording, "patch_embedding.weight", DType::float32);

  DiTWorkload w;
  w.batch = workload.get_or<int64_t>("batch_size", 1);
  w.latent = latent_of(workload);
  w.text_len = workload.get_or<int64_t>("text_len", a.text_len);
  a.text_len = w.text_len;
  w.token_timesteps = workload.get_or<bool>("token_timesteps", false);
  if (official) {
    w.seq_len = workload.get<int64_t>("seq_len");
    w.prompt_tokens = workload.get_or<int64_t>("prompt_tokens", w.text_len);
    w.image_dtype = recorded_image_dtype(recording);
  }
  return std::make_unique<DiTStage>(a, runtime, w);
}

}  // namespace modelmeter::wan2_1
