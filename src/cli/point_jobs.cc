#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/error.h"
#include "cli/sweep_jobs.h"
#include "config/yaml.h"
#include "timing/run_timer.h"

namespace modelmeter::cli {
namespace {

using config::Kind;
using config::Node;
using config::ProductAxis;

constexpr size_t most_spaces = 256, most_sweeps = 64, most_models_known = 4096;

const Node* find_value(const Node& root, std::string_view key) {
  const Node* at = &root;
  while (at != nullptr && !key.empty()) {
    const size_t dot = key.find('.');
    at = at->find(key.substr(0, dot));
    key = dot == std::string_view::npos ? std::string_view() : key.substr(dot + 1);
  }
  return at;
}

bool is_plain(const Node& value) {
  if (value.is_interpolation() || value.is(Kind::map) || value.is(Kind::missing)) return false;
  return !value.is(Kind::list) || std::all_of(value.items().begin(), value.items().end(), is_plain);
}

// ${hydra:…} may be another in each job.
bool reads_hydra(const Node& node) {
  if (node.is_interpolation()) return node.as_string().find("hydra") != std::string::npos;
  if (node.is(Kind::list)) return std::any_of(node.items().begin(), node.items().end(), reads_hydra);
  if (!node.is(Kind::map)) return false;
  return std::any_of(node.entries().begin(), node.entries().end(),
                     [](const config::Entry& entry) { return reads_hydra(entry.value); });
}

bool is_group(const Session& session, const ProductAxis& axis) { return session.repository().has_group(axis.word.key); }

// Whether one key is the other, or above it.
bool meet(const std::string& a, const std::string& b) {
  const std::string& brief = a.size() < b.size() ? a : b;
  const std::string& other = a.size() < b.size() ? b : a;
  return other.compare(0, brief.size(), brief) == 0 && (other.size() == brief.size() || other[brief.size()] == '.');
}

bool can_be_point_axis(const Session& session, const config::Product& product, size_t at, const Node& config) {
  const ProductAxis& axis = product.axes()[at];
  const bool sets = axis.word.kind == config::OverrideKind::change || axis.word.kind == config::OverrideKind::force_add;
  if (!axis.swept() || !sets || axis.word.package || is_group(session, axis)) return false;
  const Node* now = find_value(config, axis.word.key);
  if (now == nullptr || now->is(Kind::map)) return false;
  if (!std::all_of(axis.values.begin(), axis.values.end(), is_plain)) return false;
  for (size_t i = 0; i < product.axes().size(); ++i) {
    const ProductAxis& other = product.axes()[i];
    if (i != at && !is_group(session, other) && meet(axis.word.key, other.word.key)) return false;
  }
  return true;
}

}  // namespace

std::vector<size_t> point_axes(const Session& session, const config::Product& product) {
  std::vector<size_t> out;
  const config::Composition first = session.composed_job(product.job(0));
  for (const config::Entry& entry : first.config.entries()) {
    if (entry.key.text != "report" && reads_hydra(entry.value)) return out;
  }
  for (size_t i = 0; i < product.axes().size(); ++i) {
    if (can_be_point_axis(session, product, i, first.config)) out.push_back(i);
  }
  return out;
}

// One combination of the axes that are composed.
struct Space {
  SweepSpace space;
  std::optional<Machine> machine;
  std::vector<std::string> set_keys;  // that axes set where the layers stay
};

class Spaces {
 public:
  Spaces(const JobSetting& setting, std::vector<size_t> axes) : setting_(setting), axes_(std::move(axes)) {
    for (size_t i = 0; i < setting.product.axes().size(); ++i) {
      if (std::find(axes_.begin(), axes_.end(), i) == axes_.end()) composed_.push_back(i);
    }
  }

  const std::vector<size_t>& axes() const { return axes_; }
  const std::vector<size_t>& composed() const { return composed_; }

  // Of the values that the composed axes have in `chosen`; null where there is none: the jobs are to be composed.
  std::shared_ptr<const Space> of(const std::vector<size_t>& chosen) {
    std::vector<size_t> key;
    for (const size_t axis : composed_) key.push_back(chosen[axis]);
    {
      const std::lock_guard lock(mutex_);
      const auto found = spaces_.find(key);
      if (found != spaces_.end()) return found->second;
    }
    std::shared_ptr<const Space> made = make(chosen);
    const std::lock_guard lock(mutex_);
    if (spaces_.size() >= most_spaces) spaces_.clear();
    return spaces_.emplace(std::move(key), std::move(made)).first->second;
  }

