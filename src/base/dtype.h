// Element types, named as in torch.
#pragma once

#include <cstdint>
#include <string_view>

namespace modelmeter {

enum class DType : uint8_t {
  boolean,
  uint8,
  int8,
  int16,
  int32,
  int64,
  uint64,
  float8_e4m3fn,
  float8_e5m2,
  float16,
  bfloat16,
  float32,
  float64,
  complex64,
  complex128,
};

// Bits of one element; a bool takes a byte.
constexpr int64_t bits_of(DType dtype) {
  switch (dtype) {
    case DType::boolean:
    case DType::uint8:
    case DType::int8:
    case DType::float8_e4m3fn:
    case DType::float8_e5m2: return 8;
    case DType::int16:
    case DType::float16:
    case DType::bfloat16: return 16;
    case DType::int32:
    case DType::float32: return 32;
    case DType::int64:
    case DType::uint64:
    case DType::float64:
    case DType::complex64: return 64;
    case DType::complex128: return 128;
  }
  return 0;
}

// Bytes of one element.
constexpr int64_t size_of(DType dtype) { return bits_of(dtype) / 8; }

constexpr bool is_complex(DType dtype) { return dtype == DType::complex64 || dtype == DType::complex128; }
constexpr bool is_floating_point(DType dtype) { return dtype >= DType::float8_e4m3fn && dtype <= DType::float64; }

// torch's name ("bfloat16") and the short one of traces ("bf16").
std::string_view torch_name(DType dtype);
std::string_view short_name(DType dtype);

// Reads either name or an alias ("half", "fp16"), with or without "torch."; throws Error with a did-you-mean.
DType parse_dtype(std::string_view name);

// The result type of a binary operation on two dimensioned tensors: torch.promote_types.
DType promote_types(DType a, DType b);

}  // namespace modelmeter
