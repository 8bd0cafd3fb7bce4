#include "report/pseudo_code.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace modelmeter {
namespace {

constexpr size_t most_results = 3, most_arguments = 6;  // of a call

class Writer {
 public:
  Writer(const Trace& trace, int32_t scope) : trace_(trace) { write(scope, first_op(scope), trace.ops.size(), ""); }
  std::vector<std::string> take() { return std::move(lines_); }

 private:
  const Scope& scope_at(int32_t scope) const { return trace_.scopes[static_cast<size_t>(scope)]; }

  bool inside(int32_t scope, int32_t outer) const {
    while (scope > outer) scope = scope_at(scope).parent;
    return scope == outer;
  }

  size_t first_op(int32_t scope) const {
    size_t i = 0;
    while (i < trace_.ops.size() && !inside(trace_.ops[i].scope, scope)) ++i;
    return i;
  }

  // The child of `scope` that holds `inner`; `scope` itself where that is it.
  int32_t child_of(int32_t scope, int32_t inner) const {
    while (inner != scope && scope_at(inner).parent != scope) inner = scope_at(inner).parent;
    return inner;
  }

  void write(int32_t scope, size_t first, size_t last, const std::string& indent) {
    for (size_t i = first; i < last && inside(trace_.ops[i].scope, scope);) {
      const int32_t child = child_of(scope, trace_.ops[i].scope);
      if (child == scope) {
        kernel(trace_.ops[i++], indent);
        continue;
      }
      size_t end = i;
      while (end < last && inside(trace_.ops[end].scope, child)) ++end;
      if (scope_at(child).kind != ScopeKind::repetition) {
        call(child, i, end, indent);
      } else if (scope_at(child).count == 1) {
        write(child, i, end, indent);
      } else {
        loop(child, i, end, indent);
      }
      i = end;
    }
  }

  // --- loops: one iteration is traced, so names have to say what the next one finds ---

  // What the ops [first, end) use from before, and what they leave.
  struct Flow {
    std::vector<const TensorMeta*> found, left;
  };
  Flow flow(size_t first, size_t end) const {
    Flow out;
    std::set<const Storage*> seen;
    for (size_t i = first; i < end; ++i) {
      const Op& op = trace_.ops[i];
      for (int k = 0; k < op.inputs + op.outputs; ++k) {
        const TensorMeta& meta = trace_.operand(op, k);
        if (meta.storage->place == Place::given || !seen.insert(meta.storage).second) continue;
        if (meta.storage->born < static_cast<int32_t>(first)) {
          out.found.push_back(&meta);
        } else if (outlives(*meta.storage, end)) {
          out.left.push_back(&meta);
        }
      }
    }
    return out;
  }

  static bool outlives(const Storage& storage, size_t end) {
    return storage.died < 0 || storage.died > static_cast<int32_t>(end);
  }

  bool reads(const Op& op, const Storage* storage) const {
    for (int k = 0; k < op.inputs; ++k) {
      if (trace_.input(op, k).storage == storage) return true;
    }
    return false;
  }
  bool is_read(const Storage* storage, size_t first, size_t end) const {
    for (size_t i = first; i < end; ++i) {
      if (reads(trace_.ops[i], storage)) return true;
    }
    return false;
  }

  // What the next iteration finds in place of what this one finds.
  using Carried = std::vector<std::pair<const Storage*, const Storage*>>;

  // Where an iteration that was traced by itself follows: what stands where in its kernels. Nothing where none does.
  std::optional<Carried> carried_as_followed(size_t first, size_t end) const {
    const size_t n = end - first;
    if (end + n > trace_.ops.size()) return std::nullopt;
    Carried out;
    for (size_t i = 0; i < n; ++i) {
      const Op &here = trace_.ops[first + i], &next = trace_.ops[end + i];
      if (here.kernel != next.kernel || here.inputs != next.inputs) return std::nullopt;
      for (int k = 0; k < here.inputs; ++k) {
        const Storage *a = trace_.input(here, k).storage, *b = trace_.input(next, k).storage;
        const bool found = a->place != Place::given && a->born < static_cast<int32_t>(first);
        const bool known = std::any_of(out.begin(), out.end(), [&](const auto& pair) { return pair.first == a; });
        if (!found || a == b || known) continue;
        if (b->place == Place::given || b->born >= static_cast<int32_t>(end)) return std::nullopt;
        out.emplace_back(a, b);
      }
    }
    return out;
  }