 private:
  std::shared_ptr<const Space> make(const std::vector<size_t>& chosen) const {
    const std::vector<ProductAxis>& axes = setting_.product.axes();
    std::vector<std::string> words;
    for (size_t i = 0; i < axes.size(); ++i) {
      const bool point = std::find(axes_.begin(), axes_.end(), i) != axes_.end();
      words.push_back(axes[i].words[point ? 0 : chosen[i]]);
    }
    try {
      const config::Composition composition = setting_.session.composed_job(words);
      const Node first = config::resolve(composition);
      std::optional<Machine> machine = setting_.session.machine(config::View(first), composition);
      std::vector<SweepAxis> swept;
      for (const size_t axis : axes_) swept.push_back({axes[axis].word.key, axes[axis].values});
      auto out = std::make_shared<Space>(
          Space{SweepSpace(composition, setting_.session.files(), std::move(swept)), std::move(machine), {}});
      if (!agrees(out->space, words)) return nullptr;
      for (size_t i = 0; i < axes_.size(); ++i) {
        const std::vector<std::string>& keys = out->space.keys_of(i);
        out->set_keys.insert(out->set_keys.end(), keys.begin(), keys.end());
      }
      return out;
    } catch (const Error&) {  // each job has its own
      return nullptr;
    }
  }

  // Whether composing gives the same configuration as setting values does, for the last value of each axis.
  bool agrees(const SweepSpace& space, const std::vector<std::string>& words) const {
    const std::vector<ProductAxis>& axes = setting_.product.axes();
    for (size_t i = 0; i < axes_.size(); ++i) {
      const size_t last = axes[axes_[i]].values.size() - 1;
      std::vector<int64_t> point(axes_.size(), 0);
      point[i] = static_cast<int64_t>(last);
      std::vector<std::string> changed = words;
      changed[axes_[i]] = axes[axes_[i]].words[last];
      const auto lines = [&](const Node& node) { return hash_of_lines(lines_of_job(setting_, node)); };
      if (lines(space.configuration(point)) != lines(config::resolve(setting_.session.composed_job(changed)))) {
        return false;
      }
    }
    return true;
  }

  const JobSetting& setting_;
  std::vector<size_t> axes_, composed_;
  std::mutex mutex_;
  std::map<std::vector<size_t>, std::shared_ptr<const Space>> spaces_;
};

std::shared_ptr<Spaces> make_spaces(const JobSetting& setting, std::vector<size_t> point_axes) {
  return std::make_shared<Spaces>(setting, std::move(point_axes));
}

namespace {

// A part of a job's key and text.
struct KeyPart {
  JobHash hash = 0;
  std::string changes;
};

class PointJobs : public JobRunner {
 public:
  PointJobs(const JobSetting& setting, std::shared_ptr<Spaces> spaces)
      : setting_(setting), spaces_(std::move(spaces)), one_by_one_(composed_jobs(setting)) {
    for (const CanonicalLine& line : setting.base) base_.emplace(line.key, line.text);
  }

  void run(JobRow& row, const FindResult& find) override {
    setting_.product.choose(row.number, chosen_);
    Known& known = known_space();
    if (!known.space) return one_by_one_->run(row, find);
    const std::vector<ProductAxis>& axes = setting_.product.axes();
    for (const size_t axis : setting_.swept) row.axes.push_back(stored_value(axes[axis].values[chosen_[axis]]));
    point_.clear();
    for (const size_t axis : spaces_->axes()) point_.push_back(static_cast<int64_t>(chosen_[axis]));
    try {
      set_key(row, known);
      row.result = find(row.key);
      if (!row.result) row.figures = evaluate_point(known);
    } catch (const Error& error) {
      row.error = error.what();
    } catch (const std::exception& error) {  // of memory
      row.error = fmt::format("error: {}", error.what());
      row.again = true;
    }
    if (!row.error.empty() && row.key == 0) row.key = key_of_words(setting_, row.number);
  }

 private:
  // A space and what this thread knows of it.
  struct Known {
    std::shared_ptr<const Space> space;
    std::optional<Sweep> sweep;
    std::map<std::vector<int64_t>, KeyPart> models;   // by the values of axes that ask for another model
    std::vector<std::pair<int64_t, KeyPart>> values;  // of each axis that sets keys, its last value
  };

