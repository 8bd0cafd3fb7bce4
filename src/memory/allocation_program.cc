#include "memory/allocation_program.h"

#include <algorithm>
#include <unordered_map>

#include "memory/workspace.h"

namespace modelmeter {
namespace {

using Kind = AllocationEvent::Kind;

class ProgramBuilder {
 public:
  ProgramBuilder(const Trace& trace, int32_t first, int32_t end, const Stack& stack)
      : trace_(trace), first_(first), end_(end), stack_(stack) {}

  AllocationProgram build() {
    find_loops();
    number_storages();
    find_carried();
    find_last_sizes();
    for (int32_t op = first_; op <= end_; ++op) add_boundary(op);
    return std::move(out_);
  }

 private:
  struct Range {
    int32_t scope, first = -1, end = -1;  // ops
    std::vector<const Storage*> found, left;
  };

  // Repetitions of more than one, outer ones first where they begin together.
  void find_loops() {
    std::unordered_map<int32_t, int32_t> known;
    int32_t before = -1;
    for (int32_t i = first_; i < end_; ++i) {
      const int32_t scope = trace_.ops[static_cast<size_t>(i)].scope;
      if (scope == before) continue;
      before = scope;
      std::vector<int32_t> path;
      for (int32_t s = scope; s >= 0; s = trace_.scopes[static_cast<size_t>(s)].parent) {
        const Scope& at = trace_.scopes[static_cast<size_t>(s)];
        if (at.kind == ScopeKind::repetition && at.count > 1) path.push_back(s);
      }
      for (auto s = path.rbegin(); s != path.rend(); ++s) {
        if (!known.emplace(*s, static_cast<int32_t>(ranges_.size())).second) continue;
        ranges_.push_back({*s, i, i, {}, {}});
        const Scope& at = trace_.scopes[static_cast<size_t>(*s)];
        out_.loops.push_back({at.count, at.growing, {}, 0, 0});
      }
    }
    for (int32_t i = first_; i < end_; ++i) {
      for (int32_t s = trace_.ops[static_cast<size_t>(i)].scope; s >= 0;
           s = trace_.scopes[static_cast<size_t>(s)].parent) {
        const auto found = known.find(s);
        if (found != known.end()) ranges_[static_cast<size_t>(found->second)].end = i + 1;
      }
    }
    loop_of_ = std::move(known);
  }

  // Those that are made and let go within the ops, by the op before which either happens.
  void number_storages() {
    born_.resize(static_cast<size_t>(end_ - first_) + 1);
    died_.resize(static_cast<size_t>(end_ - first_) + 1);
    trace_.storages.for_each([&](const Storage& storage) {
      if (storage.place != Place::device || storage.bytes == 0 || storage.born < first_ || storage.born >= end_) return;
      const int32_t died = storage.died < 0 ? end_ : std::min(storage.died, end_);
      if (died == storage.born) return;  // nothing ran while it was there
      ids_.emplace(&storage, out_.storages++);
      born_[static_cast<size_t>(storage.born - first_)].push_back(&storage);
      died_[static_cast<size_t>(died - first_)].push_back(&storage);
    });
  }

  void find_carried() {
    for (const Carried& c : trace_.carried) {
      const auto loop = loop_of_.find(c.scope);
      const auto found = ids_.find(c.found), left = ids_.find(c.left);
      if (loop == loop_of_.end() || found == ids_.end() || left == ids_.end()) continue;
      const auto at = static_cast<size_t>(loop->second);
      out_.loops[at].carried.emplace_back(found->second, left->second);
      ranges_[at].found.push_back(c.found);
      ranges_[at].left.push_back(c.left);
    }
  }

  void find_last_sizes() {
    for (const Grown& g : trace_.grown) last_bytes_.emplace(g.first, g.last_bytes);
    for (int32_t i = first_; i < end_; ++i) {
      const Op& op = trace_.ops[static_cast<size_t>(i)];
      if (op.last < 0) continue;
      const Op& last = trace_.last_ops[static_cast<size_t>(op.last)];
      for (int k = 0; k < op.outputs; ++k) {
        last_bytes_.emplace(trace_.output(op, k).storage, trace_.output(last, k).storage->bytes);
      }
    }
  }

  static bool contains(const std::vector<const Storage*>& list, const Storage* storage) {
    return std::find(list.begin(), list.end(), storage) != list.end();
  }
  // Whether each repetition lets it go, or one after it.
  static bool of_loop(const Range& loop, const Storage* storage) {
    return contains(loop.found, storage) || (storage->born >= loop.first && !contains(loop.left, storage));
  }

  // What happens between two ops, and for the second of them.
  void add_boundary(int32_t op) {
    std::vector<const Storage*>& dying = died_[static_cast<size_t>(op - first_)];
    for (size_t i = ranges_.size(); i-- > 0;) {
      if (ranges_[i].end != op) continue;
      free_those(dying, op, [&](const Storage* s) { return of_loop(ranges_[i], s); });
      out_.loops[i].end = out_.events.size();
      out_.events.push_back({Kind::end, static_cast<int32_t>(i), op});
    }
    free_those(dying, op, [&](const Storage* s) {
      return std::none_of(ranges_.begin(), ranges_.end(),
                          [&](const Range& loop) { return loop.first == op && contains(loop.found, s); });
    });
    for (size_t i = 0; i < ranges_.size(); ++i) {
      if (ranges_[i].first != op) continue;
      out_.loops[i].begin = out_.events.size();
      out_.events.push_back({Kind::begin, static_cast<int32_t>(i), op});
    }
    free_those(dying, op, [](const Storage*) { return true; });
    if (op == end_) return;
    for (const Storage* storage : born_[static_cast<size_t>(op - first_)]) allocate(storage, op);
    add_workspace(op);
  }

  template <class Which>
  void free_those(std::vector<const Storage*>& dying, int32_t op, const Which& which) {
    const auto kept = std::stable_partition(dying.begin(), dying.end(), which);
    for (auto s = dying.begin(); s != kept; ++s) out_.events.push_back({Kind::free, ids_.at(*s), op});
    dying.erase(dying.begin(), kept);
  }

  void allocate(const Storage* storage, int32_t op) {
    const auto last = last_bytes_.find(storage);
    out_.events.push_back({Kind::allocate, ids_.at(storage), op, false, storage->bytes,
                           last == last_bytes_.end() ? storage->bytes : last->second});
  }

  void add_workspace(int32_t op) {
    const int64_t bytes = workspace_bytes(trace_, trace_.ops[static_cast<size_t>(op)], stack_);
    if (bytes == 0) return;
    out_.events.push_back({Kind::allocate, out_.storages, op, true, bytes, bytes});
    out_.events.push_back({Kind::free, out_.storages++, op});
  }

  const Trace& trace_;
  const int32_t first_, end_;
  const Stack& stack_;
  AllocationProgram out_;
  std::vector<Range> ranges_;                     // of out_.loops
  std::unordered_map<int32_t, int32_t> loop_of_;  // by scope
  std::unordered_map<const Storage*, int32_t> ids_;
  std::unordered_map<const Storage*, int64_t> last_bytes_;
  std::vector<std::vector<const Storage*>> born_, died_;
};

}  // namespace

AllocationProgram allocation_program(const Trace& trace, int32_t first, int32_t end, const Stack& stack) {
  return ProgramBuilder(trace, first, end, stack).build();
}

}  // namespace modelmeter
