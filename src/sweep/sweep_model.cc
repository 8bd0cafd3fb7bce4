#include "sweep/sweep_model.h"

#include <algorithm>

#include "base/checked.h"

namespace modelmeter {
namespace {

constexpr char live_memory[] = "live memory";

int64_t most_resident(const AnalyticModel& model) {
  int64_t most = 0;
  for (const Stage* part : model.parts()) most = std::max(most, model.residents(*part).bytes());
  return most;
}

}  // namespace

Totals totals_of(const AnalyticModel& model) { return totals_of(model, model.get_forward_cost()); }

Totals totals_of(const AnalyticModel& model, const StageCost& cost) {
  Totals out;
  out.figures = figures_of(cost.cost);
  out.figures.parameters = cost.parameters;
  out.figures.weight_bytes = cost.weight_bytes;
  out.figures.activation_peak_bytes = cost.activation_peak_bytes;
  out.figures.kv_cache_bytes = cost.kv_cache_bytes;
  out.figures.peak_live_bytes = cost.peak_live_bytes;
  out.resident_bytes = most_resident(model);
  return out;
}

SweepModel::SweepModel(std::unique_ptr<const AnalyticModel> model, const std::vector<SweepAxis>& axes,
                       const std::vector<std::vector<std::string>>& axis_settings, RunTimer* timer)
    : model_(std::move(model)),
      parts_(model_->parts()),
      parameters_(model_->parameter_count()),
      weight_bytes_(model_->parameter_bytes()),
      residents_depend_on_(model_->residents_depend_on()) {
  memos_.reserve(parts_.size());
  for (const Stage* part : parts_) memos_.emplace_back(*part, parts_);
  for (const Stage* part : parts_) {
    if (timer == nullptr) break;
    const auto is_part = [&](const std::unique_ptr<Stage>& stage) { return stage.get() == part; };
    time_memos_.emplace_back(*part, std::any_of(model_->stages().begin(), model_->stages().end(), is_part), *timer);
  }
  const std::vector<Setting> settings = model_->settings();
  for (const Setting& setting : settings) settings_.push_back(setting.value);
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    for (const std::string& key : axis_settings[axis]) {
      for (size_t i = 0; i < settings.size(); ++i) {
        if (settings[i].key == key) add_source({axis, i, {}}, axes[axis], settings[i]);
      }
    }
  }
}

void SweepModel::add_source(Source source, const SweepAxis& axis, const Setting& setting) {
  constexpr int64_t none = -1;  // refused by every setting
  for (const config::Node& choice : axis.choices) {
    int64_t value = none;
    if (setting.choices.empty()) {
      if (choice.is(config::Kind::integer)) value = choice.as_int();
    } else if (choice.is(config::Kind::string)) {
      const auto at = std::find(setting.choices.begin(), setting.choices.end(), choice.as_string());
      if (at != setting.choices.end()) value = at - setting.choices.begin();
    }
    source.choices.push_back(value);
  }
  sources_.push_back(std::move(source));
}

// Whether each value of the point is one that its setting can have.
bool SweepModel::set(SweepPoint point) {
  for (const Source& source : sources_) {
    const int64_t value = point[source.axis];
    if (source.choices.empty()) {
      settings_[source.setting] = value;
      continue;
    }
    if (value < 0 || value >= static_cast<int64_t>(source.choices.size())) return false;
    settings_[source.setting] = source.choices[static_cast<size_t>(value)];
    if (settings_[source.setting] < 0) return false;
  }
  return true;
}

std::optional<Totals> SweepModel::evaluate(SweepPoint point, std::vector<StageTime>* times) {
  if (settings_.empty() || !set(point)) return std::nullopt;
  const std::optional<RunValues> run = model_->run_of(settings_);
  if (!run) return std::nullopt;
  const Residence& there = residence(*run);
  if (times != nullptr) {
    times->clear();
    for (size_t i = 0; i < time_memos_.size(); ++i) time_memos_[i].add(*run, there.parts[i].place, *times);
  }
  return add_up(*run, there);
}

const SweepModel::Residence& SweepModel::residence(const RunValues& run) {
  const std::vector<size_t>& values = residents_depend_on_;
  for (const Residence& known : residences_) {
    const auto same = [&](size_t value, int64_t here) { return run[value] == here; };
    if (std::equal(values.begin(), values.end(), known.values.begin(), same)) return known;
  }
  Residence out;
  for (const size_t value : values) out.values.push_back(run[value]);
  for (const Stage* part : parts_) {
    const Residents there = model_->residents(*part, run);
    out.parts.push_back(
        {there.bytes(), {part->offload(run), there.on_device, there.arriving_bytes, there.leaving_bytes}});
    out.most_bytes = std::max(out.most_bytes, out.parts.back().bytes);
  }
  return residences_.emplace_back(std::move(out));
}

// As AnalyticModel::trace and roll_up() do, over whole stages.
Totals SweepModel::add_up(const RunValues& run, const Residence& there) {
  Cost cost;
  int64_t activation_peak = 0;
  Count kv_cache = 0;
  results_.clear();
  forwards_.clear();
  for (size_t i = 0; i < parts_.size(); ++i) {
    const StageResult& result = memos_[i].at(run, there.parts[i].place.offload.kind);
    forwards_.push_back(parts_[i]->forwards(run));
    cost.add(result.cost.times(forwards_.back()));
    activation_peak = std::max(activation_peak, result.peak_live);
    kv_cache += parts_[i]->kv_cache_bytes(run);
    results_.push_back(&result);
  }
  Totals out;
  out.figures = figures_of(cost);
  out.figures.parameters = parameters_;
  out.figures.weight_bytes = weight_bytes_;
  out.figures.activation_peak_bytes = activation_peak;
  out.figures.kv_cache_bytes = kv_cache;
  out.figures.peak_live_bytes = highest_live(there);
  out.resident_bytes = there.most_bytes;
  return out;
}

// What parts hold while the one runs, where one of them calls it: in a run that goes through it so often.
int64_t SweepModel::held_while(size_t running) const {
  int64_t held = 0;
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (results_[i]->held.empty()) continue;
    held = std::max(held, checked_mul(results_[i]->held[running], forwards_[i], live_memory));
  }
  return held;
}

int64_t SweepModel::highest_live(const Residence& there) const {
  int64_t highest = 0;
  for (size_t i = 0; i < parts_.size(); ++i) {
    const Resident& resident = there.parts[i];
    const StageResult& result = *results_[i];
    const int64_t held = held_while(i);
    const int64_t beside = resident.place.on_device ? std::max(result.input_bytes, held) : held;
    const int64_t own = resident.place.on_device ? result.peak_live : 0;
    const int64_t given = checked_add(resident.bytes, beside, live_memory);
    highest = std::max(highest, checked_add(given, own, live_memory));
  }
  return highest;
}

MemoStats SweepModel::stats() const {
  MemoStats out;
  for (const StageMemo& memo : memos_) out.add(memo.stats());
  return out;
}

}  // namespace modelmeter
