// The twin of __call__ of diffusers' Wan pipelines (0.42.1, pipelines/wan/pipeline_wan.py, pipeline_wan_i2v.py,
// pipeline_wan_vace.py) without the models: from the prompt to the frames in host memory. Latents are float32, guidance
// runs in the transformer's type.
//
// Not modelled: lists of generators, callbacks.
#pragma once

#include "layer/base_layer.h"
#include "model/wan/sampling.h"

namespace modelmeter::wan::diffusers {

class WanPipeline : public Module<WanPipeline> {
 public:
  explicit WanPipeline(const SamplingOptions& options);  // called as the pipeline's class
  void forward(const RunSizes& run) const;

 private:
  SamplingOptions options_;
};

}  // namespace modelmeter::wan::diffusers
