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

// 1, u, u (u - 1) / 2, and each times v: u and v are places counted from 0.
TEST(Lattice, ItsBasisIsProductsOfBinomials) {
  const auto lattice = Lattice::of(two);
  std::vector<int64_t> basis;
  for (const int64_t u : {0, 1, 2, 3, 10}) {
    for (const int64_t v : {0, 1, 7}) {
      lattice->basis({3 + 2 * u, 1 + v}, basis);
      const int64_t pairs = u * (u - 1) / 2;
      EXPECT_EQ(basis, (std::vector<int64_t>{1, u, pairs, v, u * v, pairs * v})) << u << ", " << v;
    }
  }
}

TEST(Lattice, ItsNodesAreTheFirstPlacesOfEachNumber) {
  const auto lattice = Lattice::of(two);
  const std::vector<std::pair<int64_t, int64_t>> nodes = {{3, 1}, {5, 1}, {7, 1}, {3, 2}, {5, 2}, {7, 2}};
  for (size_t i = 0; i < nodes.size(); ++i) {
    RunValues run{};
    run[4] = 9;
    lattice->move_to(i, run);
    EXPECT_EQ(std::pair(run[0], run[1]), nodes[i]) << i;
    EXPECT_EQ(run[4], 9);  // of no known form
  }
}

// Of 499 steps of each: 3 + 2 x 249, 1 + 49; one share is that of all.
TEST(Lattice, SharesOfTheWayAreRoundedDownToPlaces) {
  const auto lattice = Lattice::of(two);
  RunValues run{};
  lattice->move_to({0.5, 0.1}, run);
  EXPECT_EQ(run[0], 501);
  EXPECT_EQ(run[1], 50);
  lattice->move_to({0.5}, run);
  EXPECT_EQ(run[0], 501);
  EXPECT_EQ(run[1], 250);
}

TEST(Lattice, EndsAtItsLastPlace) {
  const auto lattice = Lattice::of(std::vector<Dependence>{{0, 1, 0, 4, 10}});
  RunValues run{};
  lattice->move_to_last(run);
  EXPECT_EQ(run[0], 8);
  EXPECT_TRUE(lattice->covers({8}));
  EXPECT_FALSE(lattice->covers({10}));
  EXPECT_FALSE(lattice->covers({12}));
}

// As many places as a degree asks for are enough.
TEST(Lattice, HasAPlaceForEachNode) {
  EXPECT_TRUE(Lattice::of(std::vector<Dependence>{{0, 2, 1, 1, 3}}));
  EXPECT_FALSE(Lattice::of(std::vector<Dependence>{{0, 2, 1, 2, 4}}));
  EXPECT_TRUE(Lattice::of(std::vector<Dependence>{{0, 0, 7, 1, 7}}));
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
