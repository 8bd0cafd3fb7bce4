// A View reads a configuration node as the types that the program needs, and says where a value is wrong:
//   workload.num_frames: expected an integer, got 'abc'
// with the file, the line and a caret under the value. Within with_all_errors() reading goes on with a value that fits,
// and all that was wrong is reported together.
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

// While one lives, values that are wrong do not end what this thread reads.
class ErrorCollector {
 public:
  ErrorCollector();
  ErrorCollector(const ErrorCollector&) = delete;
  ErrorCollector& operator=(const ErrorCollector&) = delete;
  ~ErrorCollector();

  static ErrorCollector* current();  // the innermost; nullptr where errors end the reading

  bool empty() const { return errors_.empty(); }
  void add(const Error& error);  // once, however often it is met
  Error together() const;        // the first, and the others as its notes

 private:
  ErrorCollector* outer_;
  std::vector<Error> errors_;
};

// What read() makes. Where values are wrong, an error with all of them: what read() makes of the others, and what it
// throws because of those put in their places, is dropped.
template <typename Read>
auto with_all_errors(const Read& read) {
  const ErrorCollector collector;
  try {
    auto out = read();
    if (collector.empty()) return out;
  } catch (const Error&) {
    if (collector.empty()) throw;
  }
  throw collector.together();
}

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
    return collected([&] { return at(key).as<T>(); }, fitting<T>());
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
    return collected(
        [&] {
          const T value = at(key).as<T>();
          if (!(value > T{0})) throw at(key).expected("a number above 0");
          if (value > most) throw at(key).too_large(most);
          return value;
        },
        fitting<T>());
  }
  template <typename T>
  T get_non_negative(std::string_view key, T most = most_of<T>()) const {
    return collected(
        [&] {
          const T value = at(key).as<T>();
          if (!(value >= T{0})) throw at(key).expected("a number of 0 or more");
          if (value > most) throw at(key).too_large(most);
          return value;
        },
        fitting<T>());
  }
  // One of some names, with a did-you-mean.
  std::string get_choice(std::string_view key, const std::vector<std::string>& allowed) const;

  // Error on the keys of this map that are not among them, at those keys.
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
  // A value that most readers can go on with.
  template <typename T>
  static T fitting() {
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) return T{1};
    return T{};
  }
  template <typename Read, typename T>
  static T collected(const Read& read, T otherwise) {
    ErrorCollector* const collector = ErrorCollector::current();
    if (collector == nullptr) return read();
    try {
      return read();
    } catch (const Error& error) {
      if (error.code() == ErrorCode::internal) throw;
      collector->add(error);
      return otherwise;
    }
  }
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
