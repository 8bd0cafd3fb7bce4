// The twin of generate() of the official pipelines without the models: Wan-Video/Wan2.1 @9737cba, wan/text2video.py,
// image2video.py, first_last_frame2video.py, vace.py; Wan2.2 @42bf4cf, wan/text2video.py, image2video.py,
// textimage2video.py. From the prompt to the decoded video: transfers between host and device,
// conditions, the denoising loop with guidance and scheduler.
//
// Guidance and scheduler run under autocast as the transformer does. generate() makes one video and always guides;
// without guidance its arithmetic and the negative prompt are left out here. Not modelled: the image's resampling on
// the host, moving weights, what prepare_source() does with VACE's videos and images before.
#pragma once

#include "layer/base_layer.h"
#include "model/wan/sampling.h"

namespace modelmeter::wan::official {

class Generate : public Module<Generate> {
 public:
  explicit Generate(const SamplingOptions& options);  // called as the pipeline's class
  void forward(const RunSizes& run) const;

 private:
  SamplingOptions options_;
};

}  // namespace modelmeter::wan::official