  // Where the iteration before was traced by itself: its first op; else the loop's.
  size_t iteration_before(int32_t scope, size_t first) const {
    const int32_t parent = scope_at(scope).parent;
    if (first == 0 || !inside(trace_.ops[first - 1].scope, parent)) return first;
    const int32_t before = child_of(parent, trace_.ops[first - 1].scope);
    if (before == parent || scope_at(before).kind != ScopeKind::repetition || scope_at(before).count != 1) return first;
    size_t out = first;
    while (out > 0 && inside(trace_.ops[out - 1].scope, before)) --out;
    return out;
  }

  // What may take another's place. Each layer of a list has a cache of its own, of any size.
  struct Likeness {
    DType dtype;
    Place place;
    std::string_view role;  // by its letters: equal literals may stand at two addresses
    int64_t bytes;
    bool operator==(const Likeness& other) const {
      return dtype == other.dtype && place == other.place && role == other.role && bytes == other.bytes;
    }
  };
  static Likeness likeness(const TensorMeta& meta, bool over_list) {
    const Storage& s = *meta.storage;
    return {meta.dtype, s.place, s.role == nullptr ? "" : s.role, over_list && s.role != nullptr ? -1 : s.bytes};
  }

  // Else: what the loop is known to grow; what the iteration before left, and this one after it; and of what ends here
  // and what is there afterwards, tensors alike, by age.
  Carried carried_by_likeness(const Flow& f, int32_t scope, size_t first, size_t end, bool over_list) const {
    Carried out;
    std::set<const Storage*> grown;
    for (size_t i = 0; i + 1 < trace_.grown.size(); i += 2) {  // as it is found, and as it is left
      if (trace_.grown[i].scope != scope) continue;
      out.emplace_back(trace_.grown[i].first, trace_.grown[i + 1].first);
      grown.insert({trace_.grown[i].first, trace_.grown[i + 1].first});
    }
    const size_t before = iteration_before(scope, first);
    std::vector<const TensorMeta*> found = f.found, there = f.left;
    const auto match = [&](const TensorMeta* a) -> const TensorMeta* {
      const auto b = std::find_if(there.begin(), there.end(), [&](const TensorMeta* t) {
        return grown.count(t->storage) == 0 && likeness(*t, over_list) == likeness(*a, over_list);
      });
      if (grown.count(a->storage) > 0 || b == there.end()) return nullptr;
      const TensorMeta* matched = *b;
      there.erase(b);
      return matched;
    };
    sort_by_age(there);
    if (before < first) {
      std::vector<const TensorMeta*> made = flow(before, first).left;
      sort_by_age(made);
      for (const TensorMeta* a : made) {
        if (over_list && a->storage->role != nullptr) continue;  // another layer's
        const TensorMeta* b = match(a);
        const auto read =
            std::find_if(found.begin(), found.end(), [&](const TensorMeta* t) { return t->storage == a->storage; });
        if (read == found.end()) continue;  // a local variable that only lives on
        if (b != nullptr) out.emplace_back(a->storage, b->storage);
        if (outlives(*a->storage, end)) there.push_back(a);
        found.erase(read);
      }
    }
    sort_by_age(found);
    sort_by_age(there);
    for (const TensorMeta* a : found) {
      if (outlives(*a->storage, end)) continue;
      if (const TensorMeta* b = match(a)) out.emplace_back(a->storage, b->storage);
    }
    return out;
  }

  static void sort_by_age(std::vector<const TensorMeta*>& tensors) {  // the youngest first
    std::stable_sort(tensors.begin(), tensors.end(),
                     [](const TensorMeta* a, const TensorMeta* b) { return a->storage->born > b->storage->born; });
  }

  // The number of the first module of a list that the loop goes over; -1 where it goes over none.
  int64_t first_index(int32_t scope, size_t first, size_t end) const {
    for (size_t i = first; i < end; ++i) {
      const int32_t child = child_of(scope, trace_.ops[i].scope);
      if (child != scope && scope_at(child).kind == ScopeKind::module && scope_at(child).index >= 0) {
        return scope_at(child).index;
      }
    }
    return -1;
  }

  // Whether nothing reads `a` after the line of the loop that makes `b`, so that one name does for both.
  bool one_name(const Storage* a, const Storage* b, int32_t scope, size_t first, size_t end) const {
    auto line = static_cast<size_t>(b->born);
    if (line < first || line >= end) return false;
    const int32_t child = child_of(scope, trace_.ops[line].scope);
    while (line < end &&
           (child == scope ? line == static_cast<size_t>(b->born) : inside(trace_.ops[line].scope, child))) {
      ++line;
    }
    return !is_read(a, line, end);
  }

