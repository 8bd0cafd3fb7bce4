#include "base/checked.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <limits>

#include "base/error.h"

namespace modelmeter {
namespace {

__extension__ typedef __int128 int128;

constexpr int64_t most = std::numeric_limits<int64_t>::max();

TEST(Checked, ComputesWhatFits) {
  EXPECT_EQ(checked_mul(3, 4, "x"), 12);
  EXPECT_EQ(checked_add(3, 4, "x"), 7);
  EXPECT_EQ(checked_mul(most, 1, "x"), most);
  EXPECT_EQ(checked_add(most, 0, "x"), most);
  EXPECT_EQ(checked_mul(most, 0, "x"), 0);
}

TEST(Checked, NamesWhatOverflows) {
  for (const auto& overflowing : {+[] { checked_add(most, 1, "the number of cats"); },
                                  +[] { checked_mul(most / 2 + 1, 2, "the number of cats"); }}) {
    try {
      overflowing();
      FAIL() << "no overflow";
    } catch (const Error& error) {
      EXPECT_EQ(error.message(), "the number of cats overflows 64 bits");
      EXPECT_EQ(error.exit_code(), 1);
    }
  }
}

TEST(Checked, AgreesWith128Bits) {
  EXPECT_TRUE(rc::check("checked_mul and checked_add are exact or throw", [](int64_t a, int64_t b) {
    const auto agrees = [](auto compute, int128 exact) {
      const bool fits = exact >= std::numeric_limits<int64_t>::min() && exact <= most;
      try {
        return compute() == exact && fits;
      } catch (const Error&) {
        return !fits;
      }
    };
    RC_ASSERT(agrees([&] { return checked_mul(a, b, "x"); }, static_cast<int128>(a) * b));
    RC_ASSERT(agrees([&] { return checked_add(a, b, "x"); }, static_cast<int128>(a) + b));
  }));
}

}  // namespace
}  // namespace modelmeter
