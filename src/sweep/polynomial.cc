#include "sweep/polynomial.h"

#include <algorithm>
#include <cmath>

namespace modelmeter {
namespace {

// binomial(n, k) for the small k of a degree.
int64_t binomial(int64_t n, int k) {
  int64_t out = 1;
  for (int i = 0; i < k; ++i) out = out * (n - i) / (i + 1);
  return out;
}

// From the first place to the last.
int64_t steps_of(const Dependence& axis) { return (axis.to - axis.from) / axis.step; }

}  // namespace

std::optional<Lattice> Lattice::of(std::span<const Dependence> dependences) {
  Lattice out;
  double highest = 1;  // of what basis() gives
  for (const Dependence& d : dependences) {
    if (d.degree < 0) continue;
    Dependence axis = d;
    axis.to = d.from + (d.to - d.from) / d.step * d.step;
    if (axis.to < d.from + d.degree * d.step) return std::nullopt;
    out.axes_.push_back(axis);
    out.nodes_ *= static_cast<size_t>(d.degree) + 1;
    highest *= std::pow(static_cast<double>(steps_of(axis)), d.degree);
  }
  constexpr double limit = 9e18;  // 2^63 is 9.2e18
  if (out.axes_.empty() || highest > limit) return std::nullopt;
  return out;
}

void Lattice::move_to(size_t node, RunValues& run) const {
  for (const Dependence& axis : axes_) {
    const size_t places = static_cast<size_t>(axis.degree) + 1;
    run[axis.value] = axis.from + static_cast<int64_t>(node % places) * axis.step;
    node /= places;
  }
}

void Lattice::move_to_last(RunValues& run) const {
  for (const Dependence& axis : axes_) run[axis.value] = axis.to;
}

void Lattice::move_to(std::initializer_list<double> shares, RunValues& run) const {
  size_t turn = 0;
  for (const Dependence& axis : axes_) {
    const auto places = static_cast<double>(steps_of(axis));
    const double share = shares.begin()[turn++ % shares.size()];
    run[axis.value] = axis.from + static_cast<int64_t>(places * share) * axis.step;
  }
}

bool Lattice::covers(const RunValues& run) const {
  return std::all_of(axes_.begin(), axes_.end(), [&](const Dependence& axis) {
    const int64_t value = run[axis.value];
    return value >= axis.from && value <= axis.to && (axis.step == 1 || (value - axis.from) % axis.step == 0);
  });
}

void Lattice::basis(const RunValues& run, std::vector<int64_t>& out) const {
  out.resize(nodes_);
  out[0] = 1;
  size_t filled = 1;
  for (const Dependence& axis : axes_) {
    const int64_t u = (run[axis.value] - axis.from) / axis.step;
    for (int k = axis.degree; k >= 0; --k) {
      const int64_t factor = binomial(u, k);
      for (size_t i = 0; i < filled; ++i) out[static_cast<size_t>(k) * filled + i] = out[i] * factor;
    }
    filled *= static_cast<size_t>(axis.degree) + 1;
  }
}

void Lattice::take_differences(std::vector<Int128>& values) const {
  size_t stride = 1;
  for (const Dependence& axis : axes_) {
    const size_t places = static_cast<size_t>(axis.degree) + 1, block = stride * places;
    for (size_t order = 1; order < places; ++order) {
      for (size_t i = values.size(); i-- > 0;) {
        if (i % block / stride >= order) values[i] -= values[i - stride];
      }
    }
    stride = block;
  }
}

std::optional<Polynomial> Polynomial::through(const Lattice& lattice, std::span<const Int128> values) {
  std::vector<Int128> c(values.begin(), values.end());
  lattice.take_differences(c);
  RunValues last{};
  lattice.move_to_last(last);
  std::vector<int64_t> basis;
  lattice.basis(last, basis);
  Polynomial out;
  double highest = 0;
  for (size_t i = 0; i < c.size(); ++i) {
    if (c[i] == 0) continue;
    out.terms_.push_back({i, c[i]});
    highest += std::fabs(static_cast<double>(c[i])) * static_cast<double>(basis[i]);
  }
  constexpr double limit = 1e38;  // 2^127 is 1.7e38
  if (highest > limit) return std::nullopt;
  return out;
}

bool Polynomial::never_above(const Polynomial& other) const {
  auto a = terms_.begin(), b = other.terms_.begin();
  while (a != terms_.end() || b != other.terms_.end()) {
    const bool in_a = a != terms_.end() && (b == other.terms_.end() || a->node <= b->node);
    const bool in_b = b != other.terms_.end() && (a == terms_.end() || b->node <= a->node);
    if ((in_a ? a->coefficient : 0) > (in_b ? b->coefficient : 0)) return false;
    a += in_a;
    b += in_b;
  }
  return true;
}

}  // namespace modelmeter