  void loop(int32_t scope, size_t first, size_t end, const std::string& indent) {
    const int64_t index = first_index(scope, first, end), count = scope_at(scope).count;
    first_indices_[scope] = index;
    const Flow f = flow(first, end);
    const std::optional<Carried> followed = carried_as_followed(first, end);
    const Carried carried = followed ? *followed : carried_by_likeness(f, scope, first, end, index >= 0);
    std::vector<std::pair<const Storage*, std::string>> after;  // names once the loop is over
    std::set<const Storage*> named;
    std::string targets, values;  // what no name of the body hands on
    bool numbered = index >= 0;
    for (const auto& [a, b] : carried) {
      const std::string name = name_of(a);
      after.emplace_back(b, name);
      // One name does for both, unless the old value goes on in another's place.
      const bool moves =
          std::any_of(carried.begin(), carried.end(), [&, old = a](const auto& c) { return c.second == old; });
      if (moves || !one_name(a, b, scope, first, end)) {
        targets += (targets.empty() ? "" : ", ") + name;
        values += (values.empty() ? "" : ", ") + name_of(b);
        continue;
      }
      named.insert(b);
      // Each layer of a list has a cache of its own.
      const bool own = index >= 0 && b->role != nullptr;
      names_[a] = names_[b] = own ? name + "[i]" : name;
      if (own) after.emplace_back(a, name);
    }
    for (const TensorMeta* left : f.left) {
      // Read later, and not handed on: kept, one of each iteration.
      if (named.count(left->storage) > 0 || !is_read(left->storage, end, trace_.ops.size())) continue;
      if (std::any_of(carried.begin(), carried.end(), [&](const auto& c) { return c.second == left->storage; }))
        continue;
      const std::string name = name_of(left->storage);
      names_[left->storage] = name + "[i]";
      after.emplace_back(left->storage, name);
      numbered = true;
    }
    const int64_t from = std::max<int64_t>(index, 0);
    lines_.push_back(fmt::format("{}for {} in range({}{}):{}", indent, numbered ? "i" : "_",
                                 from > 0 ? fmt::format("{}, ", from) : "", from + count,
                                 scope_at(scope).growing ? "  # what grows: its first shape" : ""));
    write(scope, first, end, indent + "    ");
    for (const Grown& g : trace_.grown) {
      if (g.scope == scope && names_.count(g.first) > 0) {
        grown_names_[{static_cast<int32_t>(end), g.last_bytes}] = names_[g.first];
      }
    }
    if (!targets.empty()) lines_.push_back(fmt::format("{}    {} = {}", indent, targets, values));
    for (const auto& [storage, name] : after) names_[storage] = name;
  }

  // "self.blocks[i]" within the loop over them.
  std::string callee(const Scope& s) const {
    if (s.kind == ScopeKind::function) {
      std::string name(s.name);
      std::replace(name.begin(), name.end(), '/', '.');
      return name;
    }
    std::string out = "self";
    for (size_t start = 0, end; start < s.name.size(); start = end + 1) {
      end = std::min(s.name.find('.', start), s.name.size());
      const std::string part(s.name.substr(start, end - start));
      const bool number = part.find_first_not_of("0123456789") == std::string::npos;
      out += number ? "[" + part + "]" : "." + part;
    }
    if (s.index < 0) return out;
    const Scope& around = scope_at(s.parent);
    if (around.kind != ScopeKind::repetition || around.count == 1) return out + fmt::format("[{}]", s.index);
    const int64_t first = first_indices_.at(s.parent), ahead = s.index - first;
    return out + (ahead == 0 ? "[i]" : fmt::format("[i {} {}]", ahead < 0 ? '-' : '+', std::abs(ahead)));
  }

  void kernel(const Op& op, const std::string& indent) {
    std::string inputs, outputs, shapes;
    std::set<const Storage*> named;
    for (int i = 0; i < op.inputs; ++i) {
      const TensorMeta& input = trace_.input(op, i);
      inputs += (inputs.empty() ? "" : ", ") + name_of(input);
    }
    for (int i = 0; i < op.outputs && !op.in_place; ++i) append(outputs, shapes, trace_.output(op, i), named);
    if (op.in_place) shapes = described(trace_.input(op, 0));
    const std::string kernel = trace_.short_kernel_name(op);
    lines_.push_back(fmt::format("{}{}{}{}({})  # {}", indent, outputs, outputs.empty() ? "" : " = ",
                                 kernel.find('.') == std::string::npos ? "torch." + kernel : kernel, inputs, shapes));
  }

