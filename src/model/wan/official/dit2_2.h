// The twin of Wan2.2's official diffusion transformer: Wan-Video/Wan2.2 @42bf4cf, wan/modules/model.py, to be read
// beside it.
//
// Wan2.1's with a time step for every token, [B, L] (one for all is spread over them), so that the modulation of each
// block is [B, L, 6, C] in float32; and images condition it by channels alone, without a branch for CLIP. Built for
// several ranks of Ulysses it is wan/distributed's sp_dit_forward of one of them (distributed.h).
#pragma once

#include "model/wan/official/dit.h"

namespace modelmeter::wan::official {

class WanModel2_2 : public Module<WanModel2_2, WanModelBase> {
 public:
  WanModel2_2(const BuildContext& context, const Architecture& a);  // image_dim 0
  TensorList forward(const DiTInputs& in) const;                    // latents [out_dim, F, H, W] float32

 private:
  WanAttentionBlock blocks_;
};

}  // namespace modelmeter::wan::official
