// What one forward of a stage adds to a run: its cost, its live memory, what it is given and what it holds while other
// stages run. Read off a trace, or off polynomials that stand for traces of many sizes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cost/rollup.h"
#include "model/analytic_model.h"
#include "sweep/polynomial.h"

namespace modelmeter {

struct StageResult {
  Cost cost;
  int64_t peak_live = 0;  // above inputs and the weights and buffers that are there all the time
  int64_t input_bytes = 0;
  std::vector<int64_t> held;  // while each part of the run runs (AnalyticModel::parts); empty where it calls none

  friend bool operator==(const StageResult& a, const StageResult& b) = default;
};

// One stage of a model, to be traced with any numbers of a run. Reuses its memory; not thread-safe.
class StageTracer {
 public:
  // `all`: the parts of a run, the stage among them.
  StageTracer(const Stage& stage, const std::vector<const Stage*>& all);

  const Stage& stage() const { return stage_; }
  StageResult trace(const RunValues& run);

  // The same kernel by kernel: sums, and every candidate for each of the peaks.
  struct Outline {
    uint64_t kernels = 0;  // equal for runs of the same kernels in the same scopes
    std::vector<Int128> sums;
    // Live memory by what it is a candidate for: the peak, what is held while each part runs (nothing where the stage
    // calls none).
    std::vector<std::vector<Int128>> peaks;
  };
  Outline outline(const RunValues& run);

 private:
  // Of the last trace, call by call: what is held while the part runs.
  void for_each_held(const std::function<void(size_t part, int64_t bytes)>& visit) const;

  const Stage& stage_;
  std::vector<std::string> part_ids_;
  std::unique_ptr<Tracer> tracer_;
  Rollup rollup_;
};

// Exact figures of a stage for all numbers on a lattice, from traces at its nodes.
class StagePolynomials {
 public:
  // Fits and checks: the same kernels at every node, at the last place and at two between, and there the figures that a
  // trace gives. Nothing where that does not hold; Error where a trace there is one, as for sizes that overflow.
  // Numbers outside of the lattice are those of `run`.
  static std::optional<StagePolynomials> fit(StageTracer& tracer, const Lattice& lattice, RunValues run);

  // run: covered by the lattice.
  void evaluate(const RunValues& run, StageResult& out);

 private:
  explicit StagePolynomials(const Lattice& lattice) : lattice_(lattice) {}
  // Whether it gives what traces give, at places that it was not made from.
  bool holds(StageTracer& tracer, const StageTracer::Outline& node, RunValues run);

  Lattice lattice_;
  std::vector<Polynomial> sums_;
  std::vector<std::vector<Polynomial>> peaks_;  // those that others do not stay above
  std::vector<int64_t> basis_;
};

}  // namespace modelmeter
