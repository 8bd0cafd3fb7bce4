#include "model/wan/dit_stage.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "model/wan/diffusers/vace.h"
#include "model/wan/official/dit2_2.h"
#include "model/wan/official/vace.h"

namespace modelmeter::wan {
namespace {

constexpr int64_t image_tokens = 257;  // CLIP ViT-H/14 at 224 pixels: 16 x 16 patches and the class token

int64_t images(const Architecture& a) { return a.pos_embed_seq_len > 0 ? 2 : 1; }

}  // namespace

Runtime Runtime::read(const config::View& view) {
  view.require_known_keys({"implementation", "attention", "cfg", "scheduler", "weight_dtype", "autocast_dtype",
                           "residency", "t5_cpu", "vae_tiling", "allow_unsupported"});
  Runtime r;
  const bool official = view.get_choice("implementation", {"official", "diffusers"}) == "official";
  r.implementation = official ? Implementation::official : Implementation::diffusers;
  r.attention =
      view.get_choice("attention", {"flash", "math"}) == "flash" ? AttentionKernel::flash : AttentionKernel::math;
  if (official && r.attention == AttentionKernel::math) {
    throw view.at("attention")
        .error("the official code runs flash attention only", {"runtime.implementation=diffusers has both kernels"});
  }
  r.cfg = view.get_or<bool>("cfg", true);
  if (view.has("scheduler") && view.get_choice("scheduler", {"unipc", "dpm++"}) == "dpm++") {
    r.scheduler = Scheduler::dpm_solver;
    if (!official) {
      throw view.at("scheduler")
          .error("diffusers' Wan pipelines come with UniPC; their DPM-Solver++ is not modelled",
                 {"runtime.implementation=official has both schedulers"});
    }
  }
  const auto dtype = [&](const char* key, DType otherwise) {
    return view.has(key) ? parse_dtype(view.get_choice(key, {"float32", "bfloat16", "float16"})) : otherwise;
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

DiTStage::DiTStage(const Architecture& a, const Runtime& runtime, const DiTWorkload& workload, const std::string& id)
    : Stage(id, "diffusion"), a_(a), runtime_(runtime), workload_(workload) {
  const bool vace = !a.vace_layers.empty();
  if (runtime.implementation == Implementation::diffusers) {
    if (vace) {
      hold<diffusers::WanVACETransformer3DModel>(diffusers_);
    } else {
      hold<diffusers::WanTransformer3DModel>(diffusers_);
    }
  } else if (a.generation == Generation::wan2_2) {
    hold<official::WanModel2_2>(official_);
  } else if (vace) {
    hold<official::VaceWanModel>(official_);
  } else {
    hold<official::WanModel>(official_);
  }
}

template <class Model, class Run>
void DiTStage::hold(Run& run) {
  auto model = std::make_unique<Model>(BuildContext{runtime_.weight_dtype}, a_);
  run = [m = model.get()](const auto& inputs) { (*m)(inputs); };
  layer_ = std::move(model);
}

RecordedInputs DiTStage::recorded_inputs() const {
  const Architecture& a = a_;
  const DiTWorkload& w = workload_;
  const std::string attention = runtime_.attention == AttentionKernel::flash ? "flash" : "math";
  const auto vace = [&](const char* channels) {
    return a.vace_layers.empty()
               ? std::string()
               : fmt::format(R"(,"vace_layers":[{}],"{}":{})", fmt::join(a.vace_layers, ","), channels, a.vace_in_dim);
  };
  const std::string timesteps = !w.token_timesteps ? ""
                                                   : fmt::format(R"(,"token_timesteps":true,"timestep_dtype":"{}")",
                                                                 short_name(w.timestep_dtype));
  if (official_) {
    return {"official", attention,
            fmt::format(
                R"({{"model_type":"{}","patch_size":{},"text_len":{},"in_dim":{},"dim":{},"ffn_dim":{},"freq_dim":{},)"
                R"("text_dim":{},"out_dim":{},"num_heads":{},"num_layers":{},"qk_norm":{},"cross_attn_norm":{}{}}})",
                a.model_type, a.patch_size.to_string(), a.text_len, a.in_dim, a.dim, a.ffn_dim, a.freq_dim, a.text_dim,
                a.out_dim, a.num_heads, a.num_layers, a.qk_norm, a.cross_attn_norm, vace("vace_in_dim")),
            fmt::format(R"({{"batch_size":{},"latent":{},"text_len":{},"prompt_tokens":{},"seq_len":{}{}}})", w.batch,
                        w.latent.to_string(), w.text_len, w.prompt_tokens, w.seq_len, timesteps)};
  }
  const auto or_null = [](int64_t value) { return value > 0 ? std::to_string(value) : "null"; };
  return {
      "diffusers", attention,
      fmt::format(
          R"({{"patch_size":{},"num_attention_heads":{},"attention_head_dim":{},"in_channels":{},"out_channels":{},)"
          R"("text_dim":{},"freq_dim":{},"ffn_dim":{},"num_layers":{},"cross_attn_norm":{},"image_dim":{},)"
          R"("rope_max_seq_len":{},"pos_embed_seq_len":{}{}}})",
          a.patch_size.to_string(), a.num_heads, a.head_dim(), a.in_dim, a.out_dim, a.text_dim, a.freq_dim, a.ffn_dim,
          a.num_layers, a.cross_attn_norm, or_null(a.image_dim), a.rope_max_seq_len, or_null(a.pos_embed_seq_len),
          vace("vace_in_channels")),
      fmt::format(R"({{"batch_size":{},"latent":{},"text_len":{}{}}})", w.batch,
                  Shape{w.batch, a.in_dim, w.latent[1], w.latent[2], w.latent[3]}.to_string(), w.text_len, timesteps)};
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
    if (const int64_t condition = a_.in_dim - l[0]; condition > 0) {
      in.y.push_back(tracer.input({condition, l[1], l[2], l[3]}, DType::float32));
    }
    if (a_.vace_in_dim > 0) in.vace_context.push_back(tracer.input({a_.vace_in_dim, l[1], l[2], l[3]}, DType::float32));
  }
  in.seq_len = workload_.seq_len;
  in.t = workload_.token_timesteps ? tracer.input({workload_.batch, in.seq_len}, workload_.timestep_dtype)
                                   : tracer.input({workload_.batch}, workload_.timestep_dtype);
  if (a_.image_conditioned()) {
    in.clip_fea = tracer.input({workload_.batch * images(a_), image_tokens, a_.image_dim}, workload_.image_dtype);
  }
  official_(in);
}

void DiTStage::forward_diffusers(Tracer& tracer) const {
  const DType dtype = runtime_.weight_dtype;
  const Shape& l = workload_.latent;
  diffusers::DiTInputs in;
  in.hidden_states = tracer.input({workload_.batch, a_.in_dim, l[1], l[2], l[3]}, dtype);
  const int64_t tokens = l[1] / a_.patch_size[0] * (l[2] / a_.patch_size[1]) * (l[3] / a_.patch_size[2]);
  in.timestep = workload_.token_timesteps ? tracer.input({workload_.batch, tokens}, workload_.timestep_dtype)
                                          : tracer.input({workload_.batch}, workload_.timestep_dtype);
  in.encoder_hidden_states = tracer.input({workload_.batch, workload_.text_len, a_.text_dim}, dtype);
  if (a_.image_conditioned()) {
    in.encoder_hidden_states_image = tracer.input({workload_.batch * images(a_), image_tokens, a_.image_dim}, dtype);
  }
  if (a_.vace_in_dim > 0) {
    in.control_hidden_states = tracer.input({workload_.batch, a_.vace_in_dim, l[1], l[2], l[3]}, dtype);
  }
  diffusers_(in);
}

}  // namespace modelmeter::wan
