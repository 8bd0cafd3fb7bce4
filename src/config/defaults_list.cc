#include "config/defaults_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "base/edit_distance.h"
#include "config/default_item.h"
#include "config/limits.h"
#include "config/scalar.h"

namespace modelmeter::config {
namespace {

std::string join(const std::vector<std::string>& names, std::string_view separator = ", ") {
  return fmt::format("{}", fmt::join(names, separator));
}

// What an option rests on: the option of its group that its list names first, and so on. The presets of a model rest on
// one that has what they share.
std::string base_of(const Repository& repository, const std::string& group, std::string option) {
  constexpr int deepest = 10;
  for (int depth = 0; depth < deepest; ++depth) {
    const std::optional<ConfigFile> file = repository.load(fmt::format("{}/{}", group, option));
    const Node* list = file ? file->content.find("defaults") : nullptr;
    if (list == nullptr || !list->is(Kind::list) || list->items().empty()) break;
    const Node& first = list->items()[0];
    if (!first.is(Kind::string) || first.as_string() == "_self_") break;
    if (!repository.has_config(group + "/" + first.as_string())) break;
    option = first.as_string();
  }
  return option;
}

// The options of a group as notes of an error, one a line: those that rest on what the replaced one does, where there
// are more than that one.
std::vector<std::string> option_notes(const Repository& repository, const std::string& group,
                                      std::string_view typed = "", const std::string& replaced = "") {
  const std::vector<std::string> options = repository.options(group);
  std::vector<std::string> notes;
  if (std::string hint = did_you_mean_model(typed, options); !hint.empty()) notes.push_back(std::move(hint));
  if (options.empty()) return notes;
  std::vector<std::string> alike;
  try {
    const std::string base = replaced.empty() ? "" : base_of(repository, group, replaced);
    std::copy_if(options.begin(), options.end(), std::back_inserter(alike), [&](const std::string& option) {
      return option != base && base_of(repository, group, option) == base;
    });
    if (!alike.empty() && replaced == base) alike.insert(alike.begin(), base);
  } catch (const Error&) {  // a file that cannot be read
    alike.clear();
  }
  const bool some = alike.size() > 1 && alike.size() < options.size();
  notes.push_back(fmt::format("Available options in '{}'{}:\n  {}", group,
                              some ? fmt::format(" that go with what '{}' is for", replaced) : "",
                              join(some ? alike : options, "\n  ")));
  return notes;
}

void add_search_path(const Repository& repository, std::vector<std::string>& notes) {
  std::vector<std::string> entries;
  for (const SearchPathEntry& entry : repository.search_path()) {
    entries.push_back(fmt::format("{} ({})", entry.path, entry.provider));
  }
  notes.push_back("Config search path: " + join(entries));
}

// What the command line and `override` lines decide about groups, and whether it was put to use.
class Choices {
 public:
  Choices(const Repository& repository, const std::vector<Override>& overrides, DefaultsList& out)
      : repository_(repository), out_(out) {
    for (const Override& override_word : overrides) {
      if (!override_word.is_sweep()) add(override_word);
    }
  }

  const std::vector<DefaultItem>& appended() const { return appended_; }

  // The first that is registered for a key stays: the command line, then the last in depth-first order.
  void add_from_file(const DefaultItem& item, const std::string& containing_config) {
    if (item.value.is(Kind::missing)) return;
    choices_.emplace(item.override_key(), Choice{item.value, containing_config, item.mark, item.override_key(), false});
  }

  void apply(DefaultItem& item) {
    const auto found = choices_.find(item.override_key());
    if (found == choices_.end()) return;
    found->second.used = true;
    item.replaced = item.value.is(Kind::string) ? item.value.as_string() : "";
    set_option(item, found->second.value);
  }

  bool deletes(const DefaultItem& item) {
    const auto found = deletions_.find(item.override_key());
    if (found == deletions_.end()) return false;
    if (found->second.option && *found->second.option != item.option()) return false;
    found->second.used = true;
    return true;
  }

  void set_known(const DefaultItem& item) {
    const std::string key = item.override_key();
    const auto [place, added] = known_.emplace(key, item.option());
    if (added) {
      out_.choices.emplace_back(key, item.option());
    } else if (place->second != item.option()) {
      if (item.appended || appends(key)) {
        throw Error(
            fmt::format("Multiple values for {}.", key), item.mark.span(),
            {fmt::format("the defaults list has it: to choose another one leave the '+' out: {}=<OPTION>", key)});
      }
      throw Error(
          fmt::format("Multiple values for {}. To override a value use 'override {}: {}'", key, key, place->second),
          item.mark.span());
    }
    keys_of_group_[item.group_path()].insert(key);
  }

