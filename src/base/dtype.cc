#include "base/dtype.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/edit_distance.h"
#include "base/error.h"

namespace modelmeter {
namespace {

struct Names {
  DType dtype;
  std::string_view torch;
  std::string_view brief;
};

constexpr std::array<Names, 15> names = {{
    {DType::boolean, "bool", "bool"},
    {DType::uint8, "uint8", "u8"},
    {DType::int8, "int8", "i8"},
    {DType::int16, "int16", "i16"},
    {DType::int32, "int32", "i32"},
    {DType::int64, "int64", "i64"},
    {DType::uint64, "uint64", "u64"},
    {DType::float8_e4m3fn, "float8_e4m3fn", "f8e4m3"},
    {DType::float8_e5m2, "float8_e5m2", "f8e5m2"},
    {DType::float16, "float16", "f16"},
    {DType::bfloat16, "bfloat16", "bf16"},
    {DType::float32, "float32", "f32"},
    {DType::float64, "float64", "f64"},
    {DType::complex64, "complex64", "c64"},
    {DType::complex128, "complex128", "c128"},
}};

// As people write them: torch's aliases, and the names of command-line options.
constexpr std::array<std::pair<std::string_view, DType>, 6> aliases = {{
    {"half", DType::float16},
    {"float", DType::float32},
    {"double", DType::float64},
    {"fp16", DType::float16},
    {"fp32", DType::float32},
    {"fp64", DType::float64},
}};

}  // namespace

std::string_view torch_name(DType dtype) { return names[static_cast<size_t>(dtype)].torch; }
std::string_view short_name(DType dtype) { return names[static_cast<size_t>(dtype)].brief; }

DType parse_dtype(std::string_view name) {
  std::string_view bare = name;
  if (bare.substr(0, 6) == "torch.") bare.remove_prefix(6);
  std::vector<std::string> known;
  for (const Names& entry : names) {
    if (bare == entry.torch || bare == entry.brief) return entry.dtype;
    known.emplace_back(entry.torch);
  }
  for (const auto& [alias, dtype] : aliases) {
    if (bare == alias) return dtype;
  }
  throw Error(fmt::format("unknown dtype '{}'", name), {}, name_notes(bare, known));
}

// torch/_prims_common: bool < integers < floats < complex; within a kind the wider one, except that uint8 with a signed
// integer of its width gives int16 and float16 with bfloat16 gives float32.
DType promote_types(DType a, DType b) {
  if (a == b) return a;
  const DType low = std::min(a, b);
  const DType high = std::max(a, b);
  if (low == DType::uint8 && high == DType::int8) return DType::int16;
  if (low == DType::float16 && high == DType::bfloat16) return DType::float32;
  if (high == DType::complex64 && low == DType::float64) return DType::complex128;
  return high;
}

}  // namespace modelmeter
