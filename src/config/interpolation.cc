#include "config/interpolation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/edit_distance.h"
#include "config/interpolation_parser.h"
#include "config/limits.h"
#include "config/scalar.h"

namespace modelmeter::config {
namespace {

// A map of maps: its keys name things (presets), not settings.
bool holds_items(const Node& map) {
  return !map.entries().empty() && std::all_of(map.entries().begin(), map.entries().end(),
                                               [](const Entry& entry) { return entry.value.is(Kind::map); });
}

using Path = std::vector<std::string>;

std::string dotted(const Path& path) { return fmt::format("{}", fmt::join(path, ".")); }

bool is_prefix(const Path& prefix, const Path& path) {
  return prefix.size() <= path.size() && std::equal(prefix.begin(), prefix.end(), path.begin());
}

// A node that was found: one of the tree, which may hold interpolations yet, or a value that a resolver made.
struct Target {
  const Node* node = nullptr;
  Path path;                          // in the tree
  std::shared_ptr<const Node> owned;  // if not in the tree; then it is final
};

// A text needs a value that is missing: then it is missing as well, as OmegaConf has it.
class MissingPart : public Error {
 public:
  using Error::Error;
};

// Strings that a resolver made are not read again.
void finalize(Node& node) {
  if (node.is_interpolation()) {
    const Mark mark = node.mark();
    node = Node::literal(node.as_string(), mark);
  } else if (node.is(Kind::list)) {
    for (Node& item : node.items()) finalize(item);
  } else if (node.is(Kind::map)) {
    node.for_each_value(finalize);
  }
}

std::optional<size_t> to_index(const std::string& key) {
  if (key.empty() || key.size() > 9 || key.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return static_cast<size_t>(std::stoul(key));
}

// Resolves one tree. Holds what is being resolved, to find circles.
class Resolution {
 public:
  Resolution(const Node& root, const Resolvers& resolvers) : root_(root), resolvers_(resolvers) {}

  Node all() { return deep({&root_, {}, nullptr}); }

  std::optional<Target> find(const Path& keys, bool strict) {
    Target current{&root_, {}, nullptr};
    for (size_t i = 0; i < keys.size(); ++i) {
      current = follow(std::move(current));
      const std::string& key = keys[i];
      if (current.node->is(Kind::missing)) return std::nullopt;
      if (!current.node->is_container()) {
        if (!strict) return std::nullopt;
        const Path parent(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(i));
        throw Error(fmt::format("Error trying to access {}: node `{}` is not a container and thus cannot contain `{}`",
                                dotted(keys), dotted(parent), key));
      }
      const Node* next = nullptr;
      if (current.node->is(Kind::map)) {
        next = current.node->find(key);
      } else if (const std::optional<size_t> index = to_index(key)) {
        if (*index < current.node->items().size()) next = &current.node->items()[*index];
      } else if (!current.owned && python_int(key) == std::nullopt) {
        throw Error(fmt::format("Index '{}' (str) is not an int", key), current.node->span());
      }
      if (!next) return std::nullopt;
      current.node = next;
      current.path.push_back(key);
    }
    return follow(std::move(current));
  }

  // The value without interpolations.
  Node deep(Target target) {
    if (++nodes_ > max_nodes) {
      throw Error(fmt::format("interpolations make this configuration larger than {} values", max_nodes),
                  target.node->span());
    }
    const Mark site = target.node->mark();
    const bool was_interpolation = target.node->is_interpolation();
    if (was_interpolation) target = follow(std::move(target));
    if (target.owned) {
      Node out = *target.node;
      out.set_mark(site);
      return out;
    }
    if (!target.node->is_container()) {
      Node out = *target.node;
      // The user finds a wrong value where it was put in.
      if (was_interpolation) out.set_mark(site);
      return out;
    }
    const Guard guard(*this, target);
    target.path.emplace_back();
    if (target.node->is(Kind::map)) {
      Map entries;
      entries.reserve(target.node->entries().size());
      for (const Entry& entry : target.node->entries()) {
        target.path.back() = entry.key.text;
        entries.push_back({entry.key, deep({&entry.value, target.path, nullptr}), entry.key_mark});
      }
      return Node::map(std::move(entries), target.node->mark());
    }
    List items;
    items.reserve(target.node->items().size());
    for (size_t i = 0; i < target.node->items().size(); ++i) {
      target.path.back() = std::to_string(i);
      items.push_back(deep({&target.node->items()[i], target.path, nullptr}));
    }
    return Node::list(std::move(items), target.node->mark());
  }

  Node decode(std::string_view text, const Path& holder, const Mark& site) {
    const Step step(*this);
    Site evaluator(*this, holder);
    Node out = InterpolationParser(text, site, &evaluator).single_element();
    finalize(out);
    return out;
  }

 private:
  // What one interpolation string may ask for.
  class Site : public Evaluator, public ResolverScope {
   public:
    Site(Resolution& resolution, const Path& holder) : resolution_(resolution), holder_(holder) {}

    Node look_up(const Reference& reference) override {
      Node out = resolution_.deep(resolution_.target(reference, holder_));
      resolution_.count_text(out);
      if (out.is(Kind::missing)) throw missing(reference);
      return out;
    }

    std::string look_up_text(const Reference& reference) override {
      const Target target = resolution_.target(reference, holder_);
      if (target.node->is(Kind::missing)) throw missing(reference);
      if (!target.owned && is_prefix(target.path, holder_)) throw Error("Interpolation to parent node detected");
      std::string out = python_str(*target.node);
      resolution_.count_text(out.size());
      return out;
    }

    Node call(const std::string& name, const std::vector<Node>& args) override {
      const Resolvers::Function* function = resolution_.resolvers_.find(name);
      if (!function) {
        throw Error(fmt::format("Unsupported interpolation type {}", name), {},
                    name_notes(name, resolution_.resolvers_.names(), "resolvers"));
      }
      Node out = (*function)(args, *this);
      finalize(out);
      resolution_.count_text(out);
      return out;
    }

    std::optional<Node> select(std::string_view key) const override {
      std::optional<Target> found = target(key);
      if (!found) return std::nullopt;
      return resolution_.deep(*std::move(found));
    }

    std::optional<Node> unresolved(std::string_view key) const override {
      const std::optional<Target> found = target(key);
      if (!found) return std::nullopt;
      return *found->node;
    }

    Node decode(std::string_view text) const override { return resolution_.decode(text, holder_, {}); }

   private:
    static MissingPart missing(const Reference& reference) {
      return MissingPart(fmt::format("MissingMandatoryValue while resolving interpolation: Missing mandatory value: {}",
                                     reference.text()));
    }

    std::optional<Target> target(std::string_view key) const {
      const std::optional<Path> path = resolution_.absolute(split_key(key), holder_);
      if (!path) return std::nullopt;
      return resolution_.find(*path, false);
    }

    Resolution& resolution_;
    const Path& holder_;
  };

  void count_text(const Node& made) {
    if (made.is(Kind::string)) count_text(made.as_string().size());
  }

  void count_text(size_t bytes) {
    bytes_ += bytes;
    if (bytes_ > max_interpolated_bytes) {
      throw Error(fmt::format("interpolations make more than {} MiB of text", max_interpolated_bytes >> 20));
    }
  }

  // One interpolation more, within others, while it lives.
  class Step {
   public:
    explicit Step(Resolution& resolution) : depth_(resolution.depth_) {
      if (++resolution.interpolations_ > max_interpolations) {
        throw Error(fmt::format("more than {} interpolations are followed", max_interpolations));
      }
      if (depth_ == max_interpolation_depth) {
        throw Error(fmt::format("interpolations lead to each other more than {} deep", max_interpolation_depth));
      }
      ++depth_;
    }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
    ~Step() { --depth_; }

   private:
    size_t& depth_;
  };

  // Marks a node as being resolved while it lives.
  class Guard {
   public:
    Guard(Resolution& resolution, const Target& target) : active_(resolution.active_) {
      for (const auto& [path, container] : active_) {
        if (path == target.path) {
          throw Error(container ? "Interpolation to parent node detected" : "Recursive interpolation detected");
        }
      }
      if (active_.size() > max_tree_depth) {
        throw Error(fmt::format("maps and lists are nested more than {} deep", max_tree_depth));
      }
      active_.emplace_back(target.path, target.node->is_container());
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() { active_.pop_back(); }

   private:
    std::vector<std::pair<Path, bool>>& active_;
  };

  // The path that a reference in a node at `holder` means; nothing with too many dots.
  static std::optional<Path> absolute(const Reference& reference, const Path& holder) {
    Path path;
    if (reference.dots > 0) {
      if (static_cast<size_t>(reference.dots) > holder.size()) return std::nullopt;
      path.assign(holder.begin(), holder.end() - reference.dots);
    }
    path.insert(path.end(), reference.keys.begin(), reference.keys.end());
    return path;
  }

  Target target(const Reference& reference, const Path& holder) {
    const std::optional<Path> path = absolute(reference, holder);
    if (!path) {
      throw Error(
          fmt::format("ConfigKeyError while resolving interpolation: Error resolving key '{}'", reference.text()));
    }
    if (*path != holder && is_prefix(*path, holder)) throw Error("Interpolation to parent node detected");
    std::optional<Target> found = find(*path, true);
    if (found) return *std::move(found);
    throw Error(fmt::format("Interpolation key '{}' not found", dotted(reference.keys)), {}, hints(*path));
  }

  // Near names where the path leaves the tree.
  std::vector<std::string> hints(const Path& path) {
    Path known;
    for (const std::string& key : path) {
      const std::optional<Target> here = find(known, false);
      if (!here || !here->node->is(Kind::map)) return {};
      if (!here->node->find(key)) {
        if (holds_items(*here->node)) return model_notes(key, here->node->keys());
        if (std::string hint = did_you_mean(key, here->node->keys()); !hint.empty()) return {std::move(hint)};
        return {};
      }
      known.push_back(key);
    }
    return {};
  }

  // Through interpolations to a node that is none. Errors get the place of the first that holds one.
  Target follow(Target from) {
    if (from.owned || !from.node->is_interpolation()) return from;
    try {
      const Guard guard(*this, from);
      const Step step(*this);
      Site site(*this, from.path);
      auto [reference, value] = InterpolationParser(from.node->as_string(), from.node->mark(), &site).config_value();
      if (reference) return target(*reference, from.path);
      if (value.is_interpolation()) finalize(value);
      Target out;
      out.owned = std::make_shared<const Node>(std::move(value));
      out.node = out.owned.get();
      return out;
    } catch (const MissingPart&) {
      Target out;
      out.owned = std::make_shared<const Node>(Node::missing(from.node->mark()));
      out.node = out.owned.get();
      return out;
    } catch (const Error& error) {
      if (error.span().known()) throw;
      throw error.at(from.node->span()).with_note(fmt::format("full_key: {}", dotted(from.path)));
    }
  }

  const Node& root_;
  const Resolvers& resolvers_;
  std::vector<std::pair<Path, bool>> active_;
  size_t nodes_ = 0, bytes_ = 0, interpolations_ = 0, depth_ = 0;
};

}  // namespace

Node resolve(const Node& root) { return resolve(root, Resolvers::standard()); }

Node resolve(const Node& root, const Resolvers& resolvers) { return Resolution(root, resolvers).all(); }

std::optional<Node> select(const Node& root, std::string_view key) { return select(root, key, Resolvers::standard()); }

std::optional<Node> select(const Node& root, std::string_view key, const Resolvers& resolvers) {
  Resolution resolution(root, resolvers);
  std::optional<Target> found = resolution.find(split_key(key).keys, false);
  if (!found) return std::nullopt;
  return resolution.deep(*std::move(found));
}

std::optional<Node> select_as_is(const Node& root, std::string_view key, const Resolvers& resolvers) {
  const std::optional<Target> found = Resolution(root, resolvers).find(split_key(key).keys, false);
  return found ? std::optional(*found->node) : std::nullopt;
}

std::optional<Node> dereference(const Node& root, std::string_view key, const Resolvers& resolvers) {
  try {
    return select_as_is(root, key, resolvers);
  } catch (const Error&) {
    return std::nullopt;
  }
}

void check_interpolation(const Node& string) {
  InterpolationParser(string.as_string(), string.mark(), nullptr).config_value();
}

Node parse_element(std::string_view text, const Node& root, const Resolvers& resolvers) {
  return Resolution(root, resolvers).decode(text, {}, {});
}

}  // namespace modelmeter::config
