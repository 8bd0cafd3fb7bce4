// An Override is one word of the command line that changes the configuration (the grammar of Hydra 1.3.2):
//
//   key=value  key@package=value    change            value: 10, 1e-3, true, null, text, 'quoted', [1,2], {a:1},
//   +key=value                      add                      ${interpolation}, int('3'), str(1) ...
//   ++key=value                     add or change     sweep: 1,2,3  choice(a,b)  range(1,9,2)  interval(0,1)
//   ~key  ~key=value                delete                   glob(*)  with sort, shuffle, tag
//
// shuffle() of a plain list is done here and always gives the same order, unlike Hydra's.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/node.h"

namespace modelmeter::config {

enum class SweepKind { choice, range, interval, glob };

// Many values for one key; what the sweeper makes jobs of.
struct Sweep {
  SweepKind kind = SweepKind::choice;
  bool simple = false;  // of choice: written a,b and not choice(a,b)
  bool bare = false;    // of choice: arguments of a function, whose quotes Hydra takes off
  bool shuffle = false;
  std::vector<std::string> tags;
  std::vector<Node> values;                   // choice: the values; range: start, stop, step; interval: start, end
  std::vector<std::string> include, exclude;  // of glob
};

using OverrideValue = std::variant<Node, Sweep>;

enum class OverrideKind { change, add, force_add, remove };

struct Override {
  OverrideKind kind = OverrideKind::change;
  std::string key;                     // a.b, or a group a/b
  std::optional<std::string> package;  // of key@package
  std::optional<OverrideValue> value;  // nothing: `~key`
  std::string text;                    // as it was given
  Mark mark, key_mark;                 // of the value, of the key

  bool is_sweep() const { return value && std::holds_alternative<Sweep>(*value); }
  // null without a value. Not for sweeps.
  Node node() const;
  // key or key@package.
  std::string key_element() const;
};

// Throws Error: what was found, where, and how to quote it.
Override parse_override(std::string_view text);
// The part behind the '='.
OverrideValue parse_override_value(std::string_view text);

// The value as a word of an override again: for the overrides of a job in a sweep.
std::string to_override(const Node& value);

}  // namespace modelmeter::config
