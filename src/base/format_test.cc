#include "base/format.h"

#include <gtest/gtest.h>

#include <limits>

namespace modelmeter {
namespace {

TEST(Grouped, PutsACommaBeforeEveryThreeDigits) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(14288491584), "14,288,491,584");
  EXPECT_EQ(grouped(-1), "-1");
  EXPECT_EQ(grouped(-100), "-100");
  EXPECT_EQ(grouped(-123456), "-123,456");
  EXPECT_EQ(grouped(std::numeric_limits<int64_t>::max()), "9,223,372,036,854,775,807");
  EXPECT_EQ(grouped(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
  EXPECT_EQ(grouped(Count(std::numeric_limits<int64_t>::max()) * 1000), "9,223,372,036,854,775,807,000");
}

// One figure in its own unit.
std::string flops_text(Count value) { return decimal_scale(value, "FLOP").text(value); }
std::string bytes_text(Count value) { return decimal_scale(value, "B").text(value); }
std::string gibibytes_text(Count value) { return binary_scale(value).text(value); }

TEST(UnitText, UsesPowersOfAThousand) {
  EXPECT_EQ(flops_text(0), "0 FLOP");
  EXPECT_EQ(flops_text(999), "999 FLOP");
  EXPECT_EQ(flops_text(1000), "1.000 kFLOP");
  EXPECT_EQ(flops_text(522'392'628'101'120), "522.393 TFLOP");
  EXPECT_EQ(bytes_text(57'153'966'336), "57.154 GB");
  EXPECT_EQ(bytes_text(std::numeric_limits<int64_t>::max()), "9.223 EB");
  EXPECT_EQ(flops_text(Count(1'000'000'000'000) * 1'234'567'890), "1.235 ZFLOP");
  EXPECT_EQ(bytes_text(*count_from("170141183460469231731687303715884105727")), "170141183.460 QB");
}

TEST(UnitText, RoundsUpIntoTheNextUnit) {
  EXPECT_EQ(bytes_text(999'999), "999.999 kB");
  EXPECT_EQ(bytes_text(999'999'999), "1.000 GB");  // not 1000.000 MB
}

TEST(PercentText, HasOneDecimal) {
  EXPECT_EQ(percent_text(0), "0.0 %");
  EXPECT_EQ(percent_text(0.7181), "71.8 %");
  EXPECT_EQ(percent_text(1), "100.0 %");
}

TEST(BinaryScale, IsInPowersOf1024) {
  EXPECT_EQ(gibibytes_text(74'022'377'684), "68.939 GiB");
  EXPECT_EQ(gibibytes_text(10'485'760), "10.000 MiB");
  EXPECT_EQ(gibibytes_text(8'519'680), "8.125 MiB");
  EXPECT_EQ(gibibytes_text(8192), "8.000 KiB");
  EXPECT_EQ(gibibytes_text(1023), "1,023 B");
  EXPECT_EQ(gibibytes_text(0), "0 B");
}

TEST(Scale, IsThatOfTheLargest) {
  const Scale petaflop = decimal_scale(Count(652'344) * 1'000'000'000'000, "FLOP");
  EXPECT_EQ(petaflop.unit, "PFLOP");
  EXPECT_EQ(petaflop.number(Count(652'344) * 1'000'000'000'000), "652.344");
  EXPECT_EQ(petaflop.number(9'689'446'219'776), "0.009689");  // of a small one the digits, not 0.010
  EXPECT_EQ(petaflop.number(152'000'000'000'000), "0.152");
  EXPECT_EQ(petaflop.number(99'960'000'000'000), "0.100");
  EXPECT_EQ(petaflop.number(99'940'000'000'000), "0.09994");
  EXPECT_EQ(petaflop.text(1'500'000'000'000'000), "1.500 PFLOP");
  EXPECT_EQ(binary_scale(74'165'750'372).text(74'165'750'372), "69.072 GiB");
  EXPECT_EQ(binary_scale(74'165'750'372).number(4'204'544), "0.003916");
  EXPECT_EQ(binary_scale(1'048'576).unit, "MiB");
  EXPECT_EQ(binary_scale(1'073'741'823).text(1'073'741'823), "1.000 GiB");  // not 1024.000 MiB
  EXPECT_EQ(decimal_scale(999'999'999, "B").unit, "GB");
}

TEST(Scale, TellsNothingFromAlmostNothing) {
  const Scale petaflop = decimal_scale(Count(1'000'000'000'000'000), "FLOP");
  EXPECT_EQ(petaflop.number(0), "0");
  EXPECT_EQ(petaflop.number(12'345'678'901), "0.000012");
  EXPECT_EQ(petaflop.number(1), "<0.000001");
  EXPECT_EQ(petaflop.number(-1), ">-0.000001");
  EXPECT_EQ(decimal_scale(999, "FLOP").text(5), "5 FLOP");  // no decimals of a whole number
  EXPECT_EQ(Scale().text(1234), "1,234");
}

}  // namespace
}  // namespace modelmeter
