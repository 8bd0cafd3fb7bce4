// How libraries keep the weight of a layer apart from the dtype it is multiplied in: which tensors, of which sizes.
// Bytes are exact; what it takes to compute with them is in layer/stored_linear.h.
//
//   cast              float8 as diffusers' layerwise casting keeps it: cast to the dtype before a layer runs, and back
//   scaled_mm         float8 with a scale, multiplied as float8 (torchao Float8DynamicActivationFloat8Weight)
//   block_mm          float8, a float32 scale for each 128 x 128 values (transformers' quant_method fp8)
//   bnb_int8          LLM.int8(): int8, a float32 scale for each row
//   bnb_4bit          NF4 and FP4 in blocks of 64: two values a byte, a float32 scale a block, a table of 16 values;
//                     double quantisation: scales are bytes, a float32 scale for 256, an offset, a table of 256
//   gguf              llama.cpp's blocks of 32 or 256 values with their scales (ggml-common.h)
//   torchao_int8      int8, a float32 scale and an int8 zero for each row
//   torchao_int4      tinygemm: two values a byte, rows padded to 8, columns to 1024; scale and zero for each group
//   packed_int4       GPTQ, AWQ: eight values in an int32, float16 scales, packed zeros a group; GPTQ: g_idx
//
// Sources: diffusers 0.42.1, bitsandbytes 0.50.2, torchao 0.18.0, gguf 0.19.0. A file holds the same, with its header.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "trace/tensor.h"

namespace modelmeter {

// A tensor to be: for parameters and for the inputs of a trace.
struct TensorSpec {
  Shape sizes;
  DType dtype = DType::float32;
  int64_t kept_bytes = 0;  // of a parameter that is kept in another format than its dtype; 0: the dtype's

  int64_t bytes() const;  // as it is kept
};

enum class WeightFormatKind : uint8_t {
  cast,
  scaled_mm,
  block_mm,
  bnb_int8,
  bnb_4bit,
  gguf,
  torchao_int8,
  torchao_int4,
  packed_int4,
};

// The types of GGUF that have blocks, by llama.cpp's numbers (ggml.h).
enum class GgufType : uint8_t {
  none = 0,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
};

struct WeightFormat {
  std::string_view name;  // "gguf_q4_k"
  WeightFormatKind kind;
  DType values;             // of the tensor that holds the values
  int64_t group = 0;        // values with a scale of their own: in a block, or along a row
  int64_t block_bytes = 0;  // GGUF
  GgufType gguf = GgufType::none;
  bool nested = false;      // scales are quantised, too
  bool indexed = false;     // GPTQ's g_idx
  std::string_view note{};  // what is known of its quality

  bool is_cast() const { return kind == WeightFormatKind::cast; }
  // Whether a weight [out, in] of these sizes can be kept so: rows of whole blocks. (A cast takes any.)
  bool fits(const Shape& sizes) const;
  // What it is kept as, the values first.
  std::vector<TensorSpec> tensors(const TensorSpec& weight) const;
  // Of a value in a large weight, its scales among them.
};

// How a layer's weight is kept: as its dtype where `format` is null; with low-rank matrices beside it (LoRA) where the
// rank is above 0.
struct StoredAs {
  const WeightFormat* format = nullptr;
  int64_t lora_rank = 0;
};

// All of them; formats with groups of a size to choose stand there once for each size, 128 first.
const std::vector<WeightFormat>& weight_formats();

// By name and size of groups (0: its first); null where there is none.
const WeightFormat* find_weight_format(std::string_view name, int64_t group = 0);
const WeightFormat* find_gguf_format(GgufType type);

}  // namespace modelmeter
