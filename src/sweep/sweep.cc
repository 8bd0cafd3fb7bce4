#include "sweep/sweep.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/edit_distance.h"
#include "model/registry.h"
#include "sweep/sweep_model.h"

namespace modelmeter {
namespace {

constexpr size_t most_models = 64, most_alike = 4;

// The node at "a.b"; null where the configuration has none.
template <class NodeOrConst>
NodeOrConst* find(NodeOrConst& root, std::string_view key) {
  NodeOrConst* at = &root;
  while (at != nullptr && !key.empty()) {
    const size_t dot = key.find('.');
    at = at->find(key.substr(0, dot));
    key = dot == std::string_view::npos ? std::string_view() : key.substr(dot + 1);
  }
  return at;
}

std::string below(const std::string& prefix, const std::string& key) {
  return prefix.empty() ? key : fmt::format("{}.{}", prefix, key);
}

// Keys of values: "workload.width".
void add_keys(const config::Node& node, const std::string& prefix, std::vector<std::string>& out) {
  if (!node.is(config::Kind::map)) {
    out.push_back(prefix);
    return;
  }
  for (const std::string& key : node.keys()) add_keys(*node.find(key), below(prefix, key), out);
}

// Keys at which two trees of the same keys differ.
void add_differences(const config::Node& a, const config::Node& b, const std::string& prefix,
                     std::vector<std::string>& out) {
  if (!a.is(config::Kind::map) || !b.is(config::Kind::map)) {
    if (!equal(a, b)) out.push_back(prefix);
    return;
  }
  for (const std::string& key : a.keys()) {
    const std::string path = below(prefix, key);
    if (const config::Node* other = b.find(key)) add_differences(*a.find(key), *other, path, out);
  }
}

// What says where a report goes follows from what is swept, and changes no figure.
bool is_of_reports(const std::string& key) { return key.rfind("report.", 0) == 0; }

const Setting* find(const std::vector<Setting>& settings, const std::string& key) {
  for (const Setting& setting : settings) {
    if (setting.key == key) return &setting;
  }
  return nullptr;
}

config::Node value_of(const SweepAxis& axis, int64_t value) {
  if (axis.choices.empty()) return config::Node::integer(value);
  if (value < 0 || value >= static_cast<int64_t>(axis.choices.size())) {
    throw Error(fmt::format("{}: there is no choice {}, of {}", axis.key, value, axis.choices.size()));
  }
  return axis.choices[static_cast<size_t>(value)];
}

// A value of the axis that is not the one given, where it has one.
config::Node another(const SweepAxis& axis, const config::Node& now) {
  if (axis.choices.empty()) return config::Node::integer(now.is(config::Kind::integer) ? now.as_int() + 1 : 1);
  const auto other = std::find_if(axis.choices.begin(), axis.choices.end(),
                                  [&](const config::Node& choice) { return !equal(choice, now); });
  return other != axis.choices.end() ? *other : now;
}

void set(config::Node& root, const std::string& key, config::Node value) {
  config::Node& at = *find(root, key);
  if (!value.span().known()) value.set_mark(at.mark());
  at = std::move(value);
}

}  // namespace

SweepSpace::SweepSpace(config::Composition composition, DataFiles files, std::vector<SweepAxis> axes)
    : composition_(std::move(composition)), files_(std::move(files)), axes_(std::move(axes)) {
  for (size_t i = 0; i < axes_.size(); ++i) {
    const std::string& key = axes_[i].key;
    if (find(composition_.config, key) == nullptr || key.empty()) {
      std::vector<std::string> known;
      add_keys(composition_.config, "", known);
      std::vector<std::string> notes;
      if (const std::string near = did_you_mean(key, known); !near.empty()) notes.push_back(near);
      throw Error(fmt::format("the configuration has no '{}' to sweep", key), {}, std::move(notes));
    }
    const auto same = [&](const SweepAxis& other) { return other.key == key; };
    if (std::count_if(axes_.begin(), axes_.end(), same) > 1) throw Error(fmt::format("'{}' is swept twice", key));
  }
  find_settings();
}

void SweepSpace::find_settings() {
  const config::Node base = config::resolve(composition_);
  const std::vector<Setting> settings = build_model(config::View(base), files_)->settings();
  for (size_t i = 0; i < axes_.size(); ++i) {
    const Setting* setting = find(settings, axes_[i].key);
    std::vector<std::string> sets;
    if (setting != nullptr && (setting->choices.empty() || !axes_[i].choices.empty())) sets = changed_by(i);
    const auto is_none = [&](const std::string& key) { return find(settings, key) == nullptr; };
    if (std::any_of(sets.begin(), sets.end(), is_none)) sets.clear();
    settings_.push_back(std::move(sets));
  }
}

// The keys whose values change with an axis: its own and those that are nothing but it. None where more changes.
std::vector<std::string> SweepSpace::changed_by(size_t axis) const {
  const config::Node base = config::resolve(composition_);
  config::Composition changed = composition_;
  const config::Node& now = *find(base, axes_[axis].key);
  const config::Node value = another(axes_[axis], now);
  set(changed.config, axes_[axis].key, value);
  config::Node other = config::resolve(changed);
  std::vector<std::string> keys, out = {axes_[axis].key};
  add_differences(base, other, "", keys);
  for (const std::string& key : keys) {
    if (key == axes_[axis].key || is_of_reports(key)) continue;
    if (!equal(*find(other, key), value)) return {};
    out.push_back(key);
  }
  return out;
}

config::Node SweepSpace::configuration(std::span<const int64_t> point) const {
  if (point.size() != axes_.size()) {
    throw Error(fmt::format("a point of {} values; the sweep has {} axes", point.size(), axes_.size()));
  }
  config::Composition composition = composition_;
  for (size_t i = 0; i < axes_.size(); ++i) set(composition.config, axes_[i].key, value_of(axes_[i], point[i]));
  return config::resolve(composition);
}

std::unique_ptr<AnalyticModel> SweepSpace::model(std::span<const int64_t> point) const {
  const config::Node node = configuration(point);
  return build_model(config::View(node), files_);
}

// ---------------------------------------------------------------------------------------------------------------------

Sweep::Sweep(const SweepSpace& space, const Machine* machine) : space_(space) {
  if (machine != nullptr) timer_ = std::make_unique<RunTimer>(*machine);
  for (size_t i = 0; i < space.axes_.size(); ++i) {
    if (space.settings_[i].empty()) model_axes_.push_back(i);
  }
}

Sweep::~Sweep() = default;
Sweep::Sweep(Sweep&&) noexcept = default;

size_t Sweep::Hash::operator()(const std::vector<int64_t>& values) const {
  uint64_t hash = 0;
  for (const int64_t value : values) hash = (hash ^ static_cast<uint64_t>(value)) * 0x9e3779b97f4a7c15U;
  return hash;
}

Sweep::Models& Sweep::models_of(SweepPoint point) {
  const bool same = last_ != nullptr && std::equal(model_axes_.begin(), model_axes_.end(), of_model_.begin(),
                                                   [&](size_t axis, int64_t value) { return point[axis] == value; });
  if (same) return *last_;
  of_model_.clear();
  for (const size_t axis : model_axes_) of_model_.push_back(point[axis]);
  if (models_.size() >= most_models && models_.count(of_model_) == 0) {
    for (auto& [values, models] : models_) forget(models);
    models_.clear();
  }
  last_ = &models_[of_model_];
  return *last_;
}

void Sweep::forget(Models& models) {
  for (const auto& model : models) stats_.stages.add(model->stats());
  models.clear();
}

Totals Sweep::evaluate_anew(SweepPoint point, Models& models, std::vector<StageTime>* times) {
  auto model = std::make_unique<SweepModel>(space_.model(point), space_.axes_, space_.settings_, timer_.get());
  ++stats_.models;
  const std::optional<Totals> totals = model->evaluate(point, times);
  if (!totals) {
    ++stats_.whole;
    return evaluate_whole(model->model(), times);
  }
  if (models.size() >= most_alike) forget(models);
  models.push_back(std::move(model));
  return *totals;
}

Totals Sweep::evaluate_whole(const AnalyticModel& model, std::vector<StageTime>* times) {
  if (times == nullptr) return totals_of(model);
  if (!tracer_) tracer_ = std::make_unique<Tracer>();
  tracer_->clear();
  model.trace(*tracer_);
  const Rollup rollup = roll_up(tracer_->trace());
  *times = (*timer_)(tracer_->trace(), rollup.executions);
  return totals_of(model, model.cost_of(tracer_->trace(), rollup));
}

Totals Sweep::evaluate(SweepPoint point, std::vector<StageTime>* times) {
  if (times != nullptr && !timer_) throw Error(ErrorCode::internal, "a sweep without a machine has no times");
  if (point.size() != space_.axes_.size()) static_cast<void>(space_.configuration(point));  // an error
  ++stats_.points;
  Models& models = models_of(point);
  for (const auto& model : models) {
    if (const std::optional<Totals> totals = model->evaluate(point, times)) return *totals;
  }
  return evaluate_anew(point, models, times);
}

Sweep::Stats Sweep::stats() const {
  Stats out = stats_;
  if (timer_) out.timed = timer_->timed();
  for (const auto& [values, models] : models_) {
    for (const auto& model : models) out.stages.add(model->stats());
  }
  return out;
}

}  // namespace modelmeter
