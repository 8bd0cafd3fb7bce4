#include "config/apply_override.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/edit_distance.h"
#include "config/interpolation_parser.h"
#include "config/merge.h"
#include "config/scalar.h"

namespace modelmeter::config {
namespace {

// The node at a key as it stands; nullptr if it is not there.
Node* find(Node& root, const std::vector<std::string>& keys) {
  Node* here = &root;
  for (const std::string& key : keys) {
    if (here->is(Kind::list)) {
      const std::optional<int64_t> index = python_int(key);
      if (!index || *index < 0 || *index >= static_cast<int64_t>(here->items().size())) return nullptr;
      here = &here->items()[static_cast<size_t>(*index)];
    } else {
      here = here->find(key);
      if (!here) return nullptr;
    }
  }
  return here;
}

// Keys near the first part of a path that is not there.
std::vector<std::string> hints(Node& root, const std::vector<std::string>& keys) {
  Node* here = &root;
  for (const std::string& key : keys) {
    if (!here->is(Kind::map)) return {};
    Node* next = here->find(key);
    if (!next) return name_notes(key, here->keys(), "keys here");
    here = next;
  }
  return {};
}

void remove(Node& root, const Override& word) {
  std::vector<std::string> keys = split_key(word.key).keys;
  if (keys.empty()) throw Error("which key is to be deleted?", word.key_mark.span());
  Node* there = find(root, keys);
  if (!there) {
    throw Error(fmt::format("Could not delete from config. '{}' does not exist.", word.key), word.key_mark.span(),
                hints(root, keys));
  }
  const Node wanted = word.node();
  if (!wanted.is(Kind::null) && !equal(wanted, *there)) {
    throw Error(fmt::format("Could not delete from config. The value of '{}' is {} and not {}.", word.key,
                            python_str(*there), python_str(wanted)),
                word.mark.span());
  }
  const std::string last = keys.back();
  keys.pop_back();
  Node* parent = find(root, keys);
  if (parent->is(Kind::list)) {
    parent->items().erase(parent->items().begin() + static_cast<std::ptrdiff_t>(*python_int(last)));
  } else {
    parent->erase(last);
  }
}

// What is at a key before it is added or deleted, behind interpolations, which must lead somewhere.
std::optional<Node> value_there(const Node& root, const Override& word, const Resolvers& resolvers) {
  try {
    return select_as_is(root, word.key, resolvers);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("Error merging override {}: {}", word.text, error.message()),
                word.key_mark.span(), error.notes());
  }
}

void require_keys(const Node& value) {
  if (value.is(Kind::list)) {
    for (const Node& item : value.items()) require_keys(item);
  } else if (value.is(Kind::map)) {
    for (const Entry& entry : value.entries()) {
      if (entry.key.kind == KeyKind::null) throw Error("Incompatible key type 'NoneType'", entry.key_mark.span());
      require_keys(entry.value);
    }
  }
}

void require_interpolations(const Node& value) {
  if (value.is_interpolation()) check_interpolation(value);
  if (value.is(Kind::list)) {
    for (const Node& item : value.items()) require_interpolations(item);
  } else if (value.is(Kind::map)) {
    for (const Entry& entry : value.entries()) require_interpolations(entry.value);
  }
}

void set(Node& root, const Override& word, const Resolvers& resolvers) {
  const Node value = word.node();
  // The one setting of the basic launcher, which Hydra's does not have.
  const bool is_new = word.key == "hydra.launcher.n_jobs";
  const UpdateOptions options{.merge = true,
                              .struct_mode = true,
                              .force_add = is_new || word.kind != OverrideKind::change,
                              .key_mark = word.key_mark};
  try {
    update(root, word.key, value, resolvers, options);
  } catch (const StructError& error) {
    std::vector<std::string> notes = error.notes();
    notes.push_back(error.message());
    notes.push_back(fmt::format("To append to your config use +{}", word.text));
    throw Error(fmt::format("Could not override '{}'.", word.key), error.span(), std::move(notes));
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("Error merging override {}: {}", word.text, error.message()), error.span(),
                error.notes());
  }
}

}  // namespace

void apply_override(Node& root, const Override& word, const Resolvers& resolvers) {
  if (word.package || word.key.find('/') != std::string::npos) {
    throw Error(fmt::format("Override {} looks like a config group override, but config group '{}' does not exist.",
                            word.text, word.key),
                word.key_mark.span());
  }
  if (word.is_sweep()) return;
  if (word.kind == OverrideKind::remove) {
    static_cast<void>(value_there(root, word, resolvers));
    remove(root, word);
    return;
  }
  const Node value = word.node();
  require_keys(value);
  require_interpolations(value);
  if (word.kind == OverrideKind::add) {
    const std::optional<Node> there = value_there(root, word, resolvers);
    if (there && !value.is_container() && !there->is(Kind::null) && !there->is(Kind::missing)) {
      throw Error(fmt::format("Could not append to config. An item is already at '{}'.", word.key),
                  word.key_mark.span(),
                  {fmt::format("Either remove + prefix: '{}'", word.text.substr(1)),
                   fmt::format("Or add a second + to add or override '{}': '+{}'", word.key, word.text)});
    }
  }
  set(root, word, resolvers);
}

}  // namespace modelmeter::config