  const std::map<std::string, std::string>& known() const { return known_; }

  void require_all_used() const {
    for (const auto& [key, choice] : choices_) {
      if (choice.used) continue;
      if (!choice.containing_config.empty()) {
        std::vector<std::string> notes;
        if (std::string hint = did_you_mean(key, known_keys()); !hint.empty()) notes.push_back(std::move(hint));
        notes.push_back("an override reaches only what stands before it; groups of the top level begin with '/'");
        throw Error(fmt::format("In '{}': Invalid Defaults List override '{}: {}'.\n"
                                "No earlier Group Default for '{}' exists to override.",
                                choice.containing_config, key, text(choice.value), key),
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
        notes.push_back(fmt::format("Did you mean to override one of {}?", join(near)));
      }
      notes.push_back(fmt::format("To append to your default list use +{}={}", key, text(choice.value)));
      throw Error(std::move(message), choice.mark.span(), std::move(notes));
    }
    for (const auto& [key, deletion] : deletions_) {
      if (deletion.used) continue;
      const std::string what = deletion.option ? fmt::format("{}={}", key, *deletion.option) : key;
      throw Error(fmt::format("Could not delete '{}'. No match in the defaults list", what), deletion.mark.span(),
                  name_notes(key, known_keys(), "groups in the defaults list"));
    }
  }

 private:
  struct Choice {
    Node value;
    std::string containing_config;  // "" is the command line
    Mark mark;
    std::string relative_key;
    bool used = false;
  };
  struct Deletion {
    std::optional<std::string> option;
    Mark mark;
    bool used = false;
  };

  bool appends(const std::string& key) const {
    return std::any_of(appended_.begin(), appended_.end(),
                       [&](const DefaultItem& item) { return item.override_key() == key; });
  }

  static std::string text(const Node& value) {
    DefaultItem item;
    item.value = value;
    return item.option();
  }

  void add(const Override& word) {
    const Node value = word.node();
    if (value.is(Kind::map) || !repository_.has_group(word.key)) {
      out_.config_overrides.push_back(&word);
      return;
    }
    const bool is_option =
        value.is(Kind::string) ||
        (value.is(Kind::list) && std::all_of(value.items().begin(), value.items().end(),
                                             [](const Node& option) { return option.is(Kind::string); }));
    if (word.kind == OverrideKind::force_add) {
      throw Error(fmt::format("force-add of config groups is not supported: '{}'", word.text), word.mark.span());
    }
    if (word.kind == OverrideKind::remove) {
      if (word.value && !value.is(Kind::string) && !value.is(Kind::null)) {
        throw Error(fmt::format("Config group override deletion value must be a string : {}", word.text),
                    word.mark.span());
      }
      std::optional<std::string> option;
      if (value.is(Kind::string)) option = value.as_string();
      deletions_[word.key_element()] = {std::move(option), word.key_mark, false};
      return;
    }
    if (!is_option) {
      throw Error(fmt::format("Config group override must be a string or a list of strings. Got {}", python_str(value)),
                  word.mark.span(), option_notes(repository_, word.key));
    }
    if (word.kind == OverrideKind::add) {
      DefaultItem item;
      item.form = DefaultItem::Form::group;
      item.name = word.key;
      item.package = word.package;
      item.appended = true;
      item.mark = word.mark;
      set_option(item, value);
      appended_.push_back(std::move(item));
      return;
    }
    // `group=sub/option` chooses in group/sub.
    DefaultItem item;
    item.name = word.key;
    set_option(item, value);
    const std::string key = word.package ? fmt::format("{}@{}", item.name, *word.package) : item.name;
    choices_[key] = {item.value, "", word.key_mark, word.key_element(), false};
  }

  std::vector<std::string> keys_of(const std::string& group) const {
    const auto found = keys_of_group_.find(group);
    if (found == keys_of_group_.end()) return {};
    return {found->second.begin(), found->second.end()};
  }

  std::vector<std::string> known_keys() const {
    std::vector<std::string> keys;
    for (const auto& [key, option] : known_) keys.push_back(key);
    return keys;
  }

  const Repository& repository_;
  DefaultsList& out_;
  std::map<std::string, Choice> choices_;
  std::map<std::string, Deletion> deletions_;
  std::map<std::string, std::string> known_;
  std::map<std::string, std::set<std::string>> keys_of_group_;
  std::vector<DefaultItem> appended_;
};

struct TreeNode {
  DefaultItem item;
  TreeNode* parent = nullptr;
  std::vector<std::unique_ptr<TreeNode>> children;
  bool removed = false;  // deleted, or optional and not found: in the tree, but not in the list
  bool is_primary = false;

