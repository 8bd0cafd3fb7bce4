// torch's attention: the fused kernels, and the composition of matrix products that runs without them
// (aten/src/ATen/native/transformers/attention.cpp).
#include "base/error.h"
#include "trace/functional.h"

namespace modelmeter::torch {
namespace {

// Keys that a query sees on average.
int64_t seen(const Tracer& tracer, int64_t keys) {
  const int64_t share = tracer.context.attention_density;
  return share == whole_share ? keys : (checked_mul(keys, share, "the number of keys") + whole_share - 1) / whole_share;
}

// at::_scaled_dot_product_attention_math. Narrow types are computed in float32; the scale is split over q and k.
Tensor attention_math(Tensor q, Tensor k, Tensor v, Tensor mask) {
  const DType original = q.dtype();
  if (original == DType::bfloat16 || original == DType::float16) {
    q = to(std::move(q), DType::float32);
    k = to(std::move(k), DType::float32);
    v = to(std::move(v), DType::float32);
  }
  Tensor scaled_q = mul(q, 1.0);
  Tensor scaled_k = mul(k.transpose(-2, -1), 1.0);
  Tensor scores = matmul(scaled_q, std::move(scaled_k));
  if (mask.defined()) scores = add(std::move(scores), mask);
  // _safe_softmax: rows that are all -inf become 0.
  Tensor weights = softmax(scores, -1);
  {
    Tensor masked = eq(scores, 0.0);
    masked = all(std::move(masked), -1, true);
    Tensor zero = zeros({}, weights.dtype());
    weights = where(std::move(masked), std::move(zero), std::move(weights));
  }
  scores.reset();
  Tensor returned_weights = to(weights, original);  // the second result, which is dropped
  Tensor out = matmul(weights, v);
  return to(std::move(out), original);
}

// What the flash kernels return beside the result: the softmax's log-sum-exp and the state of the random generator.
struct FlashExtras {
  FlashExtras(Tracer& tracer, const Shape& sizes)
      : logsumexp(tracer.allocate(sizes, DType::float32)),
        rng_state(tracer.allocate({2}, DType::uint64)),
        unused(tracer.allocate({}, DType::uint64)) {}
  Tensor logsumexp, rng_state, unused;
};

// at::_scaled_dot_product_efficient_attention: q, k, v [b, h, s, d]. A mask whose rows do not start at multiples of 8
// elements is padded and cut. Beside the result come the seed and the offset of the random generator.
Tensor attention_efficient(Tensor q, Tensor k, Tensor v, Tensor mask, bool is_causal) {
  Tracer& tracer = q.tracer();
  const int64_t b = q.size(0), h = q.size(1), sq = q.size(2), sk = k.size(2), d = v.size(3);
  if (mask.defined()) {
    const int64_t missing = (8 - sk % 8) % 8;
    if (missing > 0) mask = pad(mask, {0, missing}).narrow(3, 0, sk);
    mask = mask.expand({b, h, sq, sk});
  }
  Tensor out = tracer.allocate({b, h, sq, d}, {sq * h * d, d, h * d, 1}, q.dtype());
  const Tensor seed = tracer.allocate({}, DType::int64);
  const Tensor offset = tracer.allocate({}, DType::int64);
  Op& op =
      tracer.record(Kernel::sdpa_efficient, {&q, &k, &v, &mask}, {&out, &seed, &offset}, {b, sq, seen(tracer, sk)});
  op.causal = is_causal;
  return out;
}

// A bool mask as what is added to the scores: 0 where it is true, -inf elsewhere.
Tensor additive(Tensor mask, DType dtype) {
  const Tensor zero = scalar_tensor(dtype);
  const Tensor infinity = scalar_tensor(dtype);
  return where(std::move(mask), zero, infinity);
}

// Whether F.scaled_dot_product_attention can run flash attention.
bool runs_flash(const Tensor& q, const Tensor& mask) {
  return !mask.defined() && (q.dtype() == DType::bfloat16 || q.dtype() == DType::float16) && q.size(3) <= 256;
}

}  // namespace

Tensor scaled_dot_product_attention(Tensor q, Tensor k, Tensor v, Tensor mask, bool is_causal) {
  Tracer& tracer = q.tracer();
  mask = autocast_low(std::move(mask));
  v = autocast_low(std::move(v));
  k = autocast_low(std::move(k));
  q = autocast_low(std::move(q));
  if (mask.defined() && mask.dtype() == DType::boolean) mask = additive(std::move(mask), q.dtype());
  if (tracer.context.attention == AttentionKernel::math) {
    if (is_causal) throw Error(ErrorCode::internal, "causal attention by the math kernel is not modelled");
    return attention_math(std::move(q), std::move(k), std::move(v), std::move(mask));
  }
  if (!runs_flash(q, mask)) {
    return attention_efficient(std::move(q), std::move(k), std::move(v), std::move(mask), is_causal);
  }
  // The kernel takes heads of a multiple of 8; narrower ones are padded and the result is cut.
  const int64_t head_dim = v.size(3);
  if (const int64_t missing = (8 - head_dim % 8) % 8; missing > 0) {
    q = pad(std::move(q), {0, missing});
    k = pad(std::move(k), {0, missing});
    v = pad(std::move(v), {0, missing});
  }
  // The result lies in memory as the queries do: the kernel makes it by empty_like.
  const int64_t b = q.size(0), h = q.size(1), sq = q.size(2), d = v.size(3);
  Tensor out = tracer.allocate({b, h, sq, d}, elementwise_strides(q.sizes(), {&q}), q.dtype());
  FlashExtras extras(tracer, {b, h, sq});
  Op& op = tracer.record(Kernel::sdpa_flash, {&q, &k, &v}, {&out, &extras.logsumexp, &extras.rng_state, &extras.unused},
                         {b, sq, seen(tracer, k.size(2))});
  op.causal = is_causal;
  q.reset();
  k.reset();
  v.reset();
  return d == head_dim ? out : out.narrow(3, 0, head_dim);
}

Tensor flash_attn_varlen_func(Tensor q, Tensor k, Tensor v, Tensor cu_seqlens_q, Tensor cu_seqlens_k,
                              int64_t max_seqlen_q, int64_t max_seqlen_k) {
  Tracer& tracer = q.tracer();
  Tensor out = tracer.allocate({q.size(0), q.size(1), v.size(2)}, q.dtype());
  FlashExtras extras(tracer, {q.size(1), q.size(0)});
  tracer.record(Kernel::flash_attention_forward, {&q, &k, &v, &cu_seqlens_q, &cu_seqlens_k},
                {&out, &extras.logsumexp, &extras.rng_state, &extras.unused},
                {cu_seqlens_q.size(0) - 1, max_seqlen_q, seen(tracer, max_seqlen_k)});
  q.reset();
  k.reset();
  v.reset();
  cu_seqlens_q.reset();
  cu_seqlens_k.reset();
  return out;
}

Tensor flash_attn_func(Tensor q, Tensor k, Tensor v, bool causal) {
  Tracer& tracer = q.tracer();
  const int64_t b = q.size(0), sq = q.size(1), h = q.size(2);
  Tensor out = tracer.allocate({b, sq, h, v.size(3)}, q.dtype());
  FlashExtras extras(tracer, {b, h, sq});
  Op& op =
      tracer.record(Kernel::flash_attention_forward, {&q, &k, &v},
                    {&out, &extras.logsumexp, &extras.rng_state, &extras.unused}, {b, sq, seen(tracer, k.size(1))});
  op.causal = causal;
  q.reset();
  k.reset();
  v.reset();
  return out;
}

}  // namespace modelmeter::torch
