#include "sweep/polynomial.h"

#include <gtest/gtest.h>

namespace modelmeter {
namespace {

// x from 3 in steps of 2, y from 1: p = x^2 y / 2 …, values up to beyond 64 bits.
const std::vector<Dependence> two = {{0, 2, 3, 2, 1001}, {4}, {1, 1, 1, 1, 500}};

Int128 p(const RunValues& v) {
  const Int128 x = v[0], y = v[1];
  return x * x * y * 1'000'000'007'000'000 - 3 * x * y + 5 * y - 11;
}

std::vector<Int128> values_of(const Lattice& lattice, Int128 (*f)(const RunValues&)) {
  std::vector<Int128> out;
  RunValues v{};
  for (size_t i = 0; i < lattice.nodes(); ++i) {
    lattice.move_to(i, v);
    out.push_back(f(v));
  }
  return out;
}

TEST(Polynomial, IsExactEverywhereOnItsLattice) {
  const auto lattice = Lattice::of(two);
  ASSERT_TRUE(lattice);
  EXPECT_EQ(lattice->nodes(), 6u);
  const auto polynomial = Polynomial::through(*lattice, values_of(*lattice, p));
  ASSERT_TRUE(polynomial);
  std::vector<int64_t> basis;
  for (int64_t x = 3; x <= 1001; x += 2) {
    for (const int64_t y : {1, 2, 77, 500}) {
      const RunValues v = {x, y};
      ASSERT_TRUE(lattice->covers(v));
      lattice->basis(v, basis);
      ASSERT_EQ(Count::of(polynomial->at(basis)), Count::of(p(v))) << x << ", " << y;
    }
  }
}

TEST(Polynomial, KnowsWhatItCovers) {
  const auto lattice = Lattice::of(two);
  for (const RunValues& v :
       {RunValues{4, 1}, RunValues{1, 1}, RunValues{1003, 1}, RunValues{3, 0}, RunValues{3, 501}}) {
    EXPECT_FALSE(lattice->covers(v));
  }
  RunValues last{};
  lattice->move_to_last(last);
  EXPECT_EQ(last[0], 1001);
  EXPECT_EQ(last[1], 500);
  EXPECT_TRUE(lattice->covers(last));
}

TEST(Polynomial, NumbersOfNoKnownFormMakeNoLattice) {
  EXPECT_FALSE(Lattice::of(std::vector<Dependence>{{0}, {1}}));
  EXPECT_FALSE(Lattice::of(std::vector<Dependence>{{0, 2, 1, 1, 2}}));
  EXPECT_FALSE(Lattice::of(std::vector<Dependence>{{0, 2, 0, 1, 1'000'000'000'000}}));  // binomials past 63 bits
}

TEST(Polynomial, PastItsBitsThereIsNone) {
  const auto lattice = Lattice::of(two);
  const auto huge = [](const RunValues& v) { return Int128{v[0]} * v[0] * v[1] * (Int128{1} << 100); };
  EXPECT_FALSE(Polynomial::through(*lattice, values_of(*lattice, huge)));
}

TEST(Polynomial, OneThatStaysBelowIsSeenToDoSo) {
  const auto lattice = Lattice::of(two);
  const auto fitted = [&](Int128 (*f)(const RunValues&)) {
    return *Polynomial::through(*lattice, values_of(*lattice, f));
  };
  const Polynomial low = fitted([](const RunValues& v) { return Int128{v[0]} * v[1]; });
  const Polynomial high = fitted([](const RunValues& v) { return Int128{v[0]} * v[0] * v[1] + 1; });
  const Polynomial other = fitted([](const RunValues& v) { return Int128{100} * v[1]; });
  EXPECT_TRUE(low.never_above(high));
  EXPECT_FALSE(high.never_above(low));
  EXPECT_TRUE(low.never_above(low));
  EXPECT_FALSE(low.never_above(other));
  EXPECT_FALSE(other.never_above(low));
}

}  // namespace
}  // namespace modelmeter