  std::string config_path() const { return parent ? item.config_path() : "<root>"; }
};

class Builder {
 public:
  Builder(ConfigCache& configs, const std::vector<Override>& overrides, bool skip_missing)
      : configs_(configs), choices_(configs.repository(), overrides, out_), skip_missing_(skip_missing) {}

  DefaultsList build(const std::string& config_name) {
    // The tree is walked from its end, so that an override reaches all that stands before it.
    for (const char* name : {config_name.c_str(), "hydra/config"}) {
      auto node = std::make_unique<TreeNode>();
      node->item = DefaultItem::config(name);
      node->parent = &root_;
      node->is_primary = root_.children.empty();
      root_.children.push_back(std::move(node));
      expand(*root_.children.back(), false);
    }
    std::reverse(root_.children.begin(), root_.children.end());
    expand_interpolations();
    choices_.require_all_used();
    for (const auto& child : root_.children) {
      flatten(*child);
      out_.trees.push_back(to_tree(*child));
    }
    require_no_duplicates();
    return std::move(out_);
  }

 private:
  void expand(TreeNode& node, bool in_interpolation) {
    DefaultItem& item = node.item;
    require_bounds(node);
    if (item.is_group()) {
      if (choices_.deletes(item)) {
        node.removed = true;
        return;
      }
      choices_.set_known(item);
      if (item.value.is(Kind::null)) return;
      if (item.value.is(Kind::missing)) {
        if (skip_missing_) return;
        throw must_specify(item);
      }
    }
    const ConfigFile* file = configs_.load(item.config_path());
    if (!file) {
      if (item.optional) {
        node.removed = true;
        return;
      }
      throw not_found(node);
    }
    item.header_package = file->package;
    std::vector<DefaultItem> list = read_defaults(*file, item.config_path());
    complete(list, node);
    check_order(list, node, in_interpolation);
    for (auto it = list.rbegin(); it != list.rend(); ++it) add_child(node, std::move(*it), in_interpolation);
    std::reverse(node.children.begin(), node.children.end());
  }

  // A list that leads back to itself has no end.
  void require_bounds(const TreeNode& node) {
    if (++configs_expanded_ > max_configs) {
      throw Error(
          fmt::format("In '{}': the defaults lists name more than {} configs", node.parent->config_path(), max_configs),
          node.item.mark.span());
    }
    size_t depth = 0;
    for (const TreeNode* above = node.parent; above->parent != nullptr; above = above->parent) ++depth;
    if (depth > max_defaults_depth) throw endless(node);
  }

  static Error endless(const TreeNode& node) {
    constexpr size_t most_shown = 5;
    std::vector<std::string> path;
    for (const TreeNode* above = &node; above->parent != nullptr; above = above->parent) {
      path.push_back(above->config_path());
    }
    const auto again = std::find(path.begin() + 1, path.end(), path.front());
    const auto shown =
        std::min<std::ptrdiff_t>(again == path.end() ? most_shown : again - path.begin() + 1, most_shown);
    path.resize(static_cast<size_t>(shown));
    std::reverse(path.begin(), path.end());
    return Error(fmt::format("defaults lists lead to each other more than {} deep", max_defaults_depth),
                 node.item.mark.span(), {fmt::format("… {}", join(path, " -> "))});
  }

  // Adds `_self_` where it is not written, and what the command line appends.
  void complete(std::vector<DefaultItem>& list, const TreeNode& node) const {
    const auto& appended = choices_.appended();
    const bool appends = node.is_primary && !appended.empty();
    const auto adds_content = [](const DefaultItem& item) { return !item.override_word; };
    const bool has_content = std::any_of(list.begin(), list.end(), adds_content);
    const bool has_self = std::any_of(list.begin(), list.end(),
                                      [](const DefaultItem& item) { return item.form == DefaultItem::Form::self; });
    if ((has_content || appends) && !has_self) {
      DefaultItem self;
      self.form = DefaultItem::Form::self;
      // Overrides stay at the end, so that their order is checked as it was written.
      const auto end =
          std::find_if(list.begin(), list.end(), [](const DefaultItem& item) { return item.override_word; });
      list.insert(end, std::move(self));
    }
    if (node.is_primary) list.insert(list.end(), appended.begin(), appended.end());
  }

