// The results of one stage of a model, kept by the numbers of the run that it depends on (Stage::depends_on): a run
// with the same ones as an earlier one is not traced again. Where many sizes come, polynomials take the place of
// traces.
//
// Memory is bounded: past `most_results` and `most_fits` all are forgotten. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "sweep/run_key.h"
#include "sweep/stage_result.h"

namespace modelmeter {

struct MemoStats {
  int64_t traced = 0;     // runs
  int64_t evaluated = 0;  // by polynomials
  int64_t known = 0;      // found again
  int64_t fits = 0, failed_fits = 0;

  void add(const MemoStats& other);
};

class StageMemo {
 public:
  static constexpr size_t most_results = 20'000, most_fits = 500;

  StageMemo(const Stage& stage, const std::vector<const Stage*>& all);

  const Stage& stage() const { return tracer_.stage(); }
  // What one forward adds; valid until the next call. Errors as of a trace.
  const StageResult& at(const RunValues& run, Offload::Kind offload);
  const MemoStats& stats() const { return stats_; }

 private:
  // The numbers that the stage depends on, in order, and how its weights are offloaded.
  using Key = RunKey;
  // Runs that differ only in the lattice's numbers.
  struct Family {
    size_t traced = 0;
    bool tried = false;
    std::optional<StagePolynomials> polynomials;
  };

  Key key_of(const RunValues& run, Offload::Kind offload, bool without_lattice) const;
  const StageResult& find(const Key& key, const RunValues& run, Offload::Kind offload);
  const StageResult& evaluate(Family& family, const RunValues& run);
  Family& family_of(const RunValues& run, Offload::Kind offload);
  bool wants_fit(const Family& family) const;
  bool fit(Family& family, const RunValues& run);

  StageTracer tracer_;
  std::vector<Dependence> dependences_;
  std::optional<Lattice> lattice_;
  std::unordered_map<Key, StageResult, RunKeyHash> results_;
  std::unordered_map<Key, Family, RunKeyHash> families_;
  Key last_family_key_;
  Family* last_family_ = nullptr;
  StageResult evaluated_;
  Key last_key_;
  const StageResult* last_ = nullptr;
  MemoStats stats_;
};

}  // namespace modelmeter
