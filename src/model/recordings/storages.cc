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

RecordedStorages::RecordedStorages(const Recording& recording, Tracer& tracer)
    : recording_(recording), tracer_(tracer), first_op_(static_cast<int32_t>(tracer.trace().ops.size())) {
  storages_.reserve(recording.storages.size());
  for (const RecordedStorage& s : recording.storages) {
    Storage* made = add(s.bytes, at(s.born), s.born < 0 ? Place::given : Place::device);
    made->died = at(s.died);
    if (!s.role.empty()) made->role = s.role.c_str();
    storages_.push_back(made);
  }
  if (!storages_.empty()) return;
  for (const RecordedParameter& p : recording.parameters) {
    const size_t dot = p.name.rfind('.');
    parameters_[dot == std::string::npos ? "" : p.name.substr(0, dot)].push_back(&p);
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
  const int32_t now = at(static_cast<int32_t>(op));
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
    alive_.push_back(add(-gone, at(static_cast<int32_t>(op)), Place::device));
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
  const int32_t now = at(static_cast<int32_t>(op));
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
