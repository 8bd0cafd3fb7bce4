// diffusers' dequantisation of GGUF tensors in PyTorch (quantizers/gguf/utils.py, after city96's ComfyUI-GGUF), to be
// read beside it: one function for each type, with its names; what a Python variable holds is held here as long.
#include "base/error.h"
#include "layer/stored_linear.h"
#include "trace/functional.h"

namespace modelmeter {
namespace {

// Columns [start, start + length) of blocks [n, bytes].
Tensor columns(const Tensor& blocks, int64_t start, int64_t length) { return blocks.narrow(1, start, length); }

Tensor half(const Tensor& blocks, int64_t start) { return columns(blocks, start, 2).view_dtype(DType::float16); }

// torch.tensor([...], device=...): made on the host.
Tensor constants(const Tensor& like, int64_t n) {
  return torch::to_device(like.tracer().host({n}, DType::uint8), DType::uint8);
}

// x [n, -1, 1, width] >> [0, 4] or [0, 2, 4, 6]
Tensor spread(const Tensor& x, int64_t width, int64_t shifts) {
  const Tensor view = torch::reshape(x, {x.size(0), -1, 1, width});
  return torch::rshift(view, constants(x, shifts).view({1, 1, shifts, 1}));
}

Tensor low_bits(Tensor x) { return torch::bitwise_and(std::move(x), 0x0F); }

Tensor to_uint32(const Tensor& bytes) {
  const Tensor x = torch::to(bytes, DType::int32);
  Tensor out = torch::bitwise_or(x.select(1, 0), torch::lshift(x.select(1, 1), 8));
  out = torch::bitwise_or(std::move(out), torch::lshift(x.select(1, 2), 16));
  out = torch::bitwise_or(std::move(out), torch::lshift(x.select(1, 3), 24));
  return out.unsqueeze(1);
}

struct ScaleMin {
  Tensor sc, min;
};

ScaleMin get_scale_min(const Tensor& given) {
  const int64_t n = given.size(0);
  const Tensor scales = torch::reshape(given, {n, 3, 4});
  const Tensor d = scales.narrow(1, 0, 1), m = scales.narrow(1, 1, 1), m_d = scales.narrow(1, 2, 1);
  const auto join = [&](const Tensor& low, bool upper) {
    Tensor first = torch::bitwise_and(low, 0x3F);
    Tensor rest = upper ? torch::rshift(m_d, 4) : low_bits(m_d);
    Tensor bits = torch::bitwise_and(torch::rshift(low, 2), 0x30);
    Tensor second = torch::bitwise_or(std::move(rest), std::move(bits));
    return torch::cat({std::move(first), std::move(second)}, -1).view({n, 8});
  };
  ScaleMin out;
  out.sc = join(d, false);
  out.min = join(m, true);
  return out;
}

Tensor dequantize_q8_0(const Tensor& blocks) {
  return torch::mul(half(blocks, 0), columns(blocks, 2, 32).view_dtype(DType::int8));
}

Tensor dequantize_q4_0(const Tensor& blocks) {
  const Tensor d = half(blocks, 0);
  Tensor qs = spread(columns(blocks, 2, 16), 16, 2);
  qs = torch::sub(torch::to(low_bits(qs).view({blocks.size(0), -1}), DType::int8), 8);
  return torch::mul(d, qs);
}

Tensor dequantize_q4_1(const Tensor& blocks) {
  const Tensor d = half(blocks, 0), m = half(blocks, 2);
  Tensor qs = spread(columns(blocks, 4, 16), 16, 2);
  qs = low_bits(qs).view({blocks.size(0), -1});
  return torch::add(torch::mul(d, qs), m);
}

// The fifth bits of Q5_0 and Q5_1, in bytes 4 of `qh_at`, joined with the four low ones after them.
Tensor five_bits(const Tensor& blocks, int64_t qh_at) {
  const int64_t n = blocks.size(0);
  Tensor qh = to_uint32(columns(blocks, qh_at, 4));
  qh = torch::rshift(qh, torch::arange(32, DType::int32).view({1, 32}));
  Tensor ql = spread(columns(blocks, qh_at + 4, 16), 16, 2);
  qh = torch::to(torch::bitwise_and(qh, 1), DType::uint8);
  ql = low_bits(ql).view({n, -1});
  return torch::bitwise_or(ql, torch::lshift(qh, 4));
}

Tensor dequantize_q5_0(const Tensor& blocks) {
  const Tensor d = half(blocks, 0);
  const Tensor qs = torch::sub(torch::to(five_bits(blocks, 2), DType::int8), 16);
  return torch::mul(d, qs);
}

Tensor dequantize_q5_1(const Tensor& blocks) {
  const Tensor d = half(blocks, 0), m = half(blocks, 2);
  const Tensor qs = five_bits(blocks, 4);
  return torch::add(torch::mul(d, qs), m);
}

Tensor dequantize_q2_k(const Tensor& blocks) {
  const int64_t n = blocks.size(0);
  const Tensor scales = columns(blocks, 0, 16), d = half(blocks, 80), dmin = half(blocks, 82);
  const Tensor dl = torch::mul(d, low_bits(scales)).view({n, 16, 1});
  const Tensor ml = torch::mul(dmin, torch::rshift(scales, 4)).view({n, 16, 1});
  const Tensor shift = constants(blocks, 4).view({1, 1, 4, 1});
  Tensor qs = torch::rshift(torch::reshape(columns(blocks, 16, 64), {n, -1, 1, 32}), shift);
  qs = torch::bitwise_and(std::move(qs), 3).view({n, 16, 16});
  return torch::sub(torch::mul(dl, qs), ml);
}

Tensor scales_of_q3_k(const Tensor& scales) {
  const int64_t n = scales.size(0);
  const auto spread_rows = [&](int64_t start, int64_t width, int64_t shifts) {
    const Tensor part = torch::reshape(columns(scales, start, width), {n, 1, width});
    return torch::rshift(part, constants(scales, shifts).view({1, shifts, 1})).view({n, 16});
  };
  const Tensor lscales = spread_rows(0, 8, 2);
  const Tensor hscales = spread_rows(8, 4, 4);
  Tensor low = low_bits(lscales);
  Tensor high = torch::lshift(torch::bitwise_and(hscales, 3), 4);
  return torch::sub(torch::to(torch::bitwise_or(std::move(low), std::move(high)), DType::int8), 32);
}

Tensor dequantize_q3_k(const Tensor& blocks) {
  const int64_t n = blocks.size(0);
  const Tensor d = half(blocks, 108);
  const Tensor scales = scales_of_q3_k(columns(blocks, 96, 12));
  const Tensor dl = torch::mul(d, scales).view({n, 16, 1});
  Tensor ql = spread(columns(blocks, 32, 64), 32, 4);
  const Tensor hmask = torch::reshape(columns(blocks, 0, 32), {n, -1, 1, 32});
  Tensor qh = torch::rshift(hmask, torch::arange(8, DType::uint8).view({1, 1, 8, 1}));
  ql = torch::bitwise_and(ql.view({n, 16, 16}), 3);
  qh = torch::bitwise_and(qh.view({n, 16, 16}), 1);
  qh = torch::bitwise_xor(qh, 1);
  Tensor low = torch::to(ql, DType::int8);
  Tensor high = torch::to(torch::lshift(qh, 2), DType::int8);
  const Tensor q = torch::sub(std::move(low), std::move(high));
  return torch::mul(dl, q);
}

Tensor dequantize_q4_k(const Tensor& blocks) {
  const int64_t n = blocks.size(0);
  const ScaleMin s = get_scale_min(columns(blocks, 4, 12));
  const Tensor d = torch::mul(half(blocks, 0), s.sc).view({n, -1, 1});
  const Tensor dm = torch::mul(half(blocks, 2), s.min).view({n, -1, 1});
  Tensor qs = spread(columns(blocks, 16, 128), 32, 2);
  qs = low_bits(qs).view({n, -1, 32});
  return torch::sub(torch::mul(d, qs), dm);
}

Tensor dequantize_q5_k(const Tensor& blocks) {
  const int64_t n = blocks.size(0);
  const ScaleMin s = get_scale_min(columns(blocks, 4, 12));
  const Tensor d = torch::mul(half(blocks, 0), s.sc).view({n, -1, 1});
  const Tensor dm = torch::mul(half(blocks, 2), s.min).view({n, -1, 1});
  Tensor ql = spread(columns(blocks, 48, 128), 32, 2);
  const Tensor bits = torch::reshape(columns(blocks, 16, 32), {n, -1, 1, 32});
  Tensor qh = torch::rshift(bits, torch::arange(8, DType::uint8).view({1, 1, 8, 1}));
  ql = low_bits(ql).view({n, -1, 32});
  qh = torch::bitwise_and(qh, 1).view({n, -1, 32});
  const Tensor q = torch::bitwise_or(ql, torch::lshift(qh, 4));
  return torch::sub(torch::mul(d, q), dm);
}

Tensor dequantize_q6_k(const Tensor& blocks) {
  const int64_t n = blocks.size(0);
  const Tensor scales = columns(blocks, 192, 16).view_dtype(DType::int8);
  const Tensor d = torch::mul(half(blocks, 208), scales).view({n, 16, 1});
  Tensor ql = spread(columns(blocks, 0, 128), 64, 2);
  ql = low_bits(ql).view({n, -1, 32});
  Tensor qh = spread(columns(blocks, 128, 64), 32, 4);
  qh = torch::bitwise_and(qh, 3).view({n, -1, 32});
  Tensor q = torch::to(torch::bitwise_or(ql, torch::lshift(qh, 4)), DType::int8);
  q = torch::sub(std::move(q), 32).view({n, 16, -1});
  return torch::mul(d, q);
}

Tensor dequantize_blocks(const Tensor& blocks, GgufType type) {
  switch (type) {
    case GgufType::q8_0: return dequantize_q8_0(blocks);
    case GgufType::q4_0: return dequantize_q4_0(blocks);
    case GgufType::q4_1: return dequantize_q4_1(blocks);
    case GgufType::q5_0: return dequantize_q5_0(blocks);
    case GgufType::q5_1: return dequantize_q5_1(blocks);
    case GgufType::q2_k: return dequantize_q2_k(blocks);
    case GgufType::q3_k: return dequantize_q3_k(blocks);
    case GgufType::q4_k: return dequantize_q4_k(blocks);
    case GgufType::q5_k: return dequantize_q5_k(blocks);
    case GgufType::q6_k: return dequantize_q6_k(blocks);
    case GgufType::none: break;
  }
  throw Error(ErrorCode::internal, "no type of GGUF");
}

}  // namespace

Tensor dequantize_gguf_tensor(Tensor bytes, const WeightFormat& format, const Shape& sizes) {
  const Tensor blocks = bytes.view({-1, format.block_bytes});
  bytes.reset();
  return dequantize_blocks(blocks, format.gguf).view(sizes);
}

}  // namespace modelmeter
