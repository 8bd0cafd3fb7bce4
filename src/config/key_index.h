// Where each key of a large map stands, so that maps of 100,000 keys are read, merged and searched in linear time. Keys
// are the same where Python says so (key.h). The map itself is the owner of its entries, and passed along.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "config/node.h"

namespace modelmeter::config {

class KeyIndex {
 public:
  // Of a map that is worth one; else nullptr.
  static std::unique_ptr<KeyIndex> of(const Map& map);

  // The entry at `at` is new.
  void add(size_t at, const Map& map);
  // The first entry whose key has this text, whatever its kind.
  std::optional<size_t> find(std::string_view text, const Map& map) const;
  // The entry of this key.
  std::optional<size_t> find(const Key& key, const Map& map) const;

 private:
  std::unordered_multimap<size_t, size_t> by_text_;  // hash of the text, place
  std::unordered_multimap<double, size_t> numbers_;  // of keys that are numbers to Python
};

}  // namespace modelmeter::config
