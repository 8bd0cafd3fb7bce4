#include "config/merge.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/edit_distance.h"
#include "config/interpolation_parser.h"
#include "config/key.h"
#include "config/limits.h"
#include "config/scalar.h"

namespace modelmeter::config {
namespace {

std::string_view class_of(const Node& node) { return node.is(Kind::list) ? "ListConfig" : "DictConfig"; }

StructError not_in_struct(const Node& map, const std::string& key, const std::string& full_key, const Mark& mark) {
  std::vector<std::string> notes = name_notes(key, map.keys(), "keys here");
  notes.insert(notes.begin(), "full_key: " + full_key);
  return StructError(fmt::format("Key '{}' is not in struct", key), mark.span(), std::move(notes));
}

class Merger {
 public:
  Merger(const Node& root, const Resolvers& resolvers, bool struct_mode)
      : root_(root), resolvers_(resolvers), struct_mode_(struct_mode) {}

  void containers(Node& into, const Node& from, const std::string& path) const {
    if (into.is(Kind::map) != from.is(Kind::map)) {
      throw Error(fmt::format("Cannot merge {} with {}", class_of(into), class_of(from)), from.span(),
                  {"full_key: " + path});
    }
    if (into.is(Kind::list)) {
      into = from;
      return;
    }
    for (const Entry& entry : from.entries()) {
      const std::string full_key = key_below(path, entry.key.text);
      const Entry* there = into.find_entry(entry.key);
      if (!there) {
        if (struct_mode_) throw not_in_struct(into, entry.key.text, full_key, entry.key_mark);
        into.set(entry.key, entry.value, entry.key_mark);
        continue;
      }
      value(const_cast<Node&>(there->value), entry.value, full_key);
    }
  }

 private:
  void value(Node& into, const Node& from, const std::string& path) const {
    if (from.is(Kind::missing)) return;
    if (from.is_container() && into.is_interpolation()) {
      if (std::optional<Node> target = dereference(root_, path, resolvers_); target && target->is_container()) {
        const NodeSize size = size_of(*target);
        if (size.depth > max_depth || size.nodes > max_nodes / 10) {
          throw Error(fmt::format("what is merged into here has {} values, {} deep: at most {}, {} deep", size.nodes,
                                  size.depth, max_nodes / 10, max_depth),
                      from.span(), {"full_key: " + path});
        }
        into = *std::move(target);
      }
    }
    if (from.is_container() && into.is_container()) {
      containers(into, from, path);
    } else {
      into = from;
    }
  }

  const Node& root_;
  const Resolvers& resolvers_;
  bool struct_mode_;
};

// Where the part of a written key stands that follows `before`; the value's place where the key was not written.
Mark place_of(const Mark& key, const std::string& before, const Node& value) {
  if (!key.source) return value.mark();
  Mark out = key;
  if (!before.empty()) out.column += static_cast<int>(before.size()) + 1;
  return out;
}

// The child at a key of a container; nullptr if it is not there.
Node* child(Node& container, const std::string& key, const std::string& full_key, const Mark& mark) {
  if (container.is(Kind::map)) return container.find(key);
  const std::optional<int64_t> index = python_int(key);
  if (!index) throw Error(fmt::format("Index '{}' (str) is not an int", key), mark.span(), {"full_key: " + full_key});
  const auto size = static_cast<int64_t>(container.items().size());
  const int64_t at = *index < 0 ? *index + size : *index;
  if (at < 0 || at >= size) throw Error("list index out of range", mark.span(), {"full_key: " + full_key});
  return &container.items()[static_cast<size_t>(at)];
}

}  // namespace

void merge(Node& into, const Node& from, const Resolvers& resolvers, bool struct_mode) {
  if (!from.is_container()) throw Error("Cannot merge with a None config", from.span());
  Merger(into, resolvers, struct_mode).containers(into, from, "");
}

void update(Node& root, std::string_view key, const Node& value, const Resolvers& resolvers,
            const UpdateOptions& options) {
  const std::vector<std::string> keys = split_key(key).keys;
  if (keys.empty()) throw Error("an override needs a key", value.span());
  if (keys.size() > max_depth) throw Error(fmt::format("a key has more than {} parts", max_depth), value.span());
  const bool closed = options.struct_mode && !options.force_add;
  Node* here = &root;
  std::string full_key;
  for (size_t i = 0; i + 1 < keys.size(); ++i) {
    const Mark place = place_of(options.key_mark, full_key, value);
    full_key = key_below(full_key, keys[i]);
    Node* next = child(*here, keys[i], full_key, place);
    if (!next) {
      if (closed) throw not_in_struct(*here, keys[i], full_key, place);
      next = &here->set(keys[i], Node::map({}, value.mark()), place);
    } else if (!next->is_container()) {
      if (closed) {
        throw StructError(fmt::format("Key '{}' is not in struct", keys[i + 1]),
                          place_of(options.key_mark, full_key, value).span(),
                          {"full_key: " + key_below(full_key, keys[i + 1]),
                           fmt::format("'{}' is {}, not a map", full_key, with_article(next->kind()))});
      }
      *next = Node::map({}, value.mark());
    }
    here = next;
  }
  const Mark place = place_of(options.key_mark, full_key, value);
  full_key = key_below(full_key, keys.back());
  Node* target = child(*here, keys.back(), full_key, place);
  if (!target) {
    if (closed) throw not_in_struct(*here, keys.back(), full_key, place);
    here->set(keys.back(), value, place);
  } else if (options.merge && value.is_container() && target->is_container()) {
    Merger(root, resolvers, closed).containers(*target, value, full_key);
  } else {
    *target = value;
  }
}

}  // namespace modelmeter::config
