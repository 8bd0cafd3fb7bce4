#include "memory/allocation_program.h"

#include <algorithm>
#include <optional>
#include <span>

#include "memory/workspace.h"

namespace modelmeter {
namespace {

using Kind = AllocationEvent::Kind;

// Ids in a row for each op, in the order in which they were given.
class Buckets {
 public:
  // at(i): the op that the i-th belongs to, of `count`; below `ops`.
  template <class At>
  Buckets(size_t ops, size_t count, const At& at) : first_(ops + 1, 0), ids_(count) {
    for (size_t i = 0; i < count; ++i) ++first_[static_cast<size_t>(at(i)) + 1];
    for (size_t op = 0; op < ops; ++op) first_[op + 1] += first_[op];
    std::vector<size_t> next(first_.begin(), first_.end() - 1);
    for (size_t i = 0; i < count; ++i) ids_[next[static_cast<size_t>(at(i))]++] = static_cast<int32_t>(i);
  }
  std::span<const int32_t> operator[](int32_t op) const {
    const auto at = static_cast<size_t>(op);
    return {ids_.data() + first_[at], first_[at + 1] - first_[at]};
  }

 private:
  std::vector<size_t> first_;
  std::vector<int32_t> ids_;
};

class ProgramBuilder {
 public:
  ProgramBuilder(const Trace& trace, int32_t first, int32_t end, const Stack& stack, bool records_stream)
      : trace_(trace), first_(first), end_(end), stack_(stack) {
    out_.records_stream = records_stream;
  }

  AllocationProgram build() {
    find_loops();
    number_storages();
    find_left();
    find_carried();
    find_last_sizes();
    out_.events.reserve(2 * (storages_.size() + ranges_.size()));
    for (int32_t op = first_; op <= end_; ++op) add_boundary(op);
    return std::move(out_);
  }

 private:
  struct Range {
    int32_t scope, first = -1, end = -1;  // ops
    std::vector<int32_t> found, left;     // storages
  };

  const Scope& scope(int32_t s) const { return trace_.scopes[static_cast<size_t>(s)]; }
  int32_t scope_of(int32_t op) const { return trace_.ops[static_cast<size_t>(op)].scope; }

  uint8_t stream_of(int32_t op) const { return trace_.ops[static_cast<size_t>(op)].stream; }

  // Repetitions of more than one, outer ones first where they begin together.
  void find_loops() {
    loop_around_.resize(trace_.scopes.size(), -1);  // of each scope the innermost that it is in, itself among them
    for (size_t s = 0; s < loop_around_.size(); ++s) {
      const Scope& at = trace_.scopes[s];
      const bool repeats = at.kind == ScopeKind::repetition && at.count > 1;
      loop_around_[s] = repeats         ? static_cast<int32_t>(s)
                        : at.parent < 0 ? -1
                                        : loop_around_[static_cast<size_t>(at.parent)];
    }
    loop_of_.resize(trace_.scopes.size(), -1);
    std::vector<int32_t> path;
    for (int32_t i = first_, end = i; i < end_; i = end) {
      while (end < end_ && scope_of(end) == scope_of(i)) ++end;
      path.clear();
      for (int32_t s = loop_around(scope_of(i)); s >= 0; s = loop_around(scope(s).parent)) path.push_back(s);
      for (auto s = path.rbegin(); s != path.rend(); ++s) {
        int32_t& loop = loop_of_[static_cast<size_t>(*s)];
        if (loop < 0) {
          loop = static_cast<int32_t>(ranges_.size());
          ranges_.push_back({*s, i, i, {}, {}});
          out_.loops.push_back({scope(*s).count, scope(*s).growing, {}, 0, 0});
        }
        ranges_[static_cast<size_t>(loop)].end = end;
      }
    }
    bounds_loop_.resize(static_cast<size_t>(end_ - first_) + 1, false);
    for (const Range& range : ranges_) {
      bounds_loop_[static_cast<size_t>(range.first - first_)] = true;
      bounds_loop_[static_cast<size_t>(range.end - first_)] = true;
    }
  }
  int32_t loop_around(int32_t s) const { return s < 0 ? -1 : loop_around_[static_cast<size_t>(s)]; }

