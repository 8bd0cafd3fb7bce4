// A Key of a map: text, or another scalar where YAML gives one (`1: x` has an integer key). Two keys are the same
// where Python says so (1, 1.0 and true are one key, '1' is another).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace modelmeter::config {

enum class KeyKind { string, null, boolean, integer, floating };

struct Key {
  // NOLINTNEXTLINE(google-explicit-constructor): a key is nearly always a text.
  Key(std::string name) : text(std::move(name)) {}
  Key(const char* name) : text(name) {}
  Key(std::string name, KeyKind of) : text(std::move(name)), kind(of) {}

  std::string text;  // as OmegaConf prints it: null, true, 1, 1.5
  KeyKind kind = KeyKind::string;
};

bool operator==(const Key& a, const Key& b);

// The number that Python sees in a key, if it does.
std::optional<double> number_of(const Key& key);

// "a.b" below "a"; the key alone at the root.
std::string key_below(const std::string& path, std::string_view key);

}  // namespace modelmeter::config
