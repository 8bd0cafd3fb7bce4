// The twin of the official VACE transformer: Wan-Video/Wan2.1 @9737cba, wan/modules/vace_model.py, to be read beside
// it.
//
// The text-to-video transformer and, beside it, blocks of the same kind that run first, on a control (masked video,
// references) over the whole sequence; each leaves a hint, which is added after one of the main blocks.
#pragma once

#include <utility>
#include <vector>

#include "model/wan/official/dit.h"

namespace modelmeter::wan::official {

class VaceWanAttentionBlock : public Module<VaceWanAttentionBlock, WanAttentionBlockBase> {
 public:
  VaceWanAttentionBlock(const BuildContext& context, const Architecture& a, int64_t block_id);
  // The control [B, L, C] after the block, and its hint.
  std::pair<Tensor, Tensor> forward(Tensor c, Tensor x, Tensor e, const BlockArguments& args) const;

 private:
  std::optional<Linear> before_proj_;  // of block 0
  Linear after_proj_;
};

class BaseWanAttentionBlock : public Module<BaseWanAttentionBlock, WanAttentionBlockBase> {
 public:
  BaseWanAttentionBlock(const BuildContext& context, const Architecture& a)
      : Module(context, "BaseWanAttentionBlock", a) {}
  Tensor forward(Tensor x, Tensor e, const BlockArguments& args, Tensor hint) const;  // hint: undefined for none
};

class VaceWanModel : public Module<VaceWanModel, WanModelBase> {
 public:
  VaceWanModel(const BuildContext& context, const Architecture& a);
  TensorList forward(const DiTInputs& in) const;  // latents [out_dim, F, H, W] float32

 private:
  TensorList forward_vace(const Tensor& x, const DiTInputs& in, const Tensor& e0, const BlockArguments& args) const;

  BaseWanAttentionBlock blocks_;
  VaceWanAttentionBlock vace_block_0_, vace_blocks_;  // the first, and the others
  Conv vace_patch_embedding_;
};

}  // namespace modelmeter::wan::official
