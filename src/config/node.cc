#include "config/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "config/key_index.h"

namespace modelmeter::config {
namespace {

[[noreturn]] void wrong_kind(const Node& node, std::string_view wanted) {
  throw Error(ErrorCode::internal, fmt::format("config node read as {}, it is {}", wanted, with_article(node.kind())),
              node.span());
}

}  // namespace

std::string_view with_article(Kind kind) {
  switch (kind) {
    case Kind::null: return "null";
    case Kind::missing: return "missing (??\?)";
    case Kind::boolean: return "a bool";
    case Kind::integer: return "an integer";
    case Kind::floating: return "a float";
    case Kind::string: return "a string";
    case Kind::list: return "a list";
    case Kind::map: return "a map";
  }
  return "";
}

Node::Node(Value value, Mark mark) : value_(std::move(value)), mark_(std::move(mark)) {}

Node Node::null(Mark mark) { return Node(std::monostate{}, std::move(mark)); }
Node Node::missing(Mark mark) { return Node(Missing{}, std::move(mark)); }
Node Node::boolean(bool value, Mark mark) { return Node(value, std::move(mark)); }
Node Node::integer(int64_t value, Mark mark) { return Node(value, std::move(mark)); }
Node Node::floating(double value, Mark mark) { return Node(value, std::move(mark)); }

Node Node::string(std::string text, Mark mark, char quote) {
  if (text == "???") return missing(std::move(mark));
  const bool interpolation = text.find("${") != std::string::npos;
  return Node(Text{std::move(text), quote, interpolation}, std::move(mark));
}

Node Node::literal(std::string text, Mark mark) { return Node(Text{std::move(text), 0, false}, std::move(mark)); }
Node Node::list() { return Node(List{}, {}); }
Node Node::map() { return Node(IndexedMap{}, {}); }
Node Node::list(List items, Mark mark) { return Node(std::move(items), std::move(mark)); }
Node Node::map(Map entries, Mark mark) { return Node(IndexedMap(std::move(entries)), std::move(mark)); }

Node::IndexedMap::IndexedMap() = default;
Node::IndexedMap::IndexedMap(Map all) : entries(std::move(all)), index(KeyIndex::of(entries)) {}
Node::IndexedMap::IndexedMap(const IndexedMap& other)
    : entries(other.entries), index(other.index ? std::make_unique<KeyIndex>(*other.index) : nullptr) {}
Node::IndexedMap::IndexedMap(IndexedMap&& other) noexcept = default;
Node::IndexedMap& Node::IndexedMap::operator=(const IndexedMap& other) { return *this = IndexedMap(other); }
Node::IndexedMap& Node::IndexedMap::operator=(IndexedMap&& other) noexcept = default;
Node::IndexedMap::~IndexedMap() = default;

bool Node::is_interpolation() const {
  const Text* text = std::get_if<Text>(&value_);
  return text && text->interpolation;
}

bool Node::as_bool() const {
  if (!is(Kind::boolean)) wrong_kind(*this, "a bool");
  return std::get<bool>(value_);
}

int64_t Node::as_int() const {
  if (!is(Kind::integer)) wrong_kind(*this, "an integer");
  return std::get<int64_t>(value_);
}

double Node::as_double() const {
  if (is(Kind::integer)) return static_cast<double>(std::get<int64_t>(value_));
  if (!is(Kind::floating)) wrong_kind(*this, "a float");
  return std::get<double>(value_);
}

const std::string& Node::as_string() const {
  if (!is(Kind::string)) wrong_kind(*this, "a string");
  return std::get<Text>(value_).text;
}

char Node::quote() const {
  const Text* text = std::get_if<Text>(&value_);
  return text ? text->quote : '\0';
}

const List& Node::items() const {
  if (!is(Kind::list)) wrong_kind(*this, "a list");
  return std::get<List>(value_);
}

List& Node::items() { return const_cast<List&>(static_cast<const Node*>(this)->items()); }

const Map& Node::entries() const {
  if (!is(Kind::map)) wrong_kind(*this, "a map");
  return std::get<IndexedMap>(value_).entries;
}

Map& Node::map_entries() { return const_cast<Map&>(entries()); }

const Node* Node::find(std::string_view key) const {
  const auto* map = std::get_if<IndexedMap>(&value_);
  if (!map) return nullptr;
  if (map->index) {
    const std::optional<size_t> at = map->index->find(key, map->entries);
    return at ? &map->entries[*at].value : nullptr;
  }
  for (const Entry& entry : map->entries) {
    if (entry.key.text == key) return &entry.value;
  }
  return nullptr;
}

Node* Node::find(std::string_view key) { return const_cast<Node*>(static_cast<const Node*>(this)->find(key)); }

const Entry* Node::find_entry(const Key& key) const {
  const auto* map = std::get_if<IndexedMap>(&value_);
  if (!map) return nullptr;
  if (map->index) {
    const std::optional<size_t> at = map->index->find(key, map->entries);
    return at ? &map->entries[*at] : nullptr;
  }
  for (const Entry& entry : map->entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

Node& Node::set(Key key, Node value, Mark key_mark) {
  Map& map = map_entries();
  if (const Entry* found = find_entry(key)) {
    auto& entry = const_cast<Entry&>(*found);
    entry.value = std::move(value);
    if (key_mark.source) entry.key_mark = std::move(key_mark);
    return entry.value;
  }
  map.push_back({std::move(key), std::move(value), std::move(key_mark)});
  auto& indexed = std::get<IndexedMap>(value_);
  if (indexed.index) {
    indexed.index->add(map.size() - 1, map);
  } else {
    indexed.index = KeyIndex::of(map);
  }
  return map.back().value;
}

bool Node::erase(std::string_view key) {
  Map& map = map_entries();
  for (auto entry = map.begin(); entry != map.end(); ++entry) {
    if (entry->key.text == key) {
      map.erase(entry);
      auto& indexed = std::get<IndexedMap>(value_);
      indexed.index = KeyIndex::of(map);
      return true;
    }
  }
  return false;
}

std::vector<std::string> Node::keys() const {
  std::vector<std::string> out;
  for (const Entry& entry : entries()) out.push_back(entry.key.text);
  return out;
}

NodeSize size_of(const Node& node) {
  NodeSize out;
  const auto add = [&](const Node& child) {
    const NodeSize size = size_of(child);
    out.nodes += size.nodes;
    out.depth = std::max(out.depth, size.depth);
  };
  if (node.is(Kind::list)) {
    for (const Node& item : node.items()) add(item);
  } else if (node.is(Kind::map)) {
    for (const Entry& entry : node.entries()) add(entry.value);
  }
  if (node.is_container()) ++out.depth;
  return out;
}

bool equal(const Node& a, const Node& b) {
  const auto is_number = [](const Node& node) {
    return node.is(Kind::boolean) || node.is(Kind::integer) || node.is(Kind::floating);
  };
  if (is_number(a) && is_number(b)) {
    if (a.is(Kind::integer) && b.is(Kind::integer)) return a.as_int() == b.as_int();
    const auto value = [](const Node& node) {
      return node.is(Kind::boolean) ? (node.as_bool() ? 1.0 : 0.0) : node.as_double();
    };
    return value(a) == value(b) || (std::isnan(value(a)) && std::isnan(value(b)));
  }
  if (a.kind() != b.kind()) return false;
  if (a.is(Kind::string)) return a.as_string() == b.as_string();
  if (a.is(Kind::list)) {
    return std::equal(a.items().begin(), a.items().end(), b.items().begin(), b.items().end(), equal);
  }
  if (a.is(Kind::map)) {
    if (a.entries().size() != b.entries().size()) return false;
    for (const Entry& entry : a.entries()) {
      const Entry* other = b.find_entry(entry.key);
      if (!other || !equal(entry.value, other->value)) return false;
    }
  }
  return true;
}

}  // namespace modelmeter::config
