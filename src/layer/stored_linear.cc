#include "layer/stored_linear.h"

#include "layer/layerwise_cast.h"
#include "layer/linear.h"

namespace modelmeter {
namespace {

// bitsandbytes' fused kernel takes up to so many tokens on every device (_GEMM_4BIT_CUSTOM_FLOOR_M).
constexpr int64_t most_fused_rows = 4;
constexpr int64_t padded_columns = 1024;

Tensor rows_of(const Tensor& x) { return torch::reshape(x, {-1, x.size(-1)}); }

Shape with_columns(Shape sizes, int64_t columns) {
  sizes[sizes.rank() - 1] = columns;
  return sizes;
}

// A product by packed weights: scales first, then x [m, k] and the packed values.
Tensor packed_product(Kernel kernel, const StoredWeight& w, const Tensor& x, int64_t columns) {
  Tensor out = x.tracer().allocate({x.size(0), columns}, x.dtype());
  TensorList in;
  for (size_t i = 1; i < w.tensors.size(); ++i) in.push_back(w.tensors[i]);
  in.push_back(x);
  in.push_back(w.tensors[0]);
  x.tracer().record(kernel, in, out);
  return out;
}

// --- GGUF (diffusers GGUFLinear) -------------------------------------------------------------------------------------

Tensor gguf_linear(const StoredWeight& w, Tensor x, Tensor bias) {
  Tensor weight = dequantize_gguf_tensor(w.tensors[0], w.format, w.sizes);
  weight = torch::to(std::move(weight), w.dtype);
  if (bias.defined()) bias = torch::to(std::move(bias), w.dtype);
  return torch::linear(std::move(x), std::move(weight), std::move(bias));
}

// --- bitsandbytes ----------------------------------------------------------------------------------------------------

Tensor bnb_absmax(const StoredWeight& w) {
  if (!w.format.nested) return w.tensors[1];
  Tracer& tracer = w.tensors[1].tracer();
  const Tensor absmax = tracer.allocate(w.tensors[1].sizes(), DType::float32);
  tracer.record(Kernel::dequantize_blockwise, {&w.tensors[1], &w.tensors[3], &w.tensors[4]}, {&absmax});
  return torch::add(absmax, w.tensors[5]);
}

Tensor bnb_4bit_linear(const StoredWeight& w, Tensor x, Tensor bias) {
  const DType given = x.dtype();
  x = torch::to(std::move(x), w.dtype);
  const int64_t rows = x.numel() / x.size(-1);
  Tensor out;
  if (rows <= most_fused_rows && x.size(-1) % w.format.group == 0) {
    out = packed_product(Kernel::gemm_4bit, w, rows_of(x), w.sizes[0]).view(with_columns(x.sizes(), w.sizes[0]));
    if (bias.defined()) out = torch::add_(std::move(out), std::move(bias));
  } else {
    const Tensor absmax = bnb_absmax(w);
    const Tensor weight = x.tracer().allocate(w.sizes, w.dtype);
    x.tracer().record(Kernel::dequantize_4bit, {&w.tensors[0], &absmax, &w.tensors[2]}, {&weight});
    out = torch::linear(std::move(x), weight, std::move(bias));
  }
  return torch::to(std::move(out), given);
}

struct QuantisedRows {
  Tensor values, scales;
};

// int8_vectorwise_quant with a threshold for outliers, of which it finds none.
QuantisedRows quantise_rows(const Tensor& a) {
  Tracer& tracer = a.tracer();
  QuantisedRows out;
  out.scales = tracer.allocate({a.size(0)}, DType::float32);
  out.values = tracer.allocate(a.sizes(), DType::int8);
  const Tensor outliers = torch::ge(torch::abs(a), 6.0);
  torch::any(outliers);
  const Tensor columns = torch::empty({0}, DType::int64);
  tracer.record(Kernel::int8_vectorwise_quant, {&a}, {&out.values, &out.scales});
  return out;
}

Tensor bnb_int8_linear(const StoredWeight& w, const Tensor& x, Tensor bias) {
  Tracer& tracer = x.tracer();
  const Tensor a = rows_of(x);
  const QuantisedRows rows = quantise_rows(torch::to(a, DType::float16));
  const Tensor product = tracer.allocate({a.size(0), w.sizes[0]}, DType::int32);
  const Tensor transposed = w.tensors[0].t();
  tracer.record(Kernel::int8_linear_matmul, {&rows.values, &transposed}, {&product});
  Tensor out = tracer.allocate(product.sizes(), DType::float16);
  const bool fused = bias.defined() && bias.dtype() == DType::float16;
  const Tensor none;
  tracer.record(Kernel::int8_mm_dequant, {&product, &rows.scales, &w.tensors[1], fused ? &bias : &none}, {&out});
  if (bias.defined() && !fused) out = torch::add_(std::move(out), std::move(bias));
  out = torch::to(std::move(out), x.dtype());
  return out.view(with_columns(x.sizes(), w.sizes[0]));
}

// --- torchao ---------------------------------------------------------------------------------------------------------

Tensor torchao_int8_linear(const StoredWeight& w, const Tensor& x, Tensor bias) {
  Tensor product = torch::matmul(rows_of(x), torch::to(w.tensors[0].t(), x.dtype()));
  Tensor out = torch::mul(product, torch::to(w.tensors[1], product.dtype()).view({-1}));
  out = out.view(with_columns(x.sizes(), w.sizes[0]));
  return bias.defined() ? torch::add_(std::move(out), std::move(bias)) : out;
}

Tensor torchao_int4_linear(const StoredWeight& w, const Tensor& x, Tensor bias) {
  Tensor a = torch::to(rows_of(x), DType::bfloat16);
  const int64_t missing = (padded_columns - a.size(1) % padded_columns) % padded_columns;
  a = torch::pad(std::move(a), {0, missing});
  Tensor out = packed_product(Kernel::weight_int4pack_mm, w, a, w.tensors[0].size(0) * 8);
  a.reset();
  out = torch::reshape(out.slice(1, 0, w.sizes[0]), with_columns(x.sizes(), w.sizes[0]));
  if (bias.defined()) {
    bias = torch::to(std::move(bias), out.dtype());
    out = torch::add_(std::move(out), std::move(bias));
  }
  return torch::to(std::move(out), x.dtype());
}

// One scale for the whole of x: its largest value, divided by float8's.
Tensor scale_of(const Tensor& x) {
  Tracer& tracer = x.tracer();
  const Tensor values = torch::abs(x);
  Tensor largest = tracer.allocate({1, 1}, x.dtype());
  tracer.record(Kernel::amax, {&values}, {&largest});
  return torch::to(torch::div(std::move(largest), 448.0), DType::float32);
}

Tensor to_float8(const Tensor& x, const Tensor& scale) {
  const Tensor wide = torch::to(x, DType::float32);
  const Tensor scaled = torch::div(wide, scale);
  const Tensor clamped = torch::clamp(scaled);
  return torch::to(clamped, DType::float8_e4m3fn);
}

Tensor scaled_linear(const StoredWeight& w, const Tensor& x, const Tensor& bias) {
  Tracer& tracer = x.tracer();
  const Tensor rows = rows_of(x);
  const Tensor scale = scale_of(rows);
  const Tensor a = to_float8(rows, scale);
  const Tensor transposed = w.tensors[0].t();
  const Tensor out = tracer.allocate({a.size(0), w.sizes[0]}, x.dtype());
  tracer.record(Kernel::scaled_mm, {&bias, &scale, &w.tensors[1], &a, &transposed}, {&out});
  return out.view(with_columns(x.sizes(), w.sizes[0]));
}

// --- transformers' fine-grained fp8 ----------------------------------------------------------------------------------

Tensor block_linear(const StoredWeight& w, const Tensor& x, Tensor bias) {
  constexpr int64_t group = 128;
  Tracer& tracer = x.tracer();
  const Tensor rows = rows_of(x);
  const Tensor a = tracer.allocate(rows.sizes(), DType::float8_e4m3fn);
  const Tensor scales = tracer.allocate({rows.size(0), rows.size(1) / group}, DType::float32);
  tracer.record(Kernel::fp8_act_quant, {&rows}, {&a, &scales});
  const Tensor transposed = w.tensors[0].t();
  Tensor out = tracer.allocate({a.size(0), w.sizes[0]}, x.dtype());
  tracer.record(Kernel::fp8_block_matmul, {&scales, &w.tensors[1], &a, &transposed}, {&out});
  out = out.view(with_columns(x.sizes(), w.sizes[0]));
  return bias.defined() ? torch::add(std::move(out), std::move(bias)) : out;
}

// --- GPTQ and AWQ: Marlin (gptqmodel) --------------------------------------------------------------------------------

Tensor marlin_linear(const StoredWeight& w, const Tensor& x, Tensor bias) {
  Tensor out = packed_product(Kernel::marlin_gemm, w, rows_of(x), w.sizes[0]).view(with_columns(x.sizes(), w.sizes[0]));
  return bias.defined() ? torch::add_(std::move(out), std::move(bias)) : out;
}

}  // namespace

Tensor stored_linear(const StoredWeight& weight, Tensor x, Tensor bias) {
  switch (weight.format.kind) {
    case WeightFormatKind::gguf: return gguf_linear(weight, std::move(x), std::move(bias));
    case WeightFormatKind::bnb_4bit: return bnb_4bit_linear(weight, std::move(x), std::move(bias));
    case WeightFormatKind::bnb_int8: return bnb_int8_linear(weight, x, std::move(bias));
    case WeightFormatKind::torchao_int8: return torchao_int8_linear(weight, x, std::move(bias));
    case WeightFormatKind::torchao_int4: return torchao_int4_linear(weight, x, std::move(bias));
    case WeightFormatKind::packed_int4: return marlin_linear(weight, x, std::move(bias));
    case WeightFormatKind::scaled_mm: return scaled_linear(weight, x, bias);
    case WeightFormatKind::block_mm: return block_linear(weight, x, std::move(bias));
    case WeightFormatKind::cast: break;
  }
  return x;
}

// --- Linear ----------------------------------------------------------------------------------------------------------

// peft's lora.Linear: result + lora_B(lora_A(x)) * scaling.
Tensor Linear::forward_stored(Tensor x) const {
  Tensor result = base_forward(x);
  if (lora_rank() == 0) return result;
  const DType dtype = result.dtype();
  const size_t a = bias_ ? 2 : 1;
  x = torch::to(std::move(x), parameters()[a].spec.dtype);
  Tensor change = torch::linear(std::move(x), parameter(a), Tensor());
  change = torch::linear(std::move(change), parameter(a + 1), Tensor());
  change = torch::mul(std::move(change), 1.0);
  result = torch::add(std::move(result), std::move(change));
  return torch::to(std::move(result), dtype);
}

Tensor Linear::base_forward(Tensor x) const {
  const WeightFormat* format = weight_format();
  if (format == nullptr) return torch::linear(std::move(x), parameter(0), bias_ ? parameter(1) : Tensor());
  if (format->is_cast()) {
    LayerwiseCast cast(*this);
    Tensor out = torch::linear(std::move(x), cast.tensors()[0], bias_ ? cast.tensors()[1] : Tensor());
    cast.end();
    return out;
  }
  StoredWeight weight{*format, {}, parameters()[0].spec.sizes, parameters()[0].spec.dtype};
  for (size_t i = 0; i < stored_tensors(); ++i) weight.tensors.push_back(stored(i));
  return stored_linear(weight, std::move(x), bias_ ? parameter(1) : Tensor());
}

}  // namespace modelmeter
