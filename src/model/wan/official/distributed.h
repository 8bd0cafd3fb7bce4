// Wan2.2's wan/distributed (@42bf4cf), to be read beside it: sequence_parallel.py, ulysses.py and util.py.
//
// Ulysses: each rank has a part of the sequence, padded to a multiple of the ranks, and all heads; around
// self-attention q, k and v are exchanged, one after another, for the whole sequence of a part of the heads, and the
// result back. With x the rank's [B, L / N, heads, d], each of the four exchanges sends (N - 1) / N of it.
#pragma once

#include "model/wan/official/dit.h"
#include "trace/distributed.h"

namespace modelmeter::wan::official {

// torch.distributed's default group, of the rank that the context names.
ProcessGroup default_group();

Tensor all_to_all(Tensor x, int scatter_dim, int gather_dim);
Tensor gather_forward(Tensor input, int dim);
// This rank's part of the sequence: torch.chunk(x, get_world_size(), dim)[get_rank()]
Tensor chunk_of_rank(const Tensor& x, int dim);

// sequence_parallel.py's rope_apply: x [B, L / N, heads, d] of this rank.
Tensor sp_rope_apply(Tensor x, const BlockArguments& args);

// q, k, v [B, L / N, heads, d], of which the caller may keep a handle.
Tensor distributed_attention(Tensor q, Tensor k, Tensor v, const Tensor& seq_lens, const std::vector<int64_t>& lens);

}  // namespace modelmeter::wan::official
