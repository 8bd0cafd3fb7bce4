// The twin of the official wan/modules/attention.py and of the rotary embedding in model.py.
#pragma once

#include <optional>

#include "model/wan/official/dit.h"

namespace modelmeter::wan::official {

// flash_attention(): q [B, Lq, N, D], k and v [B, Lk, N, D]; with `k_lens` (host, [B]) keys are cut to `lens` per
// sample.
Tensor flash_attention(Tensor q, Tensor k, Tensor v, const Tensor& k_lens, const std::vector<int64_t>& lens);

// half(): to bfloat16 what is of 32 bits.
Tensor half(Tensor x);

// rope_apply(): x [B, L, N, D] -> float32 of the same shape, by a product of complex128 numbers.
Tensor rope_apply(Tensor x, const BlockArguments& args);

}  // namespace modelmeter::wan::official
