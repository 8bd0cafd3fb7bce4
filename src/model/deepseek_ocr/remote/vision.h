// The twin of the vision part of DeepseekOCRModel.forward (modeling_deepseekocr.py) with MlpProjector (deepencoder.py):
// both encoders on the tiles and on the whole page, newlines and separator between their tokens, and their place among
// the embeddings of the prompt.
#pragma once

#include <vector>

#include "model/deepseek_ocr/remote/clip.h"
#include "model/deepseek_ocr/remote/sam.h"

namespace modelmeter::deepseek_ocr::remote {

// projector_type "linear".
class MlpProjector : public Module<MlpProjector> {
 public:
  MlpProjector(const BuildContext& context, int64_t input_dim, int64_t n_embed);
  Tensor forward(Tensor x) const { return layers_(x); }

 private:
  Linear layers_;
};

// One page.
struct PageImages {
  Tensor patches;   // [columns x rows, 3, n, n]: the tiles; without tiles infer() gives zeros [1, 3, n, n] of float32
  Tensor original;  // [1, 3, n, n]: the whole page
  int64_t columns = 1, rows = 1;  // images_spatial_crop

  bool has_tiles() const { return columns > 1 || rows > 1; }
};

// The locals of DeepseekOCRModel.forward: Python keeps them until it returns, so that they live on through the decoder.
struct VisionLocals {
  Tensor local_features_1, local_features_2, local_features;
  Tensor global_features_1, global_features_2, global_features;
  Tensor global_local_features, images_in_this_batch;
};

struct VisionModules {
  const ImageEncoderViT& sam_model;
  const VitModel& vision_model;
  const MlpProjector& projector;
  Tensor image_newline, view_seperator;  // [n_embed]; the spelling is the checkpoint's
};

// Writes each page's tokens into inputs_embeds [pages, tokens, n_embed] where images_seq_mask [pages, tokens] says.
void splice_images(const VisionModules& modules, const std::vector<PageImages>& images, const Tensor& images_seq_mask,
                   const Tensor& inputs_embeds, VisionLocals& locals);

}  // namespace modelmeter::deepseek_ocr::remote
