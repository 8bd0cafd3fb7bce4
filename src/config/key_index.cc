#include "config/key_index.h"

#include <functional>

namespace modelmeter::config {
namespace {

// Below this, looking at one key after the other is faster.
constexpr size_t worth_it = 24;

size_t hash_of(std::string_view text) { return std::hash<std::string_view>()(text); }

}  // namespace

std::unique_ptr<KeyIndex> KeyIndex::of(const Map& map) {
  if (map.size() < worth_it) return nullptr;
  auto out = std::make_unique<KeyIndex>();
  out->by_text_.reserve(map.size());
  for (size_t at = 0; at < map.size(); ++at) out->add(at, map);
  return out;
}

void KeyIndex::add(size_t at, const Map& map) {
  const Key& key = map[at].key;
  by_text_.emplace(hash_of(key.text), at);
  if (const std::optional<double> number = number_of(key)) numbers_.emplace(*number, at);
}

std::optional<size_t> KeyIndex::find(std::string_view text, const Map& map) const {
  std::optional<size_t> out;
  const auto [begin, end] = by_text_.equal_range(hash_of(text));
  for (auto found = begin; found != end; ++found) {
    if (map[found->second].key.text == text && (!out || found->second < *out)) out = found->second;
  }
  return out;
}

std::optional<size_t> KeyIndex::find(const Key& key, const Map& map) const {
  if (const std::optional<double> number = number_of(key)) {
    const auto found = numbers_.find(*number);
    if (found != numbers_.end()) return found->second;
  }
  const auto [begin, end] = by_text_.equal_range(hash_of(key.text));
  for (auto found = begin; found != end; ++found) {
    if (map[found->second].key == key) return found->second;
  }
  return std::nullopt;
}

}  // namespace modelmeter::config
