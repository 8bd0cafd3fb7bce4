// The twin of __call__ of diffusers' Wan pipelines (0.42.1, pipelines/wan/pipeline_wan.py, pipeline_wan_i2v.py,
// pipeline_wan_vace.py) without the models: from the prompt to the frames in host memory. Latents are float32, guidance
// runs in the transformer's type.
//
// Not modelled: lists of generators, VACE's reference images, callbacks.
#pragma once

#include "layer/base_layer.h"
#include "model/wan/diffusers/scheduler.h"
#include "model/wan/sampling.h"

namespace modelmeter::wan::diffusers {

class WanPipeline : public Module<WanPipeline> {
 public:
  explicit WanPipeline(const SamplingOptions& options);  // called as the pipeline's class
  void forward() const;

 private:
  struct Embeds {
    Tensor prompt, negative, image;
  };
  // What the denoising loop finds besides the latents, and holds.
  struct Conditions {
    Embeds embeds;
    Tensor image, last_image, condition;  // from the first and last frame
    Tensor scale, video, mask, control;   // VACE; text to video has a mask of ones
  };

  Embeds encode_prompt() const;
  Tensor get_t5_prompt_embeds() const;
  Tensor encode_image() const;
  Tensor prepare_image_condition(const Tensor& image, const Tensor& last_image) const;
  Tensor prepare_video_latents(const Tensor& video, Tensor mask) const;
  Tensor prepare_masks(const Tensor& mask) const;
  void denoise(FlowScheduler& scheduler, Tensor latents, Conditions& conditions) const;
  Tensor guide(const Tensor& noise_pred, const Tensor& noise_uncond) const;
  void decode(Tensor latents, Tensor& video) const;
  Tensor encode_video(const Tensor& video) const;

  bool two_experts() const { return o_.generation == Generation::wan2_2 && o_.task != Task::ti2v; }
  Shape batched(const Shape& sizes) const;

  SamplingOptions o_;
};

}  // namespace modelmeter::wan::diffusers
