#include "model/wan/official/dit2_2.h"

#include "model/wan/step_cache.h"
#include "trace/repeat.h"

namespace modelmeter::wan::official {

WanModel2_2::WanModel2_2(const BuildContext& context, const Architecture& a)
    : Module(context, "WanModel", a), blocks_(context, a, "WanCrossAttention") {
  register_module_list("blocks", blocks_, a.num_layers);
  register_head();
}

TensorList WanModel2_2::forward(const DiTInputs& in) const {
  TensorList latents = in.x;
  if (!in.y.empty()) {
    for (size_t i = 0; i < latents.size(); ++i) latents[i] = torch::cat({latents[i], in.y[i]}, 0);
  }

  std::vector<GridSize> grid_sizes;
  Tensor x = embed_latents(patch_embedding_, std::move(latents), in.seq_len, &grid_sizes);
  TimeEmbedding time = embed_time(in.t.dim() == 1 ? in.t.unsqueeze(1).expand({-1, in.seq_len}) : in.t);
  Tensor context = embed_text(in.context);
  take_part(x, time);

  Tensor freqs;
  const BlockArguments args = block_arguments(&freqs, grid_sizes, std::move(context));
  x = run_blocks(std::move(x), time.e0, DType::float32, [&](Tensor hidden) {
    return repeat(a_.num_layers, std::move(hidden),
                  [&](int64_t i, const Tensor& state) { return blocks_.call_as(i, state, time.e0, args); });
  });
  return to_latents(std::move(x), time.e, grid_sizes);
}

}  // namespace modelmeter::wan::official
