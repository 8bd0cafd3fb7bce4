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

TEST(GibibytesText, IsInPowersOf1024) {
  EXPECT_EQ(gibibytes_text(74'022'377'684), "68.939 GiB");
  EXPECT_EQ(gibibytes_text(10'485'760), "0.010 GiB");
  EXPECT_EQ(gibibytes_text(8'519'680), "8.12 MiB");
  EXPECT_EQ(gibibytes_text(8192), "8.0 KiB");
  EXPECT_EQ(gibibytes_text(1023), "1023 B");
  EXPECT_EQ(gibibytes_text(0), "0 B");
}

}  // namespace
}  // namespace modelmeter
