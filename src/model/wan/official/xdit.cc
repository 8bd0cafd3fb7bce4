#include "model/wan/official/xdit.h"

namespace modelmeter::wan::official {
namespace {

// The exchange of a tensor whose first dimension are the ranks.
Tensor exchanged(const Tensor& input_t) {
  Tensor output = torch::empty_like(input_t);
  torch::distributed::all_to_all_single(output, input_t, default_group());
  return output;
}

// all_to_all_4D(input, 2, 1): [B, L / N, heads, d] to [B, L, heads / N, d]
Tensor scatter_heads(const Tensor& input) {
  const FunctionScope scope("all_to_all");
  const int64_t ranks = default_group().size, bs = input.size(0), shard_seqlen = input.size(1), hs = input.size(3);
  const int64_t seqlen = shard_seqlen * ranks, shard_hc = input.size(2) / ranks;
  const Tensor input_t =
      torch::contiguous(torch::reshape(input, {bs, shard_seqlen, ranks, shard_hc, hs}).transpose(0, 2));
  const Tensor output = torch::reshape(exchanged(input_t), {seqlen, bs, shard_hc, hs});
  return torch::contiguous(output.transpose(0, 1)).view({bs, seqlen, shard_hc, hs});
}

// all_to_all_4D(input, 1, 2): [B, L, heads / N, d] to [B, L / N, heads, d]
Tensor scatter_sequence(const Tensor& input) {
  const FunctionScope scope("all_to_all");
  const int64_t ranks = default_group().size, bs = input.size(0), shard_hc = input.size(2), hs = input.size(3);
  const int64_t shard_seqlen = input.size(1) / ranks, hc = shard_hc * ranks;
  const Tensor parts = torch::reshape(input, {bs, ranks, shard_seqlen, shard_hc, hs});
  const Tensor input_t =
      torch::contiguous(parts.transpose(0, 3).transpose(0, 1)).view({ranks, shard_hc, shard_seqlen, bs, hs});
  const Tensor output = torch::reshape(exchanged(input_t), {hc, shard_seqlen, bs, hs});
  return torch::contiguous(output.transpose(0, 2)).view({bs, shard_seqlen, hc, hs});
}

// xdit_ring_flash_attn_func of a ring of one.
Tensor attend_whole(const Tensor& q, const Tensor& k, const Tensor& v) {
  const FunctionScope scope("core");
  const SparseAttentionGuard sparse;
  const Tensor block_out = torch::flash_attn_func(q, k, v);
  Tensor out = torch::to(block_out, DType::float32);
  out = torch::to(out, q.dtype());
  return out;
}

}  // namespace

Tensor xfuser_attention(Tensor query, Tensor key, Tensor value) {
  const Tensor query_layer = scatter_heads(query);
  const Tensor key_layer = scatter_heads(key);
  const Tensor value_layer = scatter_heads(value);
  const Tensor out = attend_whole(query_layer, key_layer, value_layer);
  return scatter_sequence(out);
}

Tensor xfuser_all_gather(Tensor x) {
  const FunctionScope scope("all_gather");
  const ProcessGroup group = default_group();
  const int64_t ranks = group.size, b = x.size(0), s = x.size(1), c = x.size(2);
  Tensor out = torch::empty({ranks * b, s, c}, x.dtype());
  torch::distributed::all_gather_into_tensor(out, x, group);
  out = out.view({ranks, b, s, c}).transpose(0, 1);  // movedim(0, 1)
  return torch::reshape(out, {b, ranks * s, c});
}

}  // namespace modelmeter::wan::official
