// Wan2.1's wan/distributed/xdit_context_parallel.py (@9737cba) and what it runs of xfuser 0.4.3 and yunchang 0.6.4, to
// be read beside them: xFuserLongContextAttention without a ring, all_to_all_4D, GroupCoordinator.all_gather.
//
// Ulysses as in distributed.h, but each exchange is one tensor (all_to_all_single), transposed before and after;
// padding is attended to as well; and the attention's result goes through float32, where a ring would add up its parts.
#pragma once

#include "model/wan/official/distributed.h"

namespace modelmeter::wan::official {

// q, k, v [B, L / N, heads, d] in 16 bits.
Tensor xfuser_attention(Tensor query, Tensor key, Tensor value);

// get_sp_group().all_gather(x, dim=1): x [B, L / N, C].
Tensor xfuser_all_gather(Tensor x);

}  // namespace modelmeter::wan::official
