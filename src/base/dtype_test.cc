#include "base/dtype.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"

namespace modelmeter {
namespace {

using D = DType;

const std::vector<D> all = {D::boolean,  D::uint8,   D::int8,          D::int16,       D::int32,
                            D::int64,    D::uint64,  D::float8_e4m3fn, D::float8_e5m2, D::float16,
                            D::bfloat16, D::float32, D::float64,       D::complex64,   D::complex128};

TEST(DTypeNames, AreTorchsAndReadBack) {
  for (D dtype : all) {
    EXPECT_EQ(parse_dtype(torch_name(dtype)), dtype);
    EXPECT_EQ(parse_dtype("torch." + std::string(torch_name(dtype))), dtype);
    EXPECT_EQ(parse_dtype(short_name(dtype)), dtype);
  }
  EXPECT_EQ(torch_name(D::bfloat16), "bfloat16");
  EXPECT_EQ(short_name(D::bfloat16), "bf16");
  EXPECT_EQ(torch_name(D::boolean), "bool");
  EXPECT_EQ(short_name(D::complex128), "c128");
}

TEST(DTypeNames, AnUnknownOneGetsASuggestion) {
  try {
    parse_dtype("bfloat61");
    FAIL() << "bfloat61 was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 1);
    EXPECT_THAT(error.what(), testing::HasSubstr("'bfloat61'"));
    EXPECT_THAT(error.what(), testing::HasSubstr("did you mean 'bfloat16'?"));
  }
}

TEST(DTypeSizes, AreThoseOfTorchsItemsize) {
  const std::vector<int64_t> sizes = {1, 1, 1, 2, 4, 8, 8, 1, 1, 2, 2, 4, 8, 8, 16};
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(size_of(all[i]), sizes[i]) << torch_name(all[i]);
}

// torch.promote_types of PyTorch 2.x for the types that models mix (c10/core/ScalarType.cpp, promoteTypesLookup).
TEST(PromoteTypes, IsTorchsTable) {
  const std::vector<D> types = {D::boolean, D::uint8,    D::int8,    D::int16,   D::int32,     D::int64,
                                D::float16, D::bfloat16, D::float32, D::float64, D::complex64, D::complex128};
  const D b1 = D::boolean, u1 = D::uint8, i1 = D::int8, i2 = D::int16, i4 = D::int32, i8 = D::int64, f2 = D::float16,
          bf = D::bfloat16, f4 = D::float32, f8 = D::float64, c8 = D::complex64, c16 = D::complex128;
  const std::vector<std::vector<D>> table = {
      {b1, u1, i1, i2, i4, i8, f2, bf, f4, f8, c8, c16},             // bool
      {u1, u1, i2, i2, i4, i8, f2, bf, f4, f8, c8, c16},             // uint8
      {i1, i2, i1, i2, i4, i8, f2, bf, f4, f8, c8, c16},             // int8
      {i2, i2, i2, i2, i4, i8, f2, bf, f4, f8, c8, c16},             // int16
      {i4, i4, i4, i4, i4, i8, f2, bf, f4, f8, c8, c16},             // int32
      {i8, i8, i8, i8, i8, i8, f2, bf, f4, f8, c8, c16},             // int64
      {f2, f2, f2, f2, f2, f2, f2, f4, f4, f8, c8, c16},             // float16
      {bf, bf, bf, bf, bf, bf, f4, bf, f4, f8, c8, c16},             // bfloat16
      {f4, f4, f4, f4, f4, f4, f4, f4, f4, f8, c8, c16},             // float32
      {f8, f8, f8, f8, f8, f8, f8, f8, f8, f8, c16, c16},            // float64
      {c8, c8, c8, c8, c8, c8, c8, c8, c8, c16, c8, c16},            // complex64
      {c16, c16, c16, c16, c16, c16, c16, c16, c16, c16, c16, c16},  // complex128
  };
  for (size_t i = 0; i < types.size(); ++i) {
    for (size_t j = 0; j < types.size(); ++j) {
      EXPECT_EQ(torch_name(promote_types(types[i], types[j])), torch_name(table[i][j]))
          << torch_name(types[i]) << " with " << torch_name(types[j]);
    }
  }
}

TEST(PromoteTypes, IsCommutativeAndIdempotent) {
  for (D a : all) {
    EXPECT_EQ(promote_types(a, a), a);
    for (D b : all) EXPECT_EQ(promote_types(a, b), promote_types(b, a)) << torch_name(a) << " with " << torch_name(b);
  }
}

}  // namespace
}  // namespace modelmeter
