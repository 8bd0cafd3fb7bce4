// Interpolation: replaces `${...}` in a configuration tree, with the grammar of OmegaConf 2.3.
//
//   ${a.b} ${l[0]} ${d[${key}]}     a node from the root; alone it keeps its type, inside text it becomes str(value)
//   ${.x} ${..x}                    a sibling; one level up
//   ${name:arg, arg}                a resolver; arguments are typed like values of overrides
//   \${a}                           the text ${a}
//
// Resolvers: oc.env oc.select oc.decode oc.create oc.dict.keys oc.dict.values oc.deprecated, Hydra's now, and our own
// eval (arithmetic.h). Throws Error with OmegaConf's message and the place of the interpolation.
#pragma once

#include <ctime>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/node.h"

namespace modelmeter::config {

// What a resolver may ask of the tree that it is used in.
class ResolverScope {
 public:
  virtual ~ResolverScope() = default;
  // The resolved node at a key ("a.b", ".sibling"); nullopt if there is none; may be missing.
  virtual std::optional<Node> select(std::string_view key) const = 0;
  // The same with what it holds unresolved.
  virtual std::optional<Node> unresolved(std::string_view key) const = 0;
  // Text read as one element of the grammar.
  virtual Node decode(std::string_view text) const = 0;
};

class Resolvers {
 public:
  using Function = std::function<Node(const std::vector<Node>& args, const ResolverScope& scope)>;

  // All that are named above; `now` reads `time`, by default that of its first use in the process.
  static Resolvers standard(std::optional<std::time_t> time = std::nullopt);

  // Replaces one of the same name.
  void add(std::string name, Function function) { functions_[std::move(name)] = std::move(function); }
  const Function* find(const std::string& name) const;
  std::vector<std::string> names() const;

 private:
  std::map<std::string, Function> functions_;
};

// A copy of the tree without interpolations. `???` stays, also where an interpolation leads to one.
Node resolve(const Node& root);
Node resolve(const Node& root, const Resolvers& resolvers);

// OmegaConf.select: the resolved node at a key of a tree, nullopt if there is none ("" is the tree itself).
std::optional<Node> select(const Node& root, std::string_view key);
std::optional<Node> select(const Node& root, std::string_view key, const Resolvers& resolvers);

// The same with what a map or list holds unresolved.
std::optional<Node> select_as_is(const Node& root, std::string_view key, const Resolvers& resolvers);

// The same; nullopt also where interpolations lead nowhere.
std::optional<Node> dereference(const Node& root, std::string_view key, const Resolvers& resolvers);

// Throws Error if a string is no well-formed interpolation; span points at the string.
void check_interpolation(const Node& string);

// One element of the grammar (`oc.decode`): "10" is an integer, "[a, 1]" a list.
Node parse_element(std::string_view text, const Node& root, const Resolvers& resolvers);

}  // namespace modelmeter::config
