#include "trace/region.h"

#include <algorithm>

namespace modelmeter {
namespace {

bool is_in_module(const Trace& trace, int32_t scope) {
  for (; scope > 0; scope = trace.scopes[static_cast<size_t>(scope)].parent) {
    if (trace.scopes[static_cast<size_t>(scope)].kind == ScopeKind::module) return true;
  }
  return false;
}

// The repetition or stage that a scope is in.
int32_t place_of(const Trace& trace, int32_t scope) {
  for (; scope > 0; scope = trace.scopes[static_cast<size_t>(scope)].parent) {
    const ScopeKind kind = trace.scopes[static_cast<size_t>(scope)].kind;
    if (kind == ScopeKind::repetition) return scope;
    if (kind == ScopeKind::function && !is_in_module(trace, scope)) return scope;
  }
  return scope;
}

}  // namespace

std::vector<Region> regions_of(const Trace& trace, size_t first) {
  std::vector<Region> out;
  int32_t place = -1;
  for (size_t i = first; i < trace.ops.size(); ++i) {
    const int32_t of = place_of(trace, trace.ops[i].scope), at = static_cast<int32_t>(i);
    if (out.empty() || of != place) out.push_back({at, at});
    place = of;
    out.back().end = at + 1;
  }
  return out;
}

Rewriting::Rewriting(Trace& trace, size_t first) : trace_(trace), first_(first), regions_(regions_of(trace, first)) {
  new_ops_.resize(regions_.size());
  add_uses();
  const auto carry = [this](const Storage* storage) {
    if (const auto found = uses_.find(storage); found != uses_.end()) found->second.elsewhere = true;
  };
  for (const Grown& grown : trace.grown) carry(grown.first);
  for (const Storage* storage : trace.handed_on) carry(storage);
}

void Rewriting::add_uses() {
  for (size_t r = 0; r < regions_.size(); ++r) {
    for (int32_t i = regions_[r].first; i < regions_[r].end; ++i) {
      const Op& op = trace_.ops[static_cast<size_t>(i)];
      const Op& last = last_of(trace_, op);
      for (int k = 0; k < op.inputs + op.outputs; ++k) {
        add_use(i, r, trace_.operand(op, k), k >= op.inputs, k != op.inputs, trace_.operand(last, k).storage->bytes);
      }
    }
  }
}

void Rewriting::add_use(int32_t index, size_t region, const TensorMeta& meta, bool writes, bool secondary,
                        int64_t last_bytes) {
  const auto here = static_cast<int32_t>(region);
  const auto [found, is_new] = uses_.try_emplace(meta.storage);
  StorageUse& use = found->second;
  const bool made_here = writes && meta.storage->place == Place::device && meta.storage->born >= regions_[region].first;
  if (is_new && made_here) use.region = here;
  use.elsewhere |= use.region != here;
  use.last_bytes = std::max(use.last_bytes, last_bytes);
  if (writes) {
    use.last_write = index;
    use.secondary &= secondary;
  } else {
    use.last_read = index;
  }
}

bool Rewriting::is_inner(const Storage* storage, size_t region) const {
  const StorageUse& u = use(storage);
  if (u.region != static_cast<int32_t>(region) || u.elsewhere) return false;
  if (storage->died < 0 || storage->died > regions_[region].end) return false;
  return storage->died < regions_[region].end || u.last_read > u.last_write || u.secondary;  // else it is a result
}

size_t Rewriting::region_at(int32_t op) const {
  const auto after = std::upper_bound(regions_.begin(), regions_.end(), op,
                                      [](int32_t at, const Region& region) { return at < region.first; });
  return static_cast<size_t>(after - regions_.begin()) - 1;
}

int32_t Rewriting::moved(int32_t op) const {
  if (op >= regions_.back().end) return starts_.back();
  const size_t region = region_at(op);
  const std::vector<NewOp>& ops = new_ops_[region];
  const auto before = std::count_if(ops.begin(), ops.end(), [&](const NewOp& n) { return n.at < op; });
  return starts_[region] + static_cast<int32_t>(before);
}

void Rewriting::finish() {
  if (regions_.empty()) return;
  for (size_t r = 0; r < regions_.size(); ++r) before_.push_back(live_before(r));
  starts_.assign(1, static_cast<int32_t>(first_));
  for (const std::vector<NewOp>& ops : new_ops_) {
    starts_.push_back(starts_.back() + static_cast<int32_t>(ops.size()));
    changes_.emplace_back(ops.size());
  }
  touches_.resize(regions_.size());
  for (size_t r = 0; r < regions_.size(); ++r) touch(r);
  move_lives();
  for (size_t r = 0; r < regions_.size(); ++r) set_live(r);
  trace_.ops.end_at(trace_.ops.begin() + first_);
  for (const std::vector<NewOp>& ops : new_ops_) {
    for (const NewOp& n : ops) trace_.ops.push_back(n.op);
  }
}

void Rewriting::touch(size_t region) {
  int32_t at = starts_[region];
  for (const NewOp& n : new_ops_[region]) {
    for (int k = 0; k < n.op.inputs + n.op.outputs; ++k) {
      const TensorMeta& meta = trace_.operand(n.op, k);
      if (meta.bytes == 0) continue;
      Touched& touched = touches_[region][meta.storage];
      if (touched.first < 0) touched.first = at;
      touched.last = at;
    }
    for (const Storage* storage : n.taken) touches_[region][storage].taken = true;
    ++at;
  }
}

std::pair<int64_t, int64_t> Rewriting::live_before(size_t region) const {
  const int32_t index = regions_[region].first;
  const Op& op = trace_.ops[static_cast<size_t>(index)];
  int64_t live = op.live;
  int64_t last_live = op.last < 0 ? op.live + growth_of(region) : last_of(trace_, op).live;
  std::vector<const Storage*> seen;
  // What it works on in place was there before, also where a loop's last repetition left it and no op is between.
  for (int k = 0; k < op.outputs && !op.in_place; ++k) {
    const Storage* storage = trace_.output(op, k).storage;
    const bool counted = std::find(seen.begin(), seen.end(), storage) != seen.end();
    if (counted || storage->place != Place::device || storage->born != index) continue;
    seen.push_back(storage);
    live -= storage->bytes;
    last_live -= use(storage).last_bytes;
  }
  return {live, last_live};
}

const Scope* Rewriting::growing_scope(size_t region) const {
  int32_t at = trace_.ops[static_cast<size_t>(regions_[region].first)].scope;
  for (; at >= 0; at = trace_.scopes[static_cast<size_t>(at)].parent) {
    const Scope& scope = trace_.scopes[static_cast<size_t>(at)];
    if (scope.growing) return &scope;
  }
  return nullptr;
}

int64_t Rewriting::growth_of(size_t region) const {
  const Scope* scope = growing_scope(region);
  return scope == nullptr ? 0 : scope->live_step * (scope->count - 1);
}

void Rewriting::move_lives() {
  trace_.storages.for_each([&](const Storage& s) {
    if (s.place == Place::device && (s.born >= static_cast<int32_t>(first_) || s.died > static_cast<int32_t>(first_))) {
      move_life(const_cast<Storage&>(s));
    }
  });
}

void Rewriting::change(size_t region, int32_t at, int64_t bytes, int64_t last_bytes) {
  if (at >= new_end(region)) return;
  Change& change = changes_[region][static_cast<size_t>(at - starts_[region])];
  change.bytes += bytes;
  change.last_bytes += last_bytes;
}

void Rewriting::move_life(Storage& s) {
  const int32_t born = s.born, died = s.died;
  const auto found = uses_.find(&s);
  const StorageUse* use = found == uses_.end() ? nullptr : &found->second;
  const int64_t last_bytes = use == nullptr ? s.bytes : use->last_bytes;
  if (use != nullptr && use->region >= 0) {
    const auto region = static_cast<size_t>(use->region);
    const bool inner = is_inner(&s, region);
    const auto touched = touches_[region].find(&s);
    if (touched == touches_[region].end() && inner) {
      s.bytes = 0;
      s.born = s.died = starts_[region];
      return;
    }
    s.born = touched == touches_[region].end() ? moved(born) : touched->second.first;
    change(region, s.born, s.bytes, last_bytes);
    if (inner) {
      s.died = touched->second.last + (touched->second.taken ? 0 : 1);
      change(region, s.died, -s.bytes, -last_bytes);
      return;
    }
    if (died >= 0 && died <= regions_[region].end) {
      s.died = new_end(region);
      return;
    }
  } else if (born >= static_cast<int32_t>(first_)) {
    s.born = moved(born);
  }
  if (died <= static_cast<int32_t>(first_)) return;  // or it lives on
  const size_t region = region_at(std::min(died, regions_.back().end) - 1);
  const auto touched = touches_[region].find(&s);
  s.died = touched == touches_[region].end() ? moved(died) : touched->second.last + 1;
  change(region, s.died, -s.bytes, -last_bytes);
}

void Rewriting::set_live(size_t region) {
  auto [live, last_live] = before_[region];
  const bool grows = growing_scope(region) != nullptr;
  const int64_t growth = growth_of(region);
  for (size_t i = 0; i < new_ops_[region].size(); ++i) {
    NewOp& n = new_ops_[region][i];
    live += changes_[region][i].bytes;
    last_live += changes_[region][i].last_bytes;
    n.op.live = live;
    n.op.last = -1;
    if (!n.grows && (!grows || last_live == live + growth)) continue;
    Op last = n.grows ? n.last : n.op;
    last.live = last_live;
    n.op.last = static_cast<int32_t>(trace_.last_ops.size());
    trace_.last_ops.push_back(last);
  }
}

}  // namespace modelmeter
