// Sizes that a configuration or a published config.json names, as a table: a row for each, which reads it and writes
// it. A size has a name in the original code and one in Hugging Face's: a published file has its own, a group of a
// configuration either, whatever code base runs it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "config/access.h"

namespace modelmeter {

enum class KeyNames { original, published };

template <class T>
struct ConfigField {
  std::string_view original, published;  // "" where one of them has no such key
  std::variant<int64_t T::*, bool T::*, std::string T::*, std::vector<int64_t> T::*, std::vector<bool> T::*> member;

  std::string_view name(KeyNames names) const { return names == KeyNames::original ? original : published; }
};

template <class T>
using ConfigFields = std::vector<ConfigField<T>>;

// The bound of a size: what is built one by one has less room.
inline int64_t most_of(std::string_view name) {
  constexpr int64_t most_residual_blocks = 256;  // of each level of an autoencoder, in both directions
  if (name == "num_res_blocks") return most_residual_blocks;
  const bool one_by_one =
      name.find("layers") != std::string_view::npos || name.find("blocks") != std::string_view::npos || name == "depth";
  return one_by_one ? config::max_layers : config::max_size;
}

// The names of the table's rows, after `keys`.
template <class T>
std::vector<std::string> known_keys(std::vector<std::string> keys, const ConfigFields<T>& fields, KeyNames names) {
  for (const ConfigField<T>& field : fields) {
    if (!field.name(names).empty()) keys.emplace_back(field.name(names));
  }
  return keys;
}
template <class T>
std::vector<std::string> known_keys(std::vector<std::string> keys, const ConfigFields<T>& fields) {
  keys = known_keys(std::move(keys), fields, KeyNames::original);
  return known_keys(std::move(keys), fields, KeyNames::published);
}

// The error of a size that is given by both of its names.
inline void refuse_both(const config::View& view, std::string_view original, std::string_view published) {
  if (original.empty() || published.empty() || original == published) return;
  if (!view.has(original) || !view.has(published)) return;
  throw view.at(published).error("is " + view.at(original).path() + " by its other name, and both are given");
}

// Sets what the node names; null is as absent. Errors at the key: a value of another type, a size below 1.
template <class T>
void read_fields(const config::View& view, const ConfigFields<T>& fields, KeyNames names, T& out) {
  for (const ConfigField<T>& field : fields) {
    const std::string_view name = field.name(names);
    if (name.empty() || !view.has(name)) continue;
    std::visit(
        [&](auto member) {
          using Value = std::remove_reference_t<decltype(out.*member)>;
          if constexpr (std::is_same_v<Value, int64_t>) {
            out.*member = view.get_positive<int64_t>(name, most_of(name));
          } else {
            out.*member = view.get<Value>(name);
          }
        },
        field.member);
  }
}

// The same by either name. Error for a size that has both.
template <class T>
void read_fields(const config::View& view, const ConfigFields<T>& fields, T& out) {
  for (const ConfigField<T>& field : fields) refuse_both(view, field.original, field.published);
  read_fields(view, fields, KeyNames::original, out);
  read_fields(view, fields, KeyNames::published, out);
}

// Of the sizes the first that nothing has set, by its name in the original code; "" where all are there.
template <class T>
std::string_view missing_size(const ConfigFields<T>& fields, const T& value) {
  for (const ConfigField<T>& field : fields) {
    const bool there = std::visit(
        [&](auto member) {
          using Value = std::remove_reference_t<decltype(value.*member)>;
          if constexpr (std::is_same_v<Value, const int64_t>) return value.*member > 0;
          if constexpr (std::is_same_v<Value, const std::vector<int64_t>>) return !(value.*member).empty();
          return true;
        },
        field.member);
    if (!there) return field.original.empty() ? field.published : field.original;
  }
  return "";
}

template <class T>
nlohmann::ordered_json json_of(const T& value, const ConfigFields<T>& fields, KeyNames names) {
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  for (const ConfigField<T>& field : fields) {
    if (field.name(names).empty()) continue;
    std::visit([&](auto member) { out[std::string(field.name(names))] = value.*member; }, field.member);
  }
  return out;
}

}  // namespace modelmeter