  // Those of stages before, then those that are made within the ops, by the op before which they come and go.
  void number_storages() {
    find_those_of_stages();
    trace_.storages.for_each([&](const Storage& storage) {
      if (storage.place != Place::device || storage.bytes == 0 || storage.born < first_ || storage.born >= end_) return;
      if (died(storage) != storage.born) storages_.push_back(&storage);  // else nothing ran while it was there
    });
    const size_t ops = static_cast<size_t>(end_ - first_) + 1;
    born_.emplace(ops, storages_.size(), [&](size_t i) { return std::max(storages_[i]->born - first_, 0); });
    died_.emplace(ops, storages_.size(), [&](size_t i) { return died(*storages_[i]) - first_; });
    out_.storages = static_cast<int32_t>(storages_.size());
    last_bytes_.resize(storages_.size(), -1);
  }
  bool outlives(const Storage& storage) const { return storage.died < 0 || storage.died > end_; }
  void find_those_of_stages() {
    for (size_t number = 0; number < trace_.of_stages.size(); ++number) {
      const Storage* s = trace_.of_stages[number];
      if (s == nullptr || s->place != Place::device || s->bytes == 0 || s->born < 0 || s->born >= first_) continue;
      if (s->died >= 0 && s->died <= first_) continue;
      out_.found.push_back({static_cast<int32_t>(storages_.size()), static_cast<int32_t>(number), s->bytes});
      storages_.push_back(s);
    }
  }
  void find_left() {
    for (size_t number = 0; number < trace_.of_stages.size(); ++number) {
      const Storage* s = trace_.of_stages[number];
      if (s == nullptr || s->place != Place::device || s->born < first_ || !outlives(*s)) continue;
      if (const int32_t id = id_of(s); id >= 0) {
        out_.left.push_back({id, static_cast<int32_t>(number), s->bytes});
      }
    }
  }
  int32_t died(const Storage& storage) const { return storage.died < 0 ? end_ : std::min(storage.died, end_); }

  // Whether a later stage has it, or lets it go.
  bool is_left(int32_t id) const { return !trace_.of_stages.empty() && outlives(*storages_[static_cast<size_t>(id)]); }
  // -1: not of the program.
  int32_t id_of(const Storage* storage) const {
    if (storage->born < first_) {
      for (const AllocationBetweenStages& f : out_.found) {
        if (storages_[static_cast<size_t>(f.id)] == storage) return f.id;
      }
      return -1;
    }
    if (storage->born >= end_) return -1;
    for (const int32_t id : (*born_)[storage->born - first_]) {
      if (storages_[static_cast<size_t>(id)] == storage) return id;
    }
    return -1;
  }

  void find_carried() {
    for (const Carried& c : trace_.carried) {
      const int32_t loop = loop_of_[static_cast<size_t>(c.scope)], found = id_of(c.found), left = id_of(c.left);
      if (loop < 0 || found < 0 || left < 0) continue;
      const auto at = static_cast<size_t>(loop);
      out_.loops[at].carried.emplace_back(found, left);
      ranges_[at].found.push_back(found);
      ranges_[at].left.push_back(left);
    }
  }

  void find_last_sizes() {
    for (const Grown& g : trace_.grown) set_last_bytes(g.first, g.last_bytes);
    for (int32_t i = first_; i < end_; ++i) {
      const Op& op = trace_.ops[static_cast<size_t>(i)];
      if (op.last < 0) continue;
      const Op& last = trace_.last_ops[static_cast<size_t>(op.last)];
      for (int k = 0; k < op.outputs; ++k) {
        set_last_bytes(trace_.output(op, k).storage, trace_.output(last, k).storage->bytes);
      }
    }
  }
  void set_last_bytes(const Storage* storage, int64_t bytes) {
    const int32_t id = id_of(storage);
    if (id >= 0 && last_bytes_[static_cast<size_t>(id)] < 0) last_bytes_[static_cast<size_t>(id)] = bytes;
  }

  static bool contains(const std::vector<int32_t>& list, int32_t id) {
    return std::find(list.begin(), list.end(), id) != list.end();
  }
  // Whether each repetition lets it go, or one after it.
  bool of_loop(const Range& loop, int32_t id) const {
    if (contains(loop.found, id)) return true;
    return storages_[static_cast<size_t>(id)]->born >= loop.first && !contains(loop.left, id);
  }

