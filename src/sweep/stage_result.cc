#include "sweep/stage_result.h"

#include <algorithm>

#include "base/checked.h"
#include "cost/live_memory.h"

namespace modelmeter {
namespace {

constexpr size_t live_peak = 0, first_held = 1;     // places in Outline::peaks
constexpr size_t input_sum = std::size(cost_sums);  // in Outline::sums, behind those of Cost

// Of the sequence of kernels and of the scopes around them, not of sizes and counts (FNV-1a).
uint64_t hash_of_kernels(const Trace& trace) {
  uint64_t hash = 0xcbf29ce484222325U;
  const auto add = [&](uint64_t value) { hash = (hash ^ value) * 0x100000001b3U; };
  for (size_t i = 0; i < trace.ops.size(); ++i) {
    const Op& op = trace.ops[i];
    add(static_cast<uint64_t>(op.kernel));
    add(op.inputs * 512U + op.outputs * 2U + (op.in_place ? 1U : 0U));
    add(static_cast<uint64_t>(op.scope) * 2 + (op.last >= 0 ? 1U : 0U));
  }
  for (size_t i = 0; i < trace.scopes.size(); ++i) {
    const Scope& scope = trace.scopes[i];
    add(static_cast<uint64_t>(scope.parent + 1) * 8 + static_cast<uint64_t>(scope.kind) * 2 +
        (scope.growing ? 1U : 0U));
  }
  return hash;
}

// Live memory right after an op is highest in its first execution or in its last.
void add_live(const Trace& trace, const Op& op, const Rise& rise, std::vector<Int128>& out) {
  if (op.last < 0) {
    out.push_back(Int128{op.live} + rise.all);
    return;
  }
  const int64_t last = trace.last_ops[static_cast<size_t>(op.last)].live;
  out.push_back(Int128{op.live} + rise.outside_growing);
  out.push_back(Int128{last} + rise.outside_growing);
}

}  // namespace

StageTracer::StageTracer(const Stage& stage, const std::vector<const Stage*>& all)
    : stage_(stage), tracer_(std::make_unique<Tracer>()) {
  for (const Stage* part : all) part_ids_.push_back(part->id());
}

void StageTracer::for_each_held(const std::function<void(size_t part, int64_t bytes)>& visit) const {
  for (const Stage::Held& held : stage_.held_at_calls(tracer_->trace())) {
    for (size_t i = 0; i < part_ids_.size(); ++i) {
      if (part_ids_[i].compare(0, held.stage.size(), held.stage) == 0) visit(i, held.bytes);
    }
  }
}

StageResult StageTracer::trace(const RunValues& run) {
  tracer_->clear();
  tracer_->share_calls(true);
  stage_.trace_forward(*tracer_, run);
  const Trace& trace = tracer_->trace();
  roll_up(trace, rollup_);
  StageResult out;
  out.cost = rollup_.total();
  out.peak_live = rollup_.peak_live;
  out.input_bytes = trace.given_bytes - stage_.weight_and_buffer_bytes();
  for_each_held([&](size_t part, int64_t bytes) {
    out.held.resize(part_ids_.size());
    out.held[part] = std::max(out.held[part], bytes);
  });
  return out;
}

StageTracer::Outline StageTracer::outline(const RunValues& run) {
  tracer_->clear();
  tracer_->share_calls(false);
  stage_.trace_forward(*tracer_, run);
  const Trace& trace = tracer_->trace();
  roll_up(trace, rollup_);
  Outline out;
  out.kernels = hash_of_kernels(trace);
  for (const auto& [member, what] : cost_sums) out.sums.push_back((rollup_.total().*member).value());
  out.sums.push_back(Int128{trace.given_bytes - stage_.weight_and_buffer_bytes()});
  out.peaks.resize(first_held);
  const std::vector<Rise> rise = rises(trace);
  for (size_t i = 0; i < trace.ops.size(); ++i) {
    const Op& op = trace.ops[i];
    add_live(trace, op, rise[static_cast<size_t>(op.scope)], out.peaks[live_peak]);
  }
  for_each_held([&](size_t part, int64_t bytes) {
    out.peaks.resize(first_held + part_ids_.size());
    out.peaks[first_held + part].push_back(Int128{bytes});
  });
  return out;
}

// --- polynomials -----------------------------------------------------------------------------------------------------

namespace {

// Of the figures at each node, in one row, the polynomial through them.
using Row = std::vector<Int128>;

bool alike(const StageTracer::Outline& a, const StageTracer::Outline& b) {
  const auto same_size = [](const Row& x, const Row& y) { return x.size() == y.size(); };
  return a.kernels == b.kernels && same_size(a.sums, b.sums) && a.peaks.size() == b.peaks.size() &&
         std::equal(a.peaks.begin(), a.peaks.end(), b.peaks.begin(), same_size);
}

// Those of the candidates that can be the highest.
std::vector<Polynomial> highest_of(std::vector<Polynomial> candidates) {
  std::vector<Polynomial> out;
  for (Polynomial& p : candidates) {
    if (std::any_of(out.begin(), out.end(), [&](const Polynomial& q) { return p.never_above(q); })) continue;
    out.erase(std::remove_if(out.begin(), out.end(), [&](const Polynomial& q) { return q.never_above(p); }), out.end());
    out.push_back(std::move(p));
  }
  return out;
}

// A polynomial for each figure that `figures` gives of an outline.
template <class Figures>
std::optional<std::vector<Polynomial>> fit_each(const Lattice& lattice, const std::vector<StageTracer::Outline>& nodes,
                                                const Figures& figures) {
  std::vector<Polynomial> out;
  Row row(nodes.size());
  for (size_t i = 0; i < figures(nodes.front()).size(); ++i) {
    for (size_t n = 0; n < nodes.size(); ++n) row[n] = figures(nodes[n])[i];
    std::optional<Polynomial> p = Polynomial::through(lattice, row);
    if (!p) return std::nullopt;
    out.push_back(std::move(*p));
  }
  return out;
}

}  // namespace

std::optional<StagePolynomials> StagePolynomials::fit(StageTracer& tracer, const Lattice& lattice, RunValues run) {
  std::vector<StageTracer::Outline> nodes;
  for (size_t i = 0; i < lattice.nodes(); ++i) {
    lattice.move_to(i, run);
    nodes.push_back(tracer.outline(run));
    if (!alike(nodes.front(), nodes.back())) return std::nullopt;
  }
  StagePolynomials out(lattice);
  auto sums = fit_each(lattice, nodes, [](const auto& node) -> const Row& { return node.sums; });
  if (!sums) return std::nullopt;
  out.sums_ = std::move(*sums);
  for (size_t k = 0; k < nodes.front().peaks.size(); ++k) {
    auto peaks = fit_each(lattice, nodes, [k](const auto& node) -> const Row& { return node.peaks[k]; });
    if (!peaks) return std::nullopt;
    out.peaks_.push_back(highest_of(std::move(*peaks)));
  }
  if (!out.holds(tracer, nodes.front(), run)) return std::nullopt;
  return out;
}

bool StagePolynomials::holds(StageTracer& tracer, const StageTracer::Outline& node, RunValues run) {
  StageResult fitted;
  static constexpr std::initializer_list<double> places[] = {{0.03, 0.2, 0.1}, {0.3, 0.02, 0.15, 0.01}, {1.0}};
  for (const std::initializer_list<double> shares : places) {
    lattice_.move_to(shares, run);
    if (!alike(node, tracer.outline(run))) return false;
    evaluate(run, fitted);
    if (!(fitted == tracer.trace(run))) return false;
  }
  return true;
}

void StagePolynomials::evaluate(const RunValues& run, StageResult& out) {
  lattice_.basis(run, basis_);
  for (size_t i = 0; i < input_sum; ++i) out.cost.*cost_sums[i].member = Count::of(sums_[i].at(basis_));
  out.input_bytes = static_cast<int64_t>(sums_[input_sum].at(basis_));
  const auto highest = [&](size_t k) {
    Int128 most = 0;
    for (const Polynomial& p : peaks_[k]) most = std::max(most, p.at(basis_));
    return static_cast<int64_t>(most);
  };
  out.peak_live = highest(live_peak);
  out.held.resize(peaks_.size() - first_held);
  for (size_t i = 0; i < out.held.size(); ++i) out.held[i] = highest(first_held + i);
}

}  // namespace modelmeter
