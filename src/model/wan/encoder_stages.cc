#include "model/wan/encoder_stages.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "model/transformers/clip.h"
#include "model/transformers/umt5.h"
#include "model/wan/official/clip.h"
#include "model/wan/official/t5.h"
#include "model/wan/official/vae.h"
#include "model/wan/official/vae2_2.h"

namespace modelmeter::wan {
namespace {

const char* name_of(AttentionKernel kernel) { return kernel == AttentionKernel::flash ? "flash" : "math"; }

}  // namespace

// --- text encoder ----------------------------------------------------------------------------------------------------

TextEncoderStage::TextEncoderStage(const Options& options)
    : Stage("text_encoder/umt5", "text_encoder"), options_(options) {
  const auto hold = [&](auto model) {
    run_ = [m = model.get()](const Tensor& ids, const Tensor& mask) { (*m)(ids, mask); };
    layer_ = std::move(model);
  };
  if (options.implementation == Implementation::official) {
    hold(std::make_unique<official::T5Encoder>(BuildContext{options.dtype}, options.architecture));
  } else {
    hold(std::make_unique<transformers::UMT5EncoderModel>(BuildContext{options.dtype}, options.architecture));
  }
}

void TextEncoderStage::forward(Tracer& tracer) const {
  tracer.attention = options_.attention;
  const Tensor ids = tracer.input({options_.batch, options_.text_len}, DType::int64);
  const Tensor mask = tracer.input({options_.batch, options_.text_len}, DType::int64);
  run_(ids, mask);
}

RecordedInputs TextEncoderStage::recorded_inputs() const {
  const TextEncoderArchitecture& a = options_.architecture;
  const std::string workload = fmt::format(R"({{"batch_size":{},"text_len":{}}})", options_.batch, options_.text_len);
  if (options_.implementation == Implementation::official) {
    return {"official", "explicit",
            fmt::format(
                R"({{"vocab":{},"dim":{},"dim_attn":{},"dim_ffn":{},"num_heads":{},"num_layers":{},"num_buckets":{},)"
                R"("shared_pos":{}}})",
                a.vocab, a.dim, a.dim_attn, a.dim_ffn, a.num_heads, a.num_layers, a.num_buckets, a.shared_pos),
            workload};
  }
  return {"transformers", name_of(options_.attention),
          fmt::format(R"({{"vocab_size":{},"d_model":{},"d_kv":{},"d_ff":{},"num_layers":{},"num_heads":{}}})", a.vocab,
                      a.dim, a.head_dim(), a.dim_ffn, a.num_layers, a.num_heads),
          workload};
}

// --- image encoder ---------------------------------------------------------------------------------------------------

ImageEncoderStage::ImageEncoderStage(const Options& options) : Stage("image_encoder/clip", "other"), options_(options) {
  const auto hold = [&](auto model) {
    run_ = [m = model.get()](const Tensor& images) { (*m)(images); };
    layer_ = std::move(model);
  };
  if (options.implementation == Implementation::official) {
    hold(std::make_unique<official::VisionTransformer>(BuildContext{options.dtype}, options.architecture));
  } else {
    hold(std::make_unique<transformers::CLIPVisionModel>(BuildContext{options.dtype}, options.architecture));
  }
}

void ImageEncoderStage::forward(Tracer& tracer) const {
  tracer.attention = options_.attention;
  AutocastGuard autocast(options_.dtype, options_.implementation == Implementation::official);
  const int64_t side = options_.architecture.image_size;
  run_(tracer.input({options_.batch, 3, side, side}, DType::float32));
}

RecordedInputs ImageEncoderStage::recorded_inputs() const {
  const ImageEncoderArchitecture& a = options_.architecture;
  const std::string workload =
      fmt::format(R"({{"batch_size":{},"height":{},"width":{}}})", options_.batch, a.image_size, a.image_size);
  if (options_.implementation == Implementation::diffusers) {
    return {
        "transformers", name_of(options_.attention),
        fmt::format(R"({{"image_size":{},"patch_size":{},"hidden_size":{},"intermediate_size":{},"projection_dim":{},)"
                    R"("num_attention_heads":{},"num_hidden_layers":{},"hidden_act":"{}"}})",
                    a.image_size, a.patch_size, a.dim, a.dim * a.mlp_ratio, a.out_dim, a.num_heads, a.num_layers,
                    a.activation),
        workload};
  }
  return {"official", "flash",
          fmt::format(R"({{"image_size":{},"patch_size":{},"dim":{},"mlp_ratio":{},"out_dim":{},"num_heads":{},)"
                      R"("num_layers":{},"pre_norm":{},"activation":"{}"}})",
                      a.image_size, a.patch_size, a.dim, a.mlp_ratio, a.out_dim, a.num_heads, a.num_layers, a.pre_norm,
                      a.activation),
          workload};
}

// --- autoencoder -----------------------------------------------------------------------------------------------------

template <class Model, class... Args>
std::shared_ptr<Model> shared_or_new(const std::shared_ptr<BaseLayer>& shared, const Args&... args) {
  return shared ? std::static_pointer_cast<Model>(shared) : std::make_shared<Model>(args...);
}

VaeStage::VaeStage(const Options& options, const VaeStage* other)
    : Stage(options.decode ? "vae/decode" : "vae/encode", "vae"), options_(options) {
  if (options.implementation == Implementation::diffusers) {
    const auto model = shared_or_new<diffusers::AutoencoderKLWan>(
        other ? other->layer_ : nullptr, BuildContext{options.dtype}, options.architecture, options.tiling);
    diffusers_ = [m = model.get(), decode = options.decode](const Tensor& x) {
      if (decode) {
        m->decode(x);
      } else {
        m->encode(x);
      }
    };
    layer_ = model;
  } else if (options.architecture.is_residual) {
    hold_official<official::Wan2_2_VAE>(other);
  } else {
    hold_official<official::WanVAE>(other);
  }
}

template <class Model>
void VaeStage::hold_official(const VaeStage* other) {
  const auto model =
      shared_or_new<Model>(other ? other->layer_ : nullptr, BuildContext{options_.dtype}, options_.architecture);
  official_ = [m = model.get(), decode = options_.decode](const TensorList& x) {
    if (decode) {
      m->decode(x);
    } else {
      m->encode(x);
    }
  };
  layer_ = model;
}

void VaeStage::forward(Tracer& tracer) const {
  tracer.attention = options_.attention;
  const Shape& l = options_.latent;
  const Shape sample = options_.decode ? l : Shape{3, options_.frames, options_.height, options_.width};
  if (diffusers_) {
    Shape sizes = sample;
    sizes.insert(0, options_.batch);
    diffusers_(tracer.input(sizes, options_.dtype));
    return;
  }
  TensorList samples;
  for (int64_t i = 0; i < options_.batch; ++i) samples.push_back(tracer.input(sample, DType::float32));
  official_(samples);
}

RecordedInputs VaeStage::recorded_inputs() const {
  const VaeArchitecture& a = options_.architecture;
  const bool official = options_.implementation == Implementation::official;
  Shape latent = options_.latent;
  if (!official && latent.rank() == 4) latent.insert(0, options_.batch);
  std::string config =
      fmt::format(R"({{"{}":{},"{}":{},"z_dim":{},"dim_mult":[{}],"num_res_blocks":{},"temperal_downsample":[{}])",
                  official ? "dim" : "base_dim", a.dim, official ? "dec_dim" : "decoder_base_dim", a.decoder_dim,
                  a.z_dim, fmt::join(a.dim_mult, ","), a.num_res_blocks, fmt::join(a.temporal_downsample, ","));
  if (!official && a.is_residual) {
    config += fmt::format(R"(,"is_residual":true,"in_channels":{},"out_channels":{},"patch_size":{})", a.in_channels,
                          a.out_channels, a.patch_size);
  }
  return {official ? "official" : "diffusers", name_of(options_.attention), config + "}",
          fmt::format(R"({{"direction":"{}","batch_size":{},"num_frames":{},"height":{},"width":{},"latent":{}{}{}}})",
                      options_.decode ? "decode" : "encode", options_.batch, options_.frames, options_.height,
                      options_.width, latent.to_string(), options_.tiling.tiling ? R"(,"tiling":true)" : "",
                      options_.tiling.slicing ? R"(,"slicing":true)" : "")};
}

}  // namespace modelmeter::wan
