#include "sweep/stage_memo.h"

#include "base/error.h"

namespace modelmeter {

void MemoStats::add(const MemoStats& other) {
  traced += other.traced;
  evaluated += other.evaluated;
  known += other.known;
  fits += other.fits;
  failed_fits += other.failed_fits;
}

StageMemo::StageMemo(const Stage& stage, const std::vector<const Stage*>& all)
    : tracer_(stage, all), dependences_(stage.depends_on()), lattice_(Lattice::of(dependences_)) {}

StageMemo::Key StageMemo::key_of(const RunValues& run, Offload::Kind offload, bool without_lattice) const {
  Key key;
  for (const Dependence& d : dependences_) {
    if (!without_lattice || d.degree < 0) key.add(run[d.value]);
  }
  key.add(static_cast<int64_t>(offload));
  return key;
}

const StageResult& StageMemo::at(const RunValues& run, Offload::Kind offload) {
  const Key key = key_of(run, offload, false);
  if (last_ != nullptr && key == last_key_) {
    ++stats_.known;
    return *last_;
  }
  last_ = nullptr;  // what follows may throw
  const StageResult& out = find(key, run, offload);
  last_key_ = key;
  last_ = &out;
  return out;
}

const StageResult& StageMemo::find(const Key& key, const RunValues& run, Offload::Kind offload) {
  const bool on_lattice = lattice_ && lattice_->covers(run);
  Family* family = on_lattice ? &family_of(run, offload) : nullptr;
  if (family != nullptr && family->polynomials) return evaluate(*family, run);
  if (const auto known = results_.find(key); known != results_.end()) {
    ++stats_.known;
    return known->second;
  }
  if (family != nullptr && wants_fit(*family) && fit(*family, run)) return evaluate(*family, run);
  if (family != nullptr) ++family->traced;
  StageResult traced = tracer_.trace(run);
  ++stats_.traced;
  if (results_.size() >= most_results) results_.clear();
  return results_.emplace(key, std::move(traced)).first->second;
}

const StageResult& StageMemo::evaluate(Family& family, const RunValues& run) {
  ++stats_.evaluated;
  family.polynomials->evaluate(run, evaluated_);
  return evaluated_;
}

StageMemo::Family& StageMemo::family_of(const RunValues& run, Offload::Kind offload) {
  const Key key = key_of(run, offload, true);
  if (last_family_ != nullptr && key == last_family_key_) return *last_family_;
  if (families_.size() >= most_fits) families_.clear();
  last_family_key_ = key;
  last_family_ = &families_[key];
  return *last_family_;
}

// When as much was traced as a fit takes: it costs at most as much again.
bool StageMemo::wants_fit(const Family& family) const { return !family.tried && family.traced >= lattice_->nodes(); }

bool StageMemo::fit(Family& family, const RunValues& run) {
  family.tried = true;
  ++stats_.fits;
  try {
    family.polynomials = StagePolynomials::fit(tracer_, *lattice_, run);
  } catch (const Error&) {  // somewhere on the lattice: this run is traced, and is one too or not
    family.polynomials.reset();
  }
  if (!family.polynomials) ++stats_.failed_fits;
  return family.polynomials.has_value();
}

}  // namespace modelmeter
