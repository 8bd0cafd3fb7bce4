#include "config/group_choices.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/edit_distance.h"
#include "config/option_notes.h"
#include "config/scalar.h"

namespace modelmeter::config {
namespace {

std::string option_text(const Node& value) {
  DefaultItem item;
  item.value = value;
  return item.option();
}

bool names_options(const Node& value) {
  return value.is(Kind::string) ||
         (value.is(Kind::list) && std::all_of(value.items().begin(), value.items().end(),
                                              [](const Node& option) { return option.is(Kind::string); }));
}

}  // namespace

GroupChoices::GroupChoices(const Repository& repository, const std::vector<Override>& overrides,
                           std::vector<const Override*>& config_overrides) {
  for (const Override& word : overrides) {
    if (word.is_sweep()) continue;
    if (word.node().is(Kind::map) || !repository.has_group(word.key)) {
      config_overrides.push_back(&word);
    } else {
      add(repository, word);
    }
  }
}

void GroupChoices::add(const Repository& repository, const Override& word) {
  if (word.kind == OverrideKind::force_add) {
    throw Error(fmt::format("force-add of config groups is not supported: '{}'", word.text), word.mark.span());
  }
  if (word.kind == OverrideKind::remove) {
    add_deletion(word);
    return;
  }
  const Node value = word.node();
  if (!names_options(value)) {
    throw Error(fmt::format("Config group override must be a string or a list of strings. Got {}", python_str(value)),
                word.mark.span(), option_notes(repository, word.key));
  }
  DefaultItem item;
  item.name = word.key;
  if (word.kind == OverrideKind::add) {
    item.form = DefaultItem::Form::group;
    item.package = word.package;
    item.appended = true;
    item.mark = word.mark;
    set_option(item, value);
    appended_.push_back(std::move(item));
    return;
  }
  // `group=sub/option` chooses in group/sub.
  set_option(item, value);
  const std::string key = word.package ? fmt::format("{}@{}", item.name, *word.package) : item.name;
  choices_.erase(key);  // the last word counts, at the place of the first
  choose(key, {item.value, "", word.key_mark, word.key_element(), false});
}

void GroupChoices::choose(const std::string& key, Choice choice) {
  if (!choices_.emplace(key, std::move(choice)).second) return;
  if (std::find(chosen_.begin(), chosen_.end(), key) == chosen_.end()) chosen_.push_back(key);
}

void GroupChoices::add_deletion(const Override& word) {
  const Node value = word.node();
  if (word.value && !value.is(Kind::string) && !value.is(Kind::null)) {
    throw Error(fmt::format("Config group override deletion value must be a string : {}", word.text), word.mark.span());
  }
  std::optional<std::string> option;
  if (value.is(Kind::string)) option = value.as_string();
  const std::string key = word.key_element();
  if (deletions_.count(key) == 0) deleted_.push_back(key);
  deletions_[key] = {std::move(option), word.key_mark, false};
}

void GroupChoices::add_from_file(const DefaultItem& item, const std::string& containing_config) {
  if (item.value.is(Kind::missing)) return;
  choose(item.override_key(), {item.value, containing_config, item.mark, item.override_key(), false});
}

void GroupChoices::apply(DefaultItem& item) {
  const auto found = choices_.find(item.override_key());
  if (found == choices_.end()) return;
  found->second.used = true;
  item.replaced = item.value.is(Kind::string) ? item.value.as_string() : "";
  set_option(item, found->second.value);
}

bool GroupChoices::deletes(const DefaultItem& item) {
  const auto found = deletions_.find(item.override_key());
  if (found == deletions_.end()) return false;
  if (found->second.option && *found->second.option != item.option()) return false;
  found->second.used = true;
  return true;
}

void GroupChoices::set_known(const DefaultItem& item) {
  const std::string key = item.override_key();
  const auto [place, added] = known_.emplace(key, item.option());
  if (added) {
    in_order_.emplace_back(key, item.option());
  } else if (place->second != item.option()) {
    if (item.appended || appends(key)) {
      throw Error(fmt::format("Multiple values for {}.", key), item.mark.span(),
                  {fmt::format("the defaults list has it: to choose another one leave the '+' out: {}=<OPTION>", key)});
    }
    throw Error(
        fmt::format("Multiple values for {}. To override a value use 'override {}: {}'", key, key, place->second),
        item.mark.span());
  }
  keys_of_group_[item.group_path()].insert(key);
}

void GroupChoices::require_all_used() const {
  for (const std::string& key : chosen_) {
    const Choice& choice = choices_.at(key);
    if (!choice.used) fail_unused(key, choice);
  }
  for (const std::string& key : deleted_) {
    const Deletion& deletion = deletions_.at(key);
    if (deletion.used) continue;
    const std::string what = deletion.option ? fmt::format("{}={}", key, *deletion.option) : key;
    throw Error(fmt::format("Could not delete '{}'. No match in the defaults list", what), deletion.mark.span(),
                name_notes(key, known_keys(), "groups in the defaults list"));
  }
}

void GroupChoices::fail_unused(const std::string& key, const Choice& choice) const {
  if (!choice.containing_config.empty()) {
    std::vector<std::string> notes;
    if (std::string hint = did_you_mean(key, known_keys()); !hint.empty()) notes.push_back(std::move(hint));
    notes.push_back("an override reaches only what stands before it; groups of the top level begin with '/'");
    throw Error(fmt::format("In '{}': Invalid Defaults List override '{}: {}'.\n"
                            "No earlier Group Default for '{}' exists to override.",
                            choice.containing_config, key, option_text(choice.value), key),
                choice.mark.span(), std::move(notes));
  }
  const std::vector<std::string> near = keys_of(key.substr(0, key.find('@')));
  std::string message = fmt::format("Could not override '{}'.", choice.relative_key);
  std::vector<std::string> notes;
  if (near.empty()) {
    message += " No match in the defaults list.";
  } else if (near.size() == 1) {
    notes.push_back(fmt::format("Did you mean to override {}?", near[0]));
  } else {
    notes.push_back(fmt::format("Did you mean to override one of {}?", fmt::join(near, ", ")));
  }
  notes.push_back(fmt::format("To append to your default list use +{}={}", key, option_text(choice.value)));
  throw Error(std::move(message), choice.mark.span(), std::move(notes));
}

bool GroupChoices::appends(const std::string& key) const {
  return std::any_of(appended_.begin(), appended_.end(),
                     [&](const DefaultItem& item) { return item.override_key() == key; });
}

std::vector<std::string> GroupChoices::keys_of(const std::string& group) const {
  const auto found = keys_of_group_.find(group);
  if (found == keys_of_group_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

std::vector<std::string> GroupChoices::known_keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, option] : known_) keys.push_back(key);
  return keys;
}

}  // namespace modelmeter::config
