// A Node is one value of a configuration tree, as OmegaConf 2.3 has them: null, missing ("???"), bool, integer, float,
// string, list or map, and the place in the user's text that set it.
//
// Nodes are plain values: a copy is deep, a move is cheap. A string that holds an interpolation ("${a.b}") says so
// until it is resolved (interpolation.h). Reading a Node as a kind that it is not is a fault of the program
// (ErrorCode::internal); for reading what a user wrote see View in access.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "config/key.h"
#include "config/mark.h"

namespace modelmeter::config {

enum class Kind { null, missing, boolean, integer, floating, string, list, map };

// "an integer", "a list": for messages.
std::string_view with_article(Kind kind);

class Node;
struct Entry;
using List = std::vector<Node>;
using Map = std::vector<Entry>;  // in the order of first appearance
class KeyIndex;

class Node {
 public:
  Node() = default;  // null
  static Node null(Mark mark = {});
  static Node missing(Mark mark = {});
  static Node boolean(bool value, Mark mark = {});
  static Node integer(int64_t value, Mark mark = {});
  static Node floating(double value, Mark mark = {});
  // "???" is missing, and "${" makes an interpolation, however they are quoted. quote is ' or " or 0.
  static Node string(std::string text, Mark mark = {}, char quote = 0);
  // A string that is final: not missing, not an interpolation, whatever it holds.
  static Node literal(std::string text, Mark mark = {});
  static Node list(List items, Mark mark = {});
  static Node map(Map entries, Mark mark = {});
  static Node list();
  static Node map();

  Kind kind() const { return static_cast<Kind>(value_.index()); }
  bool is(Kind kind) const { return this->kind() == kind; }
  bool is_container() const { return is(Kind::list) || is(Kind::map); }
  bool is_interpolation() const;

  bool as_bool() const;
  int64_t as_int() const;
  double as_double() const;  // of an integer too
  const std::string& as_string() const;
  char quote() const;
  const List& items() const;
  List& items();
  const Map& entries() const;

  // Of a map; nullptr if the key is not there (or this is no map). Large maps find a key by an index.
  const Node* find(std::string_view key) const;
  Node* find(std::string_view key);
  const Entry* find_entry(const Key& key) const;
  // Replaces the value at its place, or appends it.
  Node& set(Key key, Node value, Mark key_mark = {});
  bool erase(std::string_view key);
  // Calls visit(Node&) for each value of a map.
  template <typename Visit>
  void for_each_value(Visit&& visit);
  std::vector<std::string> keys() const;

  const Mark& mark() const { return mark_; }
  void set_mark(Mark mark) { mark_ = std::move(mark); }
  SourceSpan span() const { return mark_.span(); }

 private:
  struct Missing {};
  struct Text {
    std::string text;
    char quote = 0;
    bool interpolation = false;
  };
  // The entries, and where each key stands once there are many.
  struct IndexedMap {
    IndexedMap();
    explicit IndexedMap(Map all);
    IndexedMap(const IndexedMap& other);
    IndexedMap(IndexedMap&& other) noexcept;
    IndexedMap& operator=(const IndexedMap& other);
    IndexedMap& operator=(IndexedMap&& other) noexcept;
    ~IndexedMap();

    Map entries;
    std::unique_ptr<KeyIndex> index;
  };
  using Value = std::variant<std::monostate, Missing, bool, int64_t, double, Text, List, IndexedMap>;

  Node(Value value, Mark mark);
  Map& map_entries();

  Value value_;
  Mark mark_;
};

struct Entry {
  Key key;
  Node value;
  Mark key_mark;
};

template <typename Visit>
void Node::for_each_value(Visit&& visit) {
  for (Entry& entry : map_entries()) visit(entry.value);
}

// How many values a tree has, itself among them, and how many containers are within each other.
struct NodeSize {
  size_t nodes = 1, depth = 0;
};
NodeSize size_of(const Node& node);

// The same value, order of keys and places apart. Python's equality: 1 == 1.0 == true.
bool equal(const Node& a, const Node& b);

}  // namespace modelmeter::config