  void place(DefaultItem& item, const TreeNode& parent) const {
    item.parent_group = parent.item.group_path();
    item.parent_package = parent.item.final_package();
  }

  void check_order(std::vector<DefaultItem>& list, const TreeNode& node, bool in_interpolation) const {
    const DefaultItem* last_override = nullptr;
    for (DefaultItem& item : list) {
      place(item, node);
      if (item.form == DefaultItem::Form::self) continue;
      if (item.override_word) {
        if (in_interpolation) {
          throw Error(fmt::format("{}: Default List Overrides are not allowed in the subtree\n"
                                  "of an in interpolated config group (override {}={}).",
                                  node.config_path(), item.override_key(), item.option()),
                      item.mark.span());
        }
        last_override = &item;
      } else if (last_override && !item.appended) {
        throw Error(
            fmt::format("In {}: Override '{} : {}' is defined before '{}'.\n"
                        "Overrides must be at the end of the defaults list",
                        node.config_path(), last_override->override_key(), last_override->option(), item.text()),
            item.mark.span());
      }
    }
  }

  void add_child(TreeNode& parent, DefaultItem item, bool in_interpolation) {
    if (item.override_word) {
      choices_.add_from_file(item, parent.config_path());
      return;
    }
    if (item.is_group()) choices_.apply(item);
    if (!item.is_options()) {
      add_node(parent, std::move(item), in_interpolation);
    } else if (!choices_.deletes(item)) {
      add_options(parent, item, in_interpolation);
    }
  }

  // `group: [a, b]` stands for the configs group/a and group/b at the package of the group.
  void add_options(TreeNode& parent, const DefaultItem& item, bool in_interpolation) {
    for (auto option = item.value.items().rbegin(); option != item.value.items().rend(); ++option) {
      if (option->is_interpolation()) {
        throw Error(fmt::format("In '{}': Defaults List interpolation is not supported in options list items",
                                parent.config_path()),
                    option->span());
      }
      DefaultItem one = item;
      one.form = DefaultItem::Form::config;
      one.name = item.name + "/" + option->as_string();
      one.mark = option->mark();
      add_node(parent, std::move(one), in_interpolation);
    }
  }

  void add_node(TreeNode& parent, DefaultItem item, bool in_interpolation) {
    parent.children.push_back(std::make_unique<TreeNode>());
    TreeNode& node = *parent.children.back();
    node.parent = &parent;
    node.item = std::move(item);
    if (node.item.form == DefaultItem::Form::self) return;
    if (node.item.is_interpolation()) {
      pending_.push_back(&node);
    } else {
      expand(node, in_interpolation);
    }
  }

  // Options with `${group}`: when everything else is known. They may lead to further ones.
  void expand_interpolations() {
    while (!pending_.empty()) {
      std::vector<TreeNode*> now;
      std::swap(now, pending_);
      bool progress = false;
      for (TreeNode* node : now) {
        if (!substitute(*node, false)) {
          pending_.push_back(node);
          continue;
        }
        progress = true;
        place(node->item, *node->parent);
        expand(*node, true);
      }
      if (!progress) substitute(*pending_.front(), true);
    }
  }

  // Puts known options in the place of `${key}`; false if one is not known.
  bool substitute(TreeNode& node, bool strict) const {
    DefaultItem& item = node.item;
    const std::string text = item.is_group() ? item.value.as_string() : item.name;
    std::string out;
    for (size_t at = 0; at < text.size();) {
      const size_t begin = text.find("${", at);
      out += text.substr(at, begin == std::string::npos ? begin : begin - at);
      if (begin == std::string::npos) break;
      const size_t end = text.find('}', begin);
      const std::string key = text.substr(begin + 2, end == std::string::npos ? end : end - begin - 2);
      if (key.compare(0, 9, "defaults.") == 0) {
        throw Error(fmt::format("Defaults list element '{}={}' is using a deprecated interpolation form.",
                                item.is_group() ? item.override_key() : item.name, text),
                    item.mark.span(), {"name the group itself: ${group}"});
      }
      if (key.find(':') != std::string::npos || end == std::string::npos) {
        throw Error(fmt::format("In '{}': resolvers are not supported in a defaults list: '{}'",
                                node.parent->config_path(), text),
                    item.mark.span());
      }
      const auto known = choices_.known().find(key);
      if (known == choices_.known().end()) {
        if (!strict) return false;
        std::vector<std::string> keys;
        for (const auto& [name, option] : choices_.known()) {
          if (name.compare(0, 6, "hydra/") != 0) keys.push_back(name);
        }
        throw Error(fmt::format("In '{}': Error resolving interpolation '{}', possible interpolation keys: {}",
                                node.parent->config_path(), text, join(keys)),
                    item.mark.span(), name_notes(key, keys));
      }
      out += known->second;
      at = end + 1;
    }
    if (item.is_group()) {
      set_option(item, Node::string(std::move(out), item.value.mark()));
    } else {
      item.name = std::move(out);
    }
    return true;
  }

