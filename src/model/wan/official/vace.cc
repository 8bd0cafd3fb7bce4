#include "model/wan/official/vace.h"

#include "trace/repeat.h"

namespace modelmeter::wan::official {

VaceWanAttentionBlock::VaceWanAttentionBlock(const BuildContext& context, const Architecture& a, int64_t block_id)
    : Module(context, "VaceWanAttentionBlock", a), after_proj_(context, {a.dim, a.dim}) {
  if (block_id == 0) register_module("before_proj", before_proj_.emplace(context, LinearOptions{a.dim, a.dim}));
  register_module("after_proj", after_proj_);
}

std::pair<Tensor, Tensor> VaceWanAttentionBlock::forward(Tensor c, Tensor x, Tensor e,
                                                         const BlockArguments& args) const {
  if (before_proj_) {
    Tensor projected = (*before_proj_)(c);
    c = torch::add(std::move(projected), x);
  }
  c = WanAttentionBlockBase::forward(c, e, args);
  Tensor c_skip = after_proj_(c);
  return {std::move(c), std::move(c_skip)};
}

Tensor BaseWanAttentionBlock::forward(Tensor x, Tensor e, const BlockArguments& args, Tensor hint) const {
  x = WanAttentionBlockBase::forward(x, e, args);
  if (hint.defined()) {
    Tensor scaled = torch::mul(hint, 1.0);
    x = torch::add(x, std::move(scaled));
  }
  return x;
}

VaceWanModel::VaceWanModel(const BuildContext& context, const Architecture& a)
    : Module(context, "VaceWanModel", a),
      blocks_(context, a),
      vace_block_0_(context, a, 0),
      vace_blocks_(context, a, 1),
      vace_patch_embedding_(context, {a.vace_in_dim, a.dim, a.patch_size, a.patch_size, {0, 0, 0}}) {
  register_module_list("blocks", blocks_, a.num_layers);
  register_head();
  register_module_list("vace_blocks", vace_block_0_, 1);
  register_module_list("vace_blocks", vace_blocks_, static_cast<int64_t>(a.vace_layers.size()) - 1, 1);
  register_module("vace_patch_embedding", vace_patch_embedding_);
}

TensorList VaceWanModel::forward_vace(const Tensor& x, const DiTInputs& in, const Tensor& e0,
                                      const BlockArguments& args) const {
  Tensor c = embed_latents(vace_patch_embedding_, in.vace_context, in.seq_len);
  take_part(c);
  TensorList hints;
  const auto body = [&](int64_t i) {
    const VaceWanAttentionBlock& block = i == 0 ? vace_block_0_ : vace_blocks_;
    auto [next, c_skip] = block.call_as(i, c, x, e0, args);
    c = std::move(next);
    hints.push_back(std::move(c_skip));
  };
  const auto skip = [&](int64_t) { hints.push_back(untraced_like(hints.back())); };
  body(0);
  repeat_steadily(static_cast<int64_t>(a_.vace_layers.size()) - 1, {{&c}, {}}, [&](int64_t i) { body(i + 1); }, skip);
  return hints;
}

TensorList VaceWanModel::forward(const DiTInputs& in) const {
  std::vector<GridSize> grid_sizes;
  Tensor x = embed_latents(patch_embedding_, in.x, in.seq_len, &grid_sizes);
  const auto [e, e0_given] = embed_time(in.t);
  const Tensor& e0 = e0_given;
  Tensor context = embed_text(in.context);

  Tensor freqs;
  const BlockArguments args = block_arguments(&freqs, grid_sizes, std::move(context));
  take_part(x);
  const TensorList hints = forward_vace(x, in, e0, args);
  for (size_t n = 0; n < hints.size(); ++n) {
    const int64_t layer = a_.vace_layers[n];
    const int64_t next = n + 1 < hints.size() ? a_.vace_layers[n + 1] : a_.num_layers;
    x = blocks_.call_as(layer, x, e0, args, hints[n]);
    x = repeat(next - layer - 1, std::move(x), [&](int64_t i, const Tensor& state) {
      return blocks_.call_as(layer + 1 + i, state, e0, args, Tensor());
    });
  }
  return to_latents(std::move(x), e, grid_sizes);
}

}  // namespace modelmeter::wan::official
