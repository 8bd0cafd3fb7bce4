#include "model/deepseek_ocr/remote/vision.h"

#include <cmath>

#include "trace/repeat.h"

namespace modelmeter::deepseek_ocr::remote {
namespace {

int64_t side_of(const Tensor& features) {
  return static_cast<int64_t>(std::sqrt(static_cast<double>(features.size(1))));
}

// torch.cat((clip[:, 1:], sam.flatten(2).permute(0, 2, 1)), dim=-1)
Tensor beside(const Tensor& clip, const Tensor& sam) {
  return torch::cat({clip.slice(1, 1, clip.size(1)), torch::flatten(sam, 2).permute({0, 2, 1})}, -1);
}

// A newline token behind each row of [rows, columns, n], then all in a row.
Tensor with_newlines(const Tensor& features, const Tensor& image_newline) {
  const int64_t n = features.size(2);
  Tensor out = torch::cat({features, image_newline.view({1, 1, n}).expand({features.size(0), 1, n})}, 1);
  return out.view({-1, n});
}

}  // namespace

MlpProjector::MlpProjector(const BuildContext& context, int64_t input_dim, int64_t n_embed)
    : Module("MlpProjector"), layers_(context, {input_dim, n_embed}) {
  register_module("layers", layers_);
}

void splice_images(const VisionModules& modules, const std::vector<PageImages>& images, const Tensor& images_seq_mask,
                   const Tensor& inputs_embeds, VisionLocals& l) {
  const LoopState locals{{&l.local_features_1, &l.local_features_2, &l.local_features, &l.global_features_1,
                          &l.global_features_2, &l.global_features, &l.global_local_features, &l.images_in_this_batch},
                         {}};
  repeat_steadily(static_cast<int64_t>(images.size()), locals, [&](int64_t idx) {
    l.images_in_this_batch.reset();  // an empty list
    const PageImages& image = images[static_cast<size_t>(idx)];
    torch::sum(image.patches);  // not 0 where there are tiles; read back to the host
    if (image.has_tiles()) {
      l.local_features_1 = modules.sam_model(image.patches);
      l.local_features_2 = modules.vision_model(image.patches, l.local_features_1);
      l.local_features = beside(l.local_features_2, l.local_features_1);
      l.local_features = modules.projector(l.local_features);
    }
    l.global_features_1 = modules.sam_model(image.original);
    l.global_features_2 = modules.vision_model(image.original, l.global_features_1);
    l.global_features = beside(l.global_features_2, l.global_features_1);
    l.global_features = modules.projector(l.global_features);

    const int64_t h = side_of(l.global_features), n_dim = l.global_features.size(2);
    l.global_features = l.global_features.view({h, h, n_dim});
    l.global_features = with_newlines(l.global_features, modules.image_newline);
    if (image.has_tiles()) {
      const int64_t h2 = side_of(l.local_features), rows = image.rows, columns = image.columns;
      l.local_features = torch::reshape(l.local_features.view({rows, columns, h2, h2, n_dim}).permute({0, 2, 1, 3, 4}),
                                        {rows * h2, columns * h2, n_dim});
      l.local_features = with_newlines(l.local_features, modules.image_newline);
      l.global_local_features =
          torch::cat({l.local_features, l.global_features, modules.view_seperator.unsqueeze(0)}, 0);
    } else {
      l.global_local_features = torch::cat({l.global_features, modules.view_seperator.unsqueeze(0)}, 0);
    }
    l.images_in_this_batch = torch::cat({l.global_local_features}, 0);
    torch::masked_scatter_(inputs_embeds.select(0, idx), images_seq_mask.select(0, idx).unsqueeze(-1),
                           l.images_in_this_batch);
  });
}

}  // namespace modelmeter::deepseek_ocr::remote
