#include "model/wan/official/attention.h"

namespace modelmeter::wan::official {
namespace {

bool is_half(DType dtype) { return dtype == DType::float16 || dtype == DType::bfloat16; }

// torch.cat([u[:n] for u, n in zip(x, lens)])
Tensor cut(const Tensor& x, const std::vector<int64_t>& lens) {
  TensorList parts;
  for (size_t i = 0; i < lens.size(); ++i) {
    parts.push_back(x.select(0, static_cast<int64_t>(i)).slice(0, 0, lens[i]));
  }
  return torch::cat(std::move(parts), 0);
}

// torch.cat([lens.new_zeros([1]), lens]).cumsum(0, dtype=torch.int32).to(device)
Tensor cumulative(const Tensor& lens) {
  if (lens.on_host()) {
    return torch::to_device(lens.tracer().host({lens.size(0) + 1}, DType::int32), DType::int32);
  }
  Tensor zero = torch::new_zeros(lens, {1});
  Tensor both = torch::cat({std::move(zero), lens}, 0);
  return torch::cumsum(std::move(both), 0, DType::int32);
}

Tensor lengths_on_device(Tracer& tracer, int64_t batch) {
  return torch::to_device(tracer.host({batch}, DType::int32), DType::int32);
}

}  // namespace

Tensor half(Tensor x) { return is_half(x.dtype()) ? x : torch::to(std::move(x), DType::bfloat16); }

Tensor flash_attention(Tensor q, Tensor k, Tensor v, const Tensor& k_lens_given, const std::vector<int64_t>& lens) {
  FunctionScope scope("core");
  Tracer& tracer = q.tracer();
  const int64_t b = q.size(0), lq = q.size(1), lk = k.size(1);
  const DType out_dtype = q.dtype();

  q = half(torch::flatten(q, 0, 1));
  Tensor q_lens = lengths_on_device(tracer, b);
  Tensor k_lens = k_lens_given;
  if (!k_lens.defined()) {
    k = half(torch::flatten(k, 0, 1));
    v = half(torch::flatten(v, 0, 1));
    k_lens = lengths_on_device(tracer, b);
  } else {
    k = half(cut(k, lens));
    v = half(cut(v, lens));
  }
  q = torch::to(std::move(q), v.dtype());
  k = torch::to(std::move(k), v.dtype());

  Tensor cu_seqlens_q = cumulative(q_lens);
  Tensor cu_seqlens_k = cumulative(k_lens);
  Tensor x = torch::flash_attn_varlen_func(q, k, v, std::move(cu_seqlens_q), std::move(cu_seqlens_k), lq, lk);
  x = x.unflatten(0, {b, lq});
  return torch::to(std::move(x), out_dtype);
}

namespace {

Tensor rotate(const Tensor& x, const BlockArguments& args) {
  FunctionScope scope("rope");
  const int64_t n = x.size(2), c = x.size(3) / 2;
  if (!args.freqs->defined()) *args.freqs = x.tracer().allocate(args.freqs_sizes, DType::complex128);
  const TensorList freqs = args.freqs->split({c - 2 * (c / 3), c / 3, c / 3}, 1);

  TensorList output;
  Tensor x_i, freqs_i;
  for (size_t i = 0; i < args.grid_sizes.size(); ++i) {
    const auto [f, h, w] = args.grid_sizes[i];
    const int64_t seq_len = f * h * w;
    const Tensor sample = x.select(0, static_cast<int64_t>(i));
    x_i = torch::to(sample.slice(0, 0, seq_len), DType::float64).view({seq_len, n, -1, 2}).view_as_complex();
    freqs_i = torch::cat({freqs[0].slice(0, 0, f).view({f, 1, 1, -1}).expand({f, h, w, -1}),
                          freqs[1].slice(0, 0, h).view({1, h, 1, -1}).expand({f, h, w, -1}),
                          freqs[2].slice(0, 0, w).view({1, 1, w, -1}).expand({f, h, w, -1})},
                         -1)
                  .view({seq_len, 1, -1});
    x_i = torch::mul(x_i, freqs_i).view_as_real().view({seq_len, n, -1});
    x_i = torch::cat({x_i, sample.slice(0, seq_len, x.size(1))}, 0);
    output.push_back(x_i);
  }
  Tensor stacked = torch::stack(output);
  return torch::to(std::move(stacked), DType::float32);
}

}  // namespace

Tensor rope_apply(Tensor x, const BlockArguments& args) {
  static const int32_t function = structure_id("wan::official::rope_apply");
  Tracer& tracer = x.tracer();
  if (args.grid_sizes.size() != 1) return rotate(x, args);
  const auto [f, h, w] = args.grid_sizes[0];
  return shared_call(tracer, function, {&x, args.freqs}, {f, h, w}, [&] { return rotate(x, args); });
}

}  // namespace modelmeter::wan::official
