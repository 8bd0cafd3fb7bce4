#include "layer/weight_format.h"

#include "base/checked.h"

namespace modelmeter {
namespace {

constexpr int64_t nested_block = 256;       // scales with a scale of their own (bitsandbytes)
constexpr int64_t tinygemm_columns = 1024;  // multiples that tinygemm's weights are padded to
constexpr int64_t tinygemm_rows = 8;
constexpr int64_t fp8_block = 128;
constexpr int64_t packed = 8;  // 4-bit values in an int32

int64_t blocks_of(int64_t n, int64_t block) { return n / block + (n % block != 0 ? 1 : 0); }
int64_t multiple_of(int64_t n, int64_t step) { return blocks_of(n, step) * step; }

constexpr std::string_view casts = "weights are rounded to 8 bits without a scale";
constexpr std::string_view eight_bits = "8 bits: next to no loss is reported";
constexpr std::string_view four_bits = "4 bits: small changes of the picture are reported";
constexpr std::string_view few_bits = "below 4 bits: visible loss is reported";

WeightFormat gguf(std::string_view name, GgufType type, int64_t values, int64_t bytes, std::string_view note) {
  WeightFormat out{name, WeightFormatKind::gguf, DType::uint8, values, bytes};
  out.gguf = type;
  out.note = note;
  return out;
}

WeightFormat four_bit(std::string_view name, bool nested) {
  WeightFormat out{name, WeightFormatKind::bnb_4bit, DType::uint8, 64};
  out.nested = nested;
  out.note = four_bits;
  return out;
}

WeightFormat grouped(std::string_view name, WeightFormatKind kind, int64_t group, bool indexed) {
  WeightFormat out{name, kind, DType::int32, group};
  out.indexed = indexed;
  out.note = four_bits;
  return out;
}

WeightFormat simple(std::string_view name, WeightFormatKind kind, DType values, std::string_view note) {
  WeightFormat out{name, kind, values};
  out.note = note;
  return out;
}

std::vector<WeightFormat> make_formats() {
  std::vector<WeightFormat> out = {
      simple("fp8_e4m3", WeightFormatKind::cast, DType::float8_e4m3fn, casts),
      simple("fp8_e5m2", WeightFormatKind::cast, DType::float8_e5m2, casts),
      simple("fp8_e4m3_scaled", WeightFormatKind::scaled_mm, DType::float8_e4m3fn,
             "weights and activations are rounded to 8 bits, each with a scale"),
      simple("fp8_e4m3_block", WeightFormatKind::block_mm, DType::float8_e4m3fn,
             "weights and activations are rounded to 8 bits, with scales for blocks of 128"),
      simple("bnb_int8", WeightFormatKind::bnb_int8, DType::int8, eight_bits),
      four_bit("bnb_nf4", false),
      four_bit("bnb_nf4_double", true),
      four_bit("bnb_fp4", false),
      four_bit("bnb_fp4_double", true),
      // ggml-common.h: d, dmin: 2 bytes each; K-quants: 6-bit scales of 16 or 32 values in superblocks of 256.
      gguf("gguf_q2_k", GgufType::q2_k, 256, 16 + 64 + 2 + 2, few_bits),
      gguf("gguf_q3_k", GgufType::q3_k, 256, 32 + 64 + 12 + 2, few_bits),
      gguf("gguf_q4_0", GgufType::q4_0, 32, 2 + 16, four_bits),
      gguf("gguf_q4_1", GgufType::q4_1, 32, 2 + 2 + 16, four_bits),
      gguf("gguf_q4_k", GgufType::q4_k, 256, 2 + 2 + 12 + 128, four_bits),
      gguf("gguf_q5_0", GgufType::q5_0, 32, 2 + 4 + 16, "5 bits"),
      gguf("gguf_q5_1", GgufType::q5_1, 32, 2 + 2 + 4 + 16, "5 bits"),
      gguf("gguf_q5_k", GgufType::q5_k, 256, 2 + 2 + 12 + 32 + 128, "5 bits"),
      gguf("gguf_q6_k", GgufType::q6_k, 256, 128 + 64 + 16 + 2, "6 bits"),
      gguf("gguf_q8_0", GgufType::q8_0, 32, 2 + 32, eight_bits),
      simple("torchao_int8", WeightFormatKind::torchao_int8, DType::int8, eight_bits),
  };
  for (const int64_t group : {128, 32, 64, 256}) {
    out.push_back(grouped("torchao_int4", WeightFormatKind::torchao_int4, group, false));
    out.push_back(grouped("gptq_int4", WeightFormatKind::packed_int4, group, true));
    out.push_back(grouped("awq_int4", WeightFormatKind::packed_int4, group, false));
  }
  return out;
}

std::vector<TensorSpec> four_bit_tensors(const WeightFormat& format, int64_t n) {
  const int64_t blocks = blocks_of(n, format.group);
  const TensorSpec values{{blocks_of(n, 2), 1}, DType::uint8}, table{{16}, DType::float32};
  if (!format.nested) return {values, {{blocks}, DType::float32}, table};
  return {values,
          {{blocks}, DType::uint8},
          table,
          {{blocks_of(blocks, nested_block)}, DType::float32},
          {{nested_block}, DType::float32},
          {{}, DType::float32}};
}

}  // namespace

int64_t TensorSpec::bytes() const {
  if (kept_bytes != 0) return kept_bytes;
  return checked_mul(sizes.numel(), size_of(dtype), "the size of a tensor in bytes");
}

bool WeightFormat::fits(const Shape& sizes) const {
  if (is_cast()) return true;
  if (sizes.rank() != 2) return false;
  switch (kind) {
    case WeightFormatKind::gguf: return sizes[1] % group == 0;
    case WeightFormatKind::packed_int4:
      return sizes[1] % group == 0 && sizes[0] % packed == 0 && sizes[1] % packed == 0;
    case WeightFormatKind::torchao_int4: return sizes[1] % group == 0;
    case WeightFormatKind::block_mm: return sizes[1] % fp8_block == 0;
    case WeightFormatKind::scaled_mm: return sizes[0] % 16 == 0 && sizes[1] % 16 == 0;  // _scaled_mm's alignment
    default: return true;
  }
}

std::vector<TensorSpec> WeightFormat::tensors(const TensorSpec& weight) const {
  const Shape& sizes = weight.sizes;
  if (is_cast()) return {{sizes, values}};
  const int64_t rows = sizes[0], columns = sizes[1];
  switch (kind) {
    case WeightFormatKind::scaled_mm: return {{sizes, values}, {{1, 1}, DType::float32}};
    case WeightFormatKind::block_mm:
      return {{sizes, values}, {{blocks_of(rows, fp8_block), blocks_of(columns, fp8_block)}, DType::float32}};
    case WeightFormatKind::bnb_int8: return {{sizes, values}, {{rows}, DType::float32}};
    case WeightFormatKind::bnb_4bit: return four_bit_tensors(*this, sizes.numel());
    case WeightFormatKind::gguf: return {{{rows, columns / group * block_bytes}, values}};
    case WeightFormatKind::torchao_int8:
      return {{sizes, values}, {{rows, 1}, DType::float32}, {{rows, 1}, DType::int8}};
    case WeightFormatKind::torchao_int4: {
      const int64_t out = multiple_of(rows, tinygemm_rows), in = multiple_of(columns, tinygemm_columns);
      return {{{out / 8, in / 128, 32, 4}, values}, {{in / group, out, 2}, DType::bfloat16}};
    }
    case WeightFormatKind::packed_int4: {
      const int64_t groups = columns / group;
      std::vector<TensorSpec> out = {{{columns / packed, rows}, values},
                                     {{groups, rows}, DType::float16},
                                     {{groups, rows / packed}, DType::int32}};
      if (indexed) out.push_back({{columns}, DType::int32});
      return out;
    }
    case WeightFormatKind::cast: break;
  }
  return {};
}

const std::vector<WeightFormat>& weight_formats() {
  static const std::vector<WeightFormat> all = make_formats();
  return all;
}

const WeightFormat* find_weight_format(std::string_view name, int64_t group) {
  for (const WeightFormat& format : weight_formats()) {
    if (format.name == name && (group == 0 || format.group == group)) return &format;
  }
  return nullptr;
}

const WeightFormat* find_gguf_format(GgufType type) {
  for (const WeightFormat& format : weight_formats()) {
    if (format.gguf == type && type != GgufType::none) return &format;
  }
  return nullptr;
}

}  // namespace modelmeter
