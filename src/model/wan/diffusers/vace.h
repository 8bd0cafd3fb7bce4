// The twin of diffusers' VACE transformer: diffusers 0.42.1, models/transformers/transformer_wan_vace.py, to be read
// beside it.
//
// As the official one, with two differences that show in memory: each hint is let go once it is added, and the hidden
// states are a transposed view of the patch embedding, so that every norm of the main blocks first copies its input.
#pragma once

#include <optional>
#include <utility>

#include "model/wan/diffusers/dit.h"

namespace modelmeter::wan::diffusers {

class WanVACETransformerBlock : public Module<WanVACETransformerBlock, WanTransformerBlockBase> {
 public:
  WanVACETransformerBlock(const BuildContext& context, const Architecture& a, bool apply_input_projection);
  // The hint, and the control after the block.
  std::pair<Tensor, Tensor> forward(Tensor hidden_states, Tensor encoder_hidden_states, Tensor control_hidden_states,
                                    Tensor temb, const RotaryEmbedding& rotary) const;

 private:
  std::optional<Linear> proj_in_;  // of the first
  Linear proj_out_;
};

class WanVACETransformer3DModel : public Module<WanVACETransformer3DModel, WanTransformer3DModelBase> {
 public:
  WanVACETransformer3DModel(const BuildContext& context, const Architecture& a);
  Tensor forward(const DiTInputs& in) const;  // [B, out_dim, F, H, W]

 private:
  Conv vace_patch_embedding_;
  WanTransformerBlock blocks_;
  WanVACETransformerBlock vace_block_0_, vace_blocks_;  // the first, and the others
};

}  // namespace modelmeter::wan::diffusers