  // What happens between two ops, and for the second of them.
  void add_boundary(int32_t op) {
    if (out_.records_stream && op > first_ && waits(op - 1)) out_.events.push_back({Kind::wait, 0, op});
    if (bounds_loop_[static_cast<size_t>(op - first_)]) {
      add_loop_boundary(op);
    } else {
      for (const int32_t id : (*died_)[op - first_]) free(id, op);
    }
    if (op == end_) return;
    for (const int32_t id : (*born_)[op - first_]) {
      if (static_cast<size_t>(id) >= out_.found.size()) allocate(id, op);
    }
    add_workspace(op);
  }

  void add_loop_boundary(int32_t op) {
    std::vector<int32_t> dying;
    for (const int32_t id : (*died_)[op - first_]) {
      if (!is_left(id)) dying.push_back(id);
    }
    for (size_t i = ranges_.size(); i-- > 0;) {
      if (ranges_[i].end != op) continue;
      free_those(dying, op, [&](int32_t id) { return of_loop(ranges_[i], id); });
      out_.loops[i].end = out_.events.size();
      out_.events.push_back({Kind::end, static_cast<int32_t>(i), op});
    }
    free_those(dying, op, [&](int32_t id) {
      return std::none_of(ranges_.begin(), ranges_.end(),
                          [&](const Range& loop) { return loop.first == op && contains(loop.found, id); });
    });
    for (size_t i = 0; i < ranges_.size(); ++i) {
      if (ranges_[i].first != op) continue;
      out_.loops[i].begin = out_.events.size();
      out_.events.push_back({Kind::begin, static_cast<int32_t>(i), op});
    }
    free_those(dying, op, [](int32_t) { return true; });
  }

  template <class Which>
  void free_those(std::vector<int32_t>& dying, int32_t op, const Which& which) {
    const auto kept = std::stable_partition(dying.begin(), dying.end(), which);
    for (auto id = dying.begin(); id != kept; ++id) free(*id, op);
    dying.erase(dying.begin(), kept);
  }

  // What is left to later stages stays.
  void free(int32_t id, int32_t op) {
    if (is_left(id)) return;
    out_.events.push_back({Kind::free, id, op, stream_of(storages_[static_cast<size_t>(id)]->born)});
  }

  // The host reads what the op gives.
  bool waits(int32_t op) const {
    const Op& at = trace_.ops[static_cast<size_t>(op)];
    return at.kernel == Kernel::nonzero || trace_.transfer_of(at) == Transfer::to_host;
  }

  void allocate(int32_t id, int32_t op) {
    const int64_t bytes = storages_[static_cast<size_t>(id)]->bytes, last = last_bytes_[static_cast<size_t>(id)];
    out_.events.push_back({Kind::allocate, id, op, stream_of(op), false, bytes, last < 0 ? bytes : last});
  }

  void add_workspace(int32_t op) {
    const int64_t bytes = workspace_bytes(trace_, trace_.ops[static_cast<size_t>(op)], stack_);
    if (bytes == 0) return;
    out_.events.push_back({Kind::allocate, out_.storages, op, stream_of(op), true, bytes, bytes});
    out_.events.push_back({Kind::free, out_.storages++, op});
  }

  const Trace& trace_;
  const int32_t first_, end_;
  const Stack& stack_;
  AllocationProgram out_;
  std::vector<Range> ranges_;                   // of out_.loops
  std::vector<int32_t> loop_around_, loop_of_;  // by scope: a scope; an index of out_.loops
  std::vector<bool> bounds_loop_;               // by op: one begins or ends before it
  std::vector<const Storage*> storages_;        // by id
  std::vector<int64_t> last_bytes_;             // by id: -1 where it does not grow
  std::optional<Buckets> born_, died_;          // ids
};

}  // namespace

AllocationProgram allocation_program(const Trace& trace, int32_t first, int32_t end, const Stack& stack,
                                     bool records_stream) {
  AllocationProgram out = ProgramBuilder(trace, first, end, stack, records_stream).build();
  const Op* const ops = trace.ops.data();
  out.multiplies =
      std::any_of(ops + first, ops + end, [](const Op& op) { return info(op.kernel).kind == OpKind::matmul; });
  return out;
}

}  // namespace modelmeter
