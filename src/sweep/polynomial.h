// Exact polynomials in several numbers, each on a lattice from, from + step, … to: found from their values at the first
// degree + 1 places of every number, by forward differences (Newton), in integers throughout.
//
//   p(x, y …) = sum over i, j … of c[i, j …] binomial(u, i) binomial(v, j) …,   u = (x - from) / step …
//
// The binomials are integers that are not negative, so that a polynomial whose coefficients are all at most another's
// is at most the other everywhere on the lattice.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

#include "base/count.h"
#include "model/run_values.h"

namespace modelmeter {

class Lattice {
 public:
  // Of the numbers with a degree; the others are not part of it. Nothing where none has one, where a number has fewer
  // places than its degree asks for, or where there are so many that binomials pass 63 bits.
  static std::optional<Lattice> of(std::span<const Dependence> dependences);

  size_t nodes() const { return nodes_; }
  // Sets the lattice's numbers to those of a node.
  void move_to(size_t node, RunValues& run) const;
  void move_to_last(RunValues& run) const;
  // Sets each to a share of the way from its first to its last place, rounded down to a place; shares are taken in
  // turn.
  void move_to(std::initializer_list<double> shares, RunValues& run) const;
  bool covers(const RunValues& run) const;
  // The products of binomials, one for each node; run is covered.
  void basis(const RunValues& run, std::vector<int64_t>& out) const;
  // From values at the nodes to coefficients, in place.
  void take_differences(std::vector<Int128>& values) const;

 private:
  std::vector<Dependence> axes_;
  size_t nodes_ = 1;
};

class Polynomial {
 public:
  // values: at the nodes, in order. Nothing where sums on the lattice could pass 127 bits.
  static std::optional<Polynomial> through(const Lattice& lattice, std::span<const Int128> values);

  // basis: of the place.
  Int128 at(const std::vector<int64_t>& basis) const {
    Int128 sum = 0;
    for (const Term& term : terms_) sum += term.coefficient * basis[term.node];
    return sum;
  }
  // Whether it is at most the other everywhere on the lattice, as far as its coefficients show.
  bool never_above(const Polynomial& other) const;

 private:
  struct Term {
    size_t node;
    Int128 coefficient;  // not 0
  };
  std::vector<Term> terms_;  // by node
};

}  // namespace modelmeter
