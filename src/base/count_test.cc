#include "base/count.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <sstream>

#include "base/error.h"

namespace modelmeter {
namespace {

constexpr int64_t most_64 = std::numeric_limits<int64_t>::max();
constexpr char most_128[] = "170141183460469231731687303715884105727";
constexpr char least_128[] = "-170141183460469231731687303715884105728";

Count count(const char* digits) { return count_from(digits).value(); }

template <class F>
std::string message_of(F f) {
  try {
    f();
    return "no error";
  } catch (const Error& error) {
    return error.message();
  }
}

TEST(Count, GoesOnWhere64BitsEnd) {
  EXPECT_EQ(to_string(Count(most_64) + 1), "9223372036854775808");
  EXPECT_EQ(to_string(Count(most_64) * most_64), "85070591730234615847396907784232501249");
  EXPECT_EQ(to_string(Count(std::numeric_limits<int64_t>::min()) - 1), "-9223372036854775809");
  EXPECT_EQ(to_string(Count(std::numeric_limits<uint64_t>::max())), "18446744073709551615");
}

TEST(Count, TextHasEveryDigit) {
  for (const char* digits : {"0", "7", "-7", "1000000000000000000000", most_128, least_128}) {
    EXPECT_EQ(to_string(count(digits)), digits);
  }
  std::ostringstream out;
  out << count(most_128);
  EXPECT_EQ(out.str(), most_128);
}

TEST(Count, ReadsIntegersAndNothingElse) {
  for (const char* text : {"", "-", "+1", "1.0", "1e9", " 1", "0x1", "170141183460469231731687303715884105728",
                           "-170141183460469231731687303715884105729"}) {
    EXPECT_FALSE(count_from(text)) << text;
  }
}

TEST(Count, OverflowOf128BitsIsAnErrorThatNamesWhatIsCounted) {
  const Count most = count(most_128), least = count(least_128);
  EXPECT_EQ(message_of([&] { most.plus(1, "the number of cats"); }), "the number of cats overflows 128 bits");
  EXPECT_EQ(message_of([&] { most.times(2, "the number of cats"); }), "the number of cats overflows 128 bits");
  EXPECT_EQ(message_of([&] { most + 1; }), "a count overflows 128 bits");
  EXPECT_EQ(message_of([&] { least - 1; }), "a count overflows 128 bits");
  EXPECT_EQ(message_of([&] { Count(-1) - least; }), "no error");
  EXPECT_EQ(message_of([&] { Count() - least; }), "a count overflows 128 bits");
  EXPECT_EQ(message_of([&] { most* most; }), "a count overflows 128 bits");
  EXPECT_EQ(most * 1, most);
}

TEST(Count, GoesBackTo64BitsOnlyWhereItFits) {
  EXPECT_EQ(Count(most_64).to_int64("cats"), most_64);
  EXPECT_TRUE(Count(most_64).fits_64());
  EXPECT_FALSE((Count(most_64) + 1).fits_64());
  EXPECT_EQ(message_of([] { (Count(most_64) + 1).to_int64("the number of cats"); }),
            "the number of cats overflows 64 bits");
}

TEST(Count, IsADoubleWhereAsked) {
  EXPECT_EQ(static_cast<double>(Count(3)), 3.0);
  EXPECT_DOUBLE_EQ(static_cast<double>(Count(most_64) * 4), 3.6893488147419103e19);
}

RC_GTEST_PROP(Count, ArithmeticIsThatOf64BitsWhereThatDoes, (int32_t a, int32_t b)) {
  RC_ASSERT(Count(a) + b == int64_t{a} + b);
  RC_ASSERT(Count(a) - b == int64_t{a} - b);
  RC_ASSERT(Count(a) * b == int64_t{a} * b);
  RC_ASSERT((Count(a) < b) == (a < b));
  RC_ASSERT((Count(a) >= b) == (a >= b));
}

RC_GTEST_PROP(Count, DividesWhatItMultiplied, (int64_t a, int64_t b)) {
  RC_PRE(b != 0);
  const Count product = Count(a) * b;
  RC_ASSERT(product / b == a);
  RC_ASSERT(product % b == 0);
  RC_ASSERT(count_from(to_string(product)) == product);
}

}  // namespace
}  // namespace modelmeter
