#include "model/wan/official/distributed.h"

#include <fmt/format.h>

#include "base/error.h"
#include "model/wan/official/attention.h"

namespace modelmeter::wan::official {

ProcessGroup default_group() {
  const Rank rank = Tracer::current().context.rank;
  return {GroupAxis::ulysses, rank.count, rank.index, 1};
}

Tensor all_to_all(Tensor x, int scatter_dim, int gather_dim) {
  const FunctionScope scope("all_to_all");
  const ProcessGroup group = default_group();
  TensorList inputs = x.chunk(group.size, scatter_dim), outputs;
  for (Tensor& u : inputs) u = torch::contiguous(u);
  for (const Tensor& u : inputs) outputs.push_back(torch::empty_like(u));
  torch::distributed::all_to_all(outputs, inputs, group);
  x = torch::cat(outputs, gather_dim);
  return x;
}

Tensor gather_forward(Tensor input, int dim) {
  const FunctionScope scope("all_gather");
  const ProcessGroup group = default_group();
  TensorList parts;
  for (int32_t i = 0; i < group.size; ++i) parts.push_back(torch::empty_like(input));
  torch::distributed::all_gather(parts, input, group);
  return torch::cat(parts, dim);
}

Tensor chunk_of_rank(const Tensor& x, int dim) {
  const ProcessGroup group = default_group();
  const TensorList parts = x.chunk(group.size, dim);
  if (parts.size() > static_cast<size_t>(group.rank)) return parts[static_cast<size_t>(group.rank)];
  throw Error(fmt::format("a sequence of {} tokens is cut into {} parts: there is none for rank {}", x.size(dim),
                          parts.size(), group.rank));
}

namespace {

Tensor pad_freqs(const Tensor& original, int64_t target_len) {
  const Shape& sizes = original.sizes();
  if (target_len < sizes[0]) {
    throw Error(fmt::format("{} tokens do not fit into the {} of all ranks", sizes[0], target_len));
  }
  const Tensor padding = torch::ones({target_len - sizes[0], sizes[1], sizes[2]}, original.dtype());
  return torch::cat({original, padding}, 0);
}

Tensor rotate_part(const Tensor& x, const BlockArguments& args) {
  FunctionScope scope("rope");
  const ProcessGroup group = default_group();
  const int64_t s = x.size(1), n = x.size(2), c = x.size(3) / 2;
  if (!args.freqs->defined()) *args.freqs = x.tracer().allocate(args.freqs_sizes, DType::complex128);
  const TensorList freqs = args.freqs->split({c - 2 * (c / 3), c / 3, c / 3}, 1);

  TensorList output;
  Tensor x_i, freqs_i, freqs_i_rank;
  for (size_t i = 0; i < args.grid_sizes.size(); ++i) {
    const auto [f, h, w] = args.grid_sizes[i];
    const int64_t seq_len = f * h * w;
    const Tensor sample = x.select(0, static_cast<int64_t>(i));
    x_i = torch::to(sample, DType::float64).view({s, n, -1, 2}).view_as_complex();
    freqs_i = torch::cat({freqs[0].slice(0, 0, f).view({f, 1, 1, -1}).expand({f, h, w, -1}),
                          freqs[1].slice(0, 0, h).view({1, h, 1, -1}).expand({f, h, w, -1}),
                          freqs[2].slice(0, 0, w).view({1, 1, w, -1}).expand({f, h, w, -1})},
                         -1)
                  .view({seq_len, 1, -1});
    freqs_i = pad_freqs(freqs_i, s * group.size);
    freqs_i_rank = freqs_i.narrow(0, group.rank * s, s);
    x_i = torch::mul(x_i, freqs_i_rank).view_as_real().view({s, n, -1});
    x_i = torch::cat({x_i, sample.slice(0, s, s)}, 0);
    output.push_back(x_i);
  }
  Tensor stacked = torch::stack(output);
  return torch::to(std::move(stacked), DType::float32);
}

}  // namespace

Tensor sp_rope_apply(Tensor x, const BlockArguments& args) {
  static const int32_t function = structure_id("wan::official::sp_rope_apply");
  Tracer& tracer = x.tracer();
  if (args.grid_sizes.size() != 1) return rotate_part(x, args);
  const auto [f, h, w] = args.grid_sizes[0];
  return shared_call(tracer, function, {&x, args.freqs}, {f, h, w}, [&] { return rotate_part(x, args); });
}

Tensor distributed_attention(Tensor q, Tensor k, Tensor v, const Tensor& seq_lens, const std::vector<int64_t>& lens) {
  q = all_to_all(q, 2, 1);
  k = all_to_all(k, 2, 1);
  v = all_to_all(v, 2, 1);
  Tensor x;
  {
    const SparseAttentionGuard sparse;
    x = flash_attention(q, k, v, seq_lens, lens);
  }
  x = all_to_all(x, 1, 2);
  return x;
}

}  // namespace modelmeter::wan::official