  // A call of a child: what comes in from outside, and what it leaves alive.
  void call(int32_t child, size_t first, size_t end, const std::string& indent) {
    const Scope& s = scope_at(child);
    std::string inputs, outputs, shapes;
    std::set<const Storage*> named, made;
    for (size_t i = first; i < end; ++i) {
      const Op& op = trace_.ops[i];
      for (int k = 0; k < op.inputs; ++k) {
        const Storage* storage = trace_.input(op, k).storage;
        const bool before = storage->born < static_cast<int32_t>(first);
        const bool outside = before && (names_.count(storage) > 0 || storage->place == Place::device);
        if (outside && named.size() < most_arguments && named.insert(storage).second) {
          inputs += (inputs.empty() ? "" : ", ") + name_of(trace_.input(op, k));
        }
      }
    }
    for (const TensorMeta* output : results(first, end)) append(outputs, shapes, *output, made);
    std::string comment(s.klass);
    if (!shapes.empty()) comment += (comment.empty() ? "" : ": ") + shapes;
    lines_.push_back(fmt::format("{}{}{}{}({}){}", indent, outputs, outputs.empty() ? "" : " = ", callee(s), inputs,
                                 comment.empty() ? "" : "  # " + comment));
  }

  // What a call leaves; of many not what it keeps for later calls or on the host, then the first two and the last.
  // Where nothing is left, what its last kernel makes: it went as the call returned.
  std::vector<const TensorMeta*> results(size_t first, size_t end) const {
    std::vector<const TensorMeta*> out;
    std::set<const Storage*> seen;
    for (size_t i = first; i < end; ++i) {
      const Op& op = trace_.ops[i];
      for (int k = 0; k < op.outputs && !op.in_place; ++k) {
        const TensorMeta& output = trace_.output(op, k);
        if (outlives(*output.storage, end) && seen.insert(output.storage).second) out.push_back(&output);
      }
    }
    const Op& last = trace_.ops[end - 1];
    if (out.empty() && last.outputs > 0 && !last.in_place) out.push_back(&trace_.output(last, 0));
    const auto leave_out = [&](const auto& minor) {
      if (out.size() > most_results) out.erase(std::remove_if(out.begin(), out.end(), minor), out.end());
    };
    leave_out([](const TensorMeta* m) { return m->storage->role != nullptr; });
    leave_out([](const TensorMeta* m) { return m->storage->place == Place::host; });
    if (out.size() > most_results) out.erase(out.begin() + 2, out.end() - 1);
    return out;
  }

  void append(std::string& outputs, std::string& shapes, const TensorMeta& output, std::set<const Storage*>& made) {
    if (!made.insert(output.storage).second) return;
    outputs += (outputs.empty() ? "" : ", ") + name_of(output);
    shapes += (shapes.empty() ? "" : ", ") + described(output);
  }

  static std::string described(const TensorMeta& meta) {
    return fmt::format("{} {}", meta.sizes.to_string(), short_name(meta.dtype));
  }

  std::string name_of(const TensorMeta& meta) {
    // A parameter, buffer or input.
    if (meta.storage->place == Place::given) return "given" + meta.sizes.to_string();
    return name_of(meta.storage);
  }
  std::string name_of(const Storage* storage) {
    const auto [found, fresh] = names_.try_emplace(storage, "");
    if (fresh) {
      const auto grown = grown_names_.find({storage->born, storage->bytes});
      found->second = grown != grown_names_.end() ? grown->second : fresh_name(storage);
    }
    return found->second;
  }

  std::string fresh_name(const Storage* storage) {
    return fmt::format("{}{}", storage->place == Place::host ? "host" : "t", ++named_);
  }

  const Trace& trace_;
  std::map<const Storage*, std::string> names_;
  int named_ = 0;
  std::map<std::pair<int32_t, int64_t>, std::string> grown_names_;  // of what a loop grew, by its birth and bytes
  std::map<int32_t, int64_t> first_indices_;                        // of loops over lists, by scope
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> pseudo_code(const Trace& trace, int32_t scope, size_t most) {
  std::vector<std::string> lines = Writer(trace, scope).take();
  if (lines.size() > most) {
    const size_t left_out = lines.size() - most;
    lines.resize(most);
    lines.push_back(fmt::format("# ... {} more", left_out));
  }
  return lines;
}

}  // namespace modelmeter
