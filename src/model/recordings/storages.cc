#include "model/recordings/storages.h"

#include <algorithm>
#include <utility>

namespace modelmeter::recordings {
namespace {

// Of those that run in place, the target is no new memory.
bool is_in_place(const RecordedOp& op) {
  const std::string& name = op.kernel;
  return name.size() > 1 && name.back() == '_' && name[name.size() - 2] != '_';
}

bool is_transpose(const Shape& a, const Shape& b) {
  return a.rank() == 2 && b.rank() == 2 && a[0] == b[1] && a[1] == b[0];
}

}  // namespace

RecordedStorages::RecordedStorages(const Recording& recording, const RecordedStage& stage, Tracer& tracer,
                                   int64_t before)
    : recording_(recording),
      tracer_(tracer),
      stage_(stage),
      first_op_(static_cast<int32_t>(tracer.trace().ops.size())),
      before_(before) {
  storages_.resize(recording.storages.size());
  std::vector<Storage*>& of_stages = tracer.trace().of_stages;
  if (recording.stages.size() > 1) of_stages.resize(storages_.size());
  for (size_t i = 0; i < storages_.size(); ++i) take_over(i, of_stages.empty() ? storages_[i] : of_stages[i]);
  if (!storages_.empty()) return;
  for (const RecordedParameter& p : recording.parameters) {
    const size_t dot = p.name.rfind('.');
    parameters_[dot == std::string::npos ? "" : p.name.substr(0, dot)].push_back(&p);
  }
}

bool RecordedStorages::is_there_before(const RecordedStorage& s) const {
  const auto first = static_cast<int64_t>(stage_.first);
  return s.born < first && (s.died < 0 || s.died > first || first == 0);
}

bool RecordedStorages::is_there_after(const RecordedStorage& s) const {
  return s.born < static_cast<int64_t>(stage_.end) && (s.died < 0 || s.died > static_cast<int64_t>(stage_.end));
}

// `shared`: as stages before have it.
void RecordedStorages::take_over(size_t number, Storage*& shared) {
  const RecordedStorage& s = recording_.storages[number];
  if (s.born >= static_cast<int64_t>(stage_.end)) return;
  const bool made_here = s.born >= static_cast<int64_t>(stage_.first), before = is_there_before(s);
  const bool is_known = shared != nullptr && (shared->died < 0 || shared->died > first_op_);
  if (made_here) {
    shared = add(s.bytes, at(static_cast<size_t>(s.born)), Place::device);
  } else if (before && !is_known) {
    // Its stage did not run in this trace, or, running several times, let it go.
    const bool by_itself = s.born < 0 || first_op_ == 0;
    shared = by_itself ? add(s.bytes, -1, Place::given) : add(s.bytes, first_op_ - 1, Place::device);
  }
  if (shared == nullptr) return;  // it went before
  if (!s.role.empty()) shared->role = s.role.c_str();
  if ((made_here || before) && s.died >= 0 && !is_there_after(s)) shared->died = at(static_cast<size_t>(s.died));
  storages_[number] = shared;
}

void RecordedStorages::end_stage() {
  if (stage_.repeat == 1) return;
  std::vector<size_t> found;  // of stages before, and goes here
  for (size_t i = 0; i < storages_.size(); ++i) {
    const RecordedStorage& s = recording_.storages[i];
    if (s.born >= 0 && is_there_before(s) && s.died >= 0 && !is_there_after(s)) found.push_back(i);
  }
  for (size_t i = 0; i < storages_.size(); ++i) {
    const RecordedStorage& left = recording_.storages[i];
    if (left.born < static_cast<int64_t>(stage_.first) || storages_[i] == nullptr || !is_there_after(left)) continue;
    auto best = found.end();
    for (auto f = found.begin(); f != found.end(); ++f) {
      const RecordedStorage& s = recording_.storages[*f];
      if (s.died <= left.born || s.role != left.role || s.bytes > 2 * left.bytes || left.bytes > 2 * s.bytes) continue;
      if (best == found.end() || s.died < recording_.storages[*best].died) best = f;
    }
    if (best == found.end()) {
      storages_[i]->died = at(stage_.end);
      continue;
    }
    tracer_.trace().carried.push_back({tracer_.scope(), storages_[*best], storages_[i]});
    found.erase(best);
  }
}

Storage* RecordedStorages::add(int64_t bytes, int32_t born, Place place) {
  Storage* out = tracer_.trace().storages.add();
  out->tracer = &tracer_;
  out->bytes = bytes;
  out->handles = 1;
  out->born = born;
  out->died = -1;
  out->place = place;
  out->role = nullptr;
  return out;
}

void RecordedStorages::begin(size_t) { made_ = 0; }

Storage* RecordedStorages::of(const RecordedTensor& tensor, bool host, bool output, size_t op) {
  if (tensor.storage >= 0) {
    Storage* known = storages_[static_cast<size_t>(tensor.storage)];
    if (host) known->place = Place::host;
    return known;
  }
  const int64_t bytes = 0;
  if (host) return add(bytes, -1, Place::host);
  const RecordedOp& of = recording_.ops[op];
  const int32_t now = at(op);
  if (!output) return add(bytes, is_parameter(tensor, of.scope) ? -1 : now, Place::given);
  if (!storages_.empty() || is_in_place(of)) return add(bytes, now, Place::given);
  const int64_t size = tensor.sizes.numel() * size_of(parse_dtype(tensor.dtype));
  made_ += size;
  alive_.push_back(add(size, now, Place::device));
  return alive_.back();
}

void RecordedStorages::end(size_t op) {
  if (!storages_.empty()) return;
  const int64_t live = recording_.ops[op].live;
  int64_t gone = std::exchange(before_, live) + made_ - live;
  if (gone < 0) {  // more is there than it made: of no operand that is listed
    alive_.push_back(add(-gone, at(op), Place::device));
    gone = 0;
  }
  if (gone > 0) let_go(gone, op);
}

bool RecordedStorages::is_parameter(const RecordedTensor& tensor, const std::string& scope) const {
  const auto found = parameters_.find(scope);
  if (found == parameters_.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(), [&](const RecordedParameter* p) {
    const Shape& sizes = p->tensor.sizes;
    return p->tensor.dtype == tensor.dtype && (sizes == tensor.sizes || is_transpose(sizes, tensor.sizes));
  });
}

// Those let go before the op, which are not of it.
void RecordedStorages::let_go(int64_t bytes, size_t op) {
  bytes += std::exchange(owed_, 0);
  const int32_t now = at(op);
  while (bytes > 0) {
    auto best = alive_.rend();
    for (auto it = alive_.rbegin(); it != alive_.rend(); ++it) {
      if ((*it)->born >= now || (*it)->bytes > bytes || (*it)->bytes == 0) continue;
      if (best == alive_.rend() || (*it)->bytes > (*best)->bytes) best = it;
    }
    if (best == alive_.rend()) {
      owed_ = bytes;
      return;
    }
    bytes -= (*best)->bytes;
    (*best)->died = now;
    alive_.erase(std::next(best).base());
  }
}

}  // namespace modelmeter::recordings
