#include "model/wan2_1/dit_stage.h"

#include <fmt/format.h>

#include "base/error.h"

namespace modelmeter::wan2_1 {
namespace {

constexpr int64_t image_tokens = 257;  // CLIP ViT-H/14 at 224 pixels: 16 x 16 patches and the class token

int64_t images(const Architecture& a) { return a.pos_embed_seq_len > 0 ? 2 : 1; }

}  // namespace

Runtime Runtime::read(const config::View& view) {
  view.require_known_keys({"_target_", "implementation", "attention", "cfg", "weight_dtype", "autocast_dtype"});
  Runtime r;
  const bool official = view.get_choice("implementation", {"official", "diffusers"}) == "official";
  r.implementation = official ? Implementation::official : Implementation::diffusers;
  r.attention = view.get_choice("attention", {"flash", "math"}) == "flash" ? AttentionKernel::flash : AttentionKernel::math;
  if (official && r.attention == AttentionKernel::math) {
    throw view.at("attention").error("the official code runs flash attention only",
                                     {"runtime.implementation=diffusers has both kernels"});
  }
  r.cfg = view.get_or<bool>("cfg", true);
  const auto dtype = [&](const char* key, DType otherwise) {
    if (!view.has(key)) return otherwise;
    const DType given = parse_dtype(view.get<std::string>(key));
    if (given != DType::float32 && given != DType::bfloat16 && given != DType::float16) {
      throw view.at(key).expected("float32, bfloat16 or float16");
    }
    return given;
  };
  r.weight_dtype = dtype("weight_dtype", official ? DType::float32 : DType::bfloat16);
  r.autocast_dtype = dtype("autocast_dtype", DType::bfloat16);
  return r;
}

Fields Runtime::fields() const {
  const bool is_official = implementation == Implementation::official;
  Fields out = {{"implementation", std::string(is_official ? "official" : "diffusers")},
                {"attention", std::string(attention == AttentionKernel::flash ? "flash" : "math")},
                {"cfg", cfg},
                {"weight_dtype", std::string(torch_name(weight_dtype))}};
  if (is_official) out.emplace_back("autocast_dtype", std::string(torch_name(autocast_dtype)));
  return out;
}

DiTStage::DiTStage(const Architecture& a, const Runtime& runtime, const DiTWorkload& workload)
    : Stage("diffusion/dit", "diffusion"), a_(a), runtime_(runtime), workload_(workload) {
  if (runtime.implementation == Implementation::official) {
    official_ = std::make_unique<official::WanModel>(a, runtime.weight_dtype);
  } else {
    diffusers_ = std::make_unique<diffusers::WanTransformer3DModel>(a, runtime.weight_dtype);
  }
}

const BaseLayer& DiTStage::layer() const {
  if (official_) return *official_;
  return *diffusers_;
}

void DiTStage::forward(Tracer& tracer) const {
  tracer.attention = runtime_.attention;
  if (official_) {
    forward_official(tracer);
  } else {
    forward_diffusers(tracer);
  }
}

void DiTStage::forward_official(Tracer& tracer) const {
  AutocastGuard autocast(runtime_.autocast_dtype);
  const Shape& l = workload_.latent;
  official::DiTInputs in;
  for (int64_t i = 0; i < workload_.batch; ++i) {
    in.x.push_back(tracer.input(l, DType::float32));
    in.context.push_back(tracer.input({workload_.prompt_tokens, a_.text_dim}, DType::bfloat16));
    if (a_.image_conditioned()) in.y.push_back(tracer.input({a_.in_dim - l[0], l[1], l[2], l[3]}, DType::float32));
  }
  in.t = tracer.input({workload_.batch}, DType::int64);
  in.seq_len = workload_.seq_len;
  if (a_.image_conditioned()) {
    in.clip_fea = tracer.input({workload_.batch * images(a_), image_tokens, a_.image_dim}, workload_.image_dtype);
  }
  (*official_)(in);
}

void DiTStage::forward_diffusers(Tracer& tracer) const {
  const DType dtype = runtime_.weight_dtype;
  const Shape& l = workload_.latent;
  diffusers::DiTInputs in;
  in.hidden_states = tracer.input({workload_.batch, a_.in_dim, l[1], l[2], l[3]}, dtype);
  if (workload_.token_timesteps) {
    const int64_t tokens = l[1] / a_.patch_size[0] * (l[2] / a_.patch_size[1]) * (l[3] / a_.patch_size[2]);
    in.timestep = tracer.input({workload_.batch, tokens}, DType::float32);
  } else {
    in.timestep = tracer.input({workload_.batch}, DType::int64);
  }
  in.encoder_hidden_states = tracer.input({workload_.batch, workload_.text_len, a_.text_dim}, dtype);
  if (a_.image_conditioned()) {
    in.encoder_hidden_states_image = tracer.input({workload_.batch * images(a_), image_tokens, a_.image_dim}, dtype);
  }
  (*diffusers_)(in);
}

}  // namespace modelmeter::wan2_1
