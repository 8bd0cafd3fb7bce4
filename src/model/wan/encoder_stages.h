// The stages around the diffusion transformer: text encoder, image encoder, and the two directions of the autoencoder.
#pragma once

#include <functional>
#include <memory>

#include "model/analytic_model.h"
#include "model/transformers/encoder_architecture.h"
#include "model/wan/diffusers/vae.h"
#include "model/wan/dit_stage.h"
#include "model/wan/vae_architecture.h"

namespace modelmeter::wan {

using transformers::ImageEncoderArchitecture;
using transformers::TextEncoderArchitecture;

// UMT5: token ids and mask [batch, text_len]. official is t5.py; diffusers runs transformers' UMT5EncoderModel.
class TextEncoderStage : public Stage {
 public:
  struct Options {
    TextEncoderArchitecture architecture;
    Implementation implementation = Implementation::official;
    AttentionKernel attention = AttentionKernel::flash;  // of transformers; official is written out
    int64_t batch = 1, text_len = 512;
    int64_t forwards = 1;  // prompt, and negative prompt with guidance
    DType dtype = DType::bfloat16;
  };
  explicit TextEncoderStage(const Options& options);

  const BaseLayer& layer() const override { return *layer_; }
  int64_t forwards() const override { return options_.forwards; }
  void forward(Tracer& tracer) const override;
  RecordedInputs recorded_inputs() const override;

 private:
  Options options_;
  std::unique_ptr<BaseLayer> layer_;
  std::function<void(const Tensor&, const Tensor&)> run_;
};

// CLIP ViT-H/14 on images [batch, 3, image_size, image_size]. diffusers runs transformers' CLIPVisionModel.
class ImageEncoderStage : public Stage {
 public:
  struct Options {
    ImageEncoderArchitecture architecture;
    Implementation implementation = Implementation::official;
    AttentionKernel attention = AttentionKernel::flash;  // of transformers; official has flash_attn
    int64_t batch = 1;
    DType dtype = DType::float16;  // transformers: float32, as diffusers' documentation loads it
  };
  explicit ImageEncoderStage(const Options& options);

  const BaseLayer& layer() const override { return *layer_; }
  void forward(Tracer& tracer) const override;
  RecordedInputs recorded_inputs() const override;

 private:
  Options options_;
  std::unique_ptr<BaseLayer> layer_;
  std::function<void(const Tensor&)> run_;
};

// The autoencoder: latents to video, or video to latents.
class VaeStage : public Stage {
 public:
  struct Options {
    VaeArchitecture architecture;
    DType dtype = DType::float32;
    Implementation implementation = Implementation::official;
    AttentionKernel attention = AttentionKernel::flash;
    diffusers::VaeOptions tiling;  // diffusers only
    bool decode = true;
    int64_t batch = 1;
    Shape latent;                               // [C, T, h, w], of what is decoded
    int64_t frames = 0, height = 0, width = 0;  // of what is encoded
    int64_t forwards = 1;
  };
  // `other`: the stage of the other direction, whose autoencoder this one shares; or null.
  explicit VaeStage(const Options& options, const VaeStage* other = nullptr);

  const BaseLayer& layer() const override { return *layer_; }
  int64_t forwards() const override { return options_.forwards; }
  void forward(Tracer& tracer) const override;
  RecordedInputs recorded_inputs() const override;

 private:
  template <class Model>
  void hold_official(const VaeStage* other);

  Options options_;
  std::shared_ptr<BaseLayer> layer_;
  std::function<void(const TensorList&)> official_;
  std::function<void(const Tensor&)> diffusers_;
};

}  // namespace modelmeter::wan