  Error must_specify(const DefaultItem& item) const {
    const std::string key = item.override_key();
    return Error(fmt::format("You must specify '{}', e.g, {}=<OPTION>", key, key), item.mark.span(),
                 option_notes(configs_.repository(), item.group_path()));
  }

  Error not_found(const TreeNode& node) const {
    const DefaultItem& item = node.item;
    const Repository& repository = configs_.repository();
    std::vector<std::string> notes;
    std::string message;
    if (node.parent == &root_) {
      const std::string group = item.group_path();
      message = fmt::format("Cannot find primary config '{}'. Check that it's in your config search path.", item.name);
      std::string typed = item.config_path().substr(group.empty() ? 0 : group.size() + 1);
      notes = model_notes(typed, repository.options(group), "available configs");
    } else if (item.is_group() || !item.group_path().empty()) {
      message = fmt::format("In '{}': Could not find '{}'", node.parent->config_path(), item.config_path());
      const size_t slash = item.config_path().rfind('/');
      notes = option_notes(repository, item.group_path(), item.config_path().substr(slash + 1), item.replaced);
    } else {
      message = fmt::format("In '{}': Could not load '{}'.", node.parent->config_path(), item.config_path());
      notes = model_notes(item.config_path(), repository.options(""), "available configs");
    }
    add_search_path(repository, notes);
    const Mark& mark = item.is_group() && item.value.mark().source ? item.value.mark() : item.mark;
    return Error(std::move(message), mark.span(), std::move(notes));
  }

  void flatten(const TreeNode& node) {
    if (node.removed) return;
    if (node.children.empty()) {
      const DefaultItem& item = node.item;
      if (item.is_group() && !item.value.is(Kind::string)) return;
      add_entry(node, false);
      return;
    }
    for (const auto& child : node.children) {
      if (child->item.form == DefaultItem::Form::self) {
        add_entry(node, true);
      } else {
        flatten(*child);
      }
    }
  }

  void add_entry(const TreeNode& node, bool is_self) {
    const std::string path = node.config_path();
    if (path == kEmptyConfig) return;
    out_.entries.push_back({path, node.item.final_package(), is_self, node.parent->config_path()});
    if (node.item.is_group() && !is_self) keys_.push_back(node.item.override_key());
  }

  void require_no_duplicates() const {
    std::set<std::string> seen;
    for (const std::string& key : keys_) {
      if (!seen.insert(key).second) {
        throw Error(fmt::format("{} appears more than once in the final defaults list", key), {},
                    {fmt::format("to change what is chosen, leave the '+' out: {}=<OPTION>", key)});
      }
    }
  }

  static DefaultsTree to_tree(const TreeNode& node) {
    DefaultsTree out;
    out.text = node.item.text();
    for (const auto& child : node.children) out.children.push_back(to_tree(*child));
    return out;
  }

  ConfigCache& configs_;
  DefaultsList out_;
  Choices choices_;
  bool skip_missing_;
  TreeNode root_;
  std::vector<TreeNode*> pending_;
  std::vector<std::string> keys_;
  size_t configs_expanded_ = 0;
};

}  // namespace

std::vector<std::string> DefaultsTree::lines(int depth) const {
  std::vector<std::string> out;
  out.push_back(std::string(static_cast<size_t>(depth) * 2, ' ') + text + (children.empty() ? "" : ":"));
  for (const DefaultsTree& child : children) {
    for (std::string& line : child.lines(depth + 1)) out.push_back(std::move(line));
  }
  return out;
}

DefaultsList build_defaults_list(ConfigCache& configs, std::string_view config_name,
                                 const std::vector<Override>& overrides, bool skip_missing) {
  return Builder(configs, overrides, skip_missing).build(std::string(config_name));
}

}  // namespace modelmeter::config