  Known& known_space() {
    key_.clear();
    for (const size_t axis : spaces_->composed()) key_.push_back(chosen_[axis]);
    if (last_ != nullptr && key_ == last_key_) return *last_;
    auto found = known_.find(key_);
    if (found == known_.end()) {
      if (known_.size() >= most_sweeps) known_.clear();
      found = known_.emplace(key_, Known{spaces_->of(chosen_), {}, {}, {}}).first;
      if (const Space* space = found->second.space.get()) {
        found->second.sweep.emplace(space->space, space->machine ? &*space->machine : nullptr);
      }
      found->second.values.assign(spaces_->axes().size(), {-1, {}});
    }
    last_key_ = key_;
    last_ = &found->second;
    return *last_;
  }

  JobFigures evaluate_point(Known& known) {
    const std::optional<Machine>& machine = known.space->machine;
    if (!machine) return {known.sweep->evaluate(SweepPoint(point_)), std::nullopt};
    const size_t kept = known.sweep->kept_kernels();
    const Totals totals = known.sweep->evaluate(SweepPoint(point_), time_.stages);
    if (known.sweep->kept_kernels() != kept) bound_kernels();
    return job_figures(totals, time_, *machine);
  }

  // Of all sweeps of this thread.
  void bound_kernels() {
    size_t kept = 0;
    for (const auto& [values, known] : known_) kept += known.sweep ? known.sweep->kept_kernels() : 0;
    if (kept < RunTimer::most_kernels) return;
    for (auto& [values, known] : known_) {
      if (known.sweep) known.sweep->forget_kernels();
    }
  }

  void set_key(JobRow& row, Known& known) {
    const KeyPart& model = model_part(known);  // may throw: the key is 0 then
    row.key = model.hash;
    row.changes = model.changes;
    for (size_t i = 0; i < point_.size(); ++i) {
      const std::vector<std::string>& keys = known.space->space.keys_of(i);
      if (keys.empty()) continue;
      auto& [value, part] = known.values[i];
      if (value != point_[i]) {
        part = KeyPart();
        const Node& node = known.space->space.axes()[i].choices[static_cast<size_t>(point_[i])];
        for (const std::string& key : keys) add_line(key, canonical_line(key, node), part);
        value = point_[i];
      }
      row.key += part.hash;
      row.changes += part.changes;
    }
  }

  void add_line(const std::string& key, const std::string& line, KeyPart& part) const {
    part.hash += hash_of_line(line);
    const auto base = base_.find(key);
    if (base == base_.end() || base->second != line) part.changes += line + "\n";
  }

  // Of all lines but those that axes set.
  const KeyPart& model_part(Known& known) {
    const SweepSpace& space = known.space->space;
    values_.clear();
    for (size_t i = 0; i < point_.size(); ++i) {
      if (space.keys_of(i).empty()) values_.push_back(point_[i]);
    }
    const auto found = known.models.find(values_);
    if (found != known.models.end()) return found->second;
    if (known.models.size() >= most_models_known) known.models.clear();
    const std::vector<std::string>& set = known.space->set_keys;
    const auto is_set = [&](const CanonicalLine& line) {
      return std::find(set.begin(), set.end(), line.key) != set.end();
    };
    std::vector<CanonicalLine> lines = lines_of_job(setting_, space.configuration(point_));
    std::vector<CanonicalLine> base = setting_.base;
    lines.erase(std::remove_if(lines.begin(), lines.end(), is_set), lines.end());
    base.erase(std::remove_if(base.begin(), base.end(), is_set), base.end());
    return known.models.emplace(values_, KeyPart{hash_of_lines(lines), changes_of(base, lines)}).first->second;
  }

  const JobSetting& setting_;
  std::shared_ptr<Spaces> spaces_;
  std::unique_ptr<JobRunner> one_by_one_;
  std::unordered_map<std::string, std::string> base_;
  std::map<std::vector<size_t>, Known> known_;
  Known* last_ = nullptr;
  std::vector<size_t> chosen_, key_, last_key_;
  std::vector<int64_t> point_, values_;
  RunTime time_;  // of stages alone
};

}  // namespace

std::unique_ptr<JobRunner> point_jobs(const JobSetting& setting, std::shared_ptr<Spaces> spaces) {
  return std::make_unique<PointJobs>(setting, std::move(spaces));
}

}  // namespace modelmeter::cli
