// A View reads a configuration node as the types that the program needs, and says where a value is wrong:
//   workload.num_frames: expected an integer, got 'abc'
// with the file, the line and a caret under the value.
//
// It points into a tree that must outlive it; interpolations must be resolved before. Rules: an integer serves as a
// float, which is finite; a float is no integer; a bool is no number; null and absent are the same to optional<T>();
// "???" is an error to everything but has().
//
// Types: bool, int, int64_t, double, std::string, std::vector and std::optional of these.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "config/node.h"

namespace modelmeter::config {

// No size, length or number of anything in a model is larger: the most that an index of 32 bits reaches. Products of
// them are checked where they are made.
inline constexpr int64_t max_size = std::numeric_limits<int32_t>::max();
// Layers, blocks, stages: what is built one by one.
inline constexpr int64_t max_layers = 10'000;

class View {
 public:
  explicit View(const Node& node, std::string path = "") : node_(&node), path_(std::move(path)) {}

  const Node& node() const { return *node_; }
  const std::string& path() const { return path_; }  // "workload.sizes[0]"; "" is the root
  SourceSpan span() const { return node_->span(); }

  bool has(std::string_view key) const;  // there, and not null
  bool is_null() const { return node_->is(Kind::null); }
  std::vector<std::string> keys() const;
  // The value at a key, whatever it is. Error if the key is not there, with a did-you-mean.
  View at(std::string_view key) const;
  // The same, and it must be a map.
  View child(std::string_view key) const;
  std::optional<View> optional_child(std::string_view key) const;
  std::vector<View> items() const;  // this must be a list

  template <typename T>
  T as() const {
    T out;
    read(*this, out);
    return out;
  }
  template <typename T>
  T get(std::string_view key) const {
    return at(key).as<T>();
  }
  template <typename T>
  std::optional<T> optional(std::string_view key) const {
    if (!has(key)) return std::nullopt;
    return get<T>(key);
  }
  template <typename T>
  T get_or(std::string_view key, T fallback) const {
    return has(key) ? get<T>(key) : fallback;
  }
  // A number above 0, and one that is not below 0; integers up to a bound.
  template <typename T>
  T get_positive(std::string_view key, T most = most_of<T>()) const {
    const T value = get<T>(key);
    if (!(value > T{0})) throw at(key).expected("a number above 0");
    if (value > most) throw at(key).too_large(most);
    return value;
  }
  template <typename T>
  T get_non_negative(std::string_view key, T most = most_of<T>()) const {
    const T value = get<T>(key);
    if (!(value >= T{0})) throw at(key).expected("a number of 0 or more");
    if (value > most) throw at(key).too_large(most);
    return value;
  }
  // One of some names, with a did-you-mean.
  std::string get_choice(std::string_view key, const std::vector<std::string>& allowed) const;

  // Error on the first key of this map that is not among them, at that key.
  void require_known_keys(std::initializer_list<std::string_view> known) const;
  void require_known_keys(const std::vector<std::string>& known) const;

  // The error to throw: "<path>: <message>" at this value; "expected <what>, got <this>".
  Error error(std::string_view message, std::vector<std::string> notes = {}) const;
  Error expected(std::string_view what) const;
  // "expected a number of at most <most>".
  template <typename T>
  Error too_large(T most) const {
    return expected("a number of at most " + std::to_string(most));
  }

 private:
  template <typename T>
  static constexpr T most_of() {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(max_size);
    return std::numeric_limits<T>::max();
  }

  friend void read(const View& view, bool& out);
  friend void read(const View& view, int& out);
  friend void read(const View& view, int64_t& out);
  friend void read(const View& view, double& out);
  friend void read(const View& view, std::string& out);
  template <typename T>
  friend void read(const View& view, std::vector<T>& out);

  const Node* node_;
  std::string path_;
};

void read(const View& view, bool& out);
void read(const View& view, int& out);
void read(const View& view, int64_t& out);
void read(const View& view, double& out);
void read(const View& view, std::string& out);

template <typename T>
void read(const View& view, std::optional<T>& out) {
  if (!view.is_null()) out = view.as<T>();
}

template <typename T>
void read(const View& view, std::vector<T>& out) {
  for (const View& item : view.items()) out.push_back(item.as<T>());
}

}  // namespace modelmeter::config
