#include "config/defaults_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <set>

#include "base/edit_distance.h"
#include "config/default_item.h"
#include "config/group_choices.h"
#include "config/limits.h"
#include "config/option_notes.h"

namespace modelmeter::config {
namespace {

std::string join(const std::vector<std::string>& names, std::string_view separator = ", ") {
  return fmt::format("{}", fmt::join(names, separator));
}

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
      : configs_(configs),
        choices_(configs.repository(), overrides, out_.config_overrides),
        skip_missing_(skip_missing) {}

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
    for (const auto& child : root_.children) {
      flatten(*child);
      out_.trees.push_back(to_tree(*child));
    }
    require_no_duplicates();
    choices_.require_all_used();
    out_.choices = choices_.in_order();
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
    // Overrides first: they reach what the command line appends behind them too.
    for (auto it = list.rbegin(); it != list.rend(); ++it) {
      if (it->override_word) choices_.add_from_file(*it, node.config_path());
    }
    for (auto it = list.rbegin(); it != list.rend(); ++it) {
      if (!it->override_word) add_child(node, std::move(*it), in_interpolation);
    }
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
    Mark mark = item.is_group() && item.value.mark().source ? item.value.mark() : item.mark;
    if (node.parent == &root_) {
      const std::string group = item.group_path();
      message = fmt::format("Cannot find primary config '{}'. Check that it's in your config search path.", item.name);
      std::string typed = item.config_path().substr(group.empty() ? 0 : group.size() + 1);
      notes = model_notes(typed, repository.options(group), "available configs");
    } else if (item.is_group() || !item.group_path().empty()) {
      message = fmt::format("In '{}': Could not find '{}'", node.parent->config_path(), item.config_path());
      const std::string option = item.config_path().substr(item.config_path().rfind('/') + 1);
      if (std::string instead = instead_of_plugin(item.group_path(), option); !instead.empty()) {
        return Error(fmt::format("{}={}: this plugin of Hydra is not part of modelmeter", item.group_path(), option),
                     mark.span(), {std::move(instead)});
      }
      if (item.is_group() && !repository.has_group(item.group_path())) {
        // The group is wrong, not its option.
        mark = item.mark;
        const size_t parent = item.group_path().rfind('/');
        const std::string above = parent == std::string::npos ? "" : item.group_path().substr(0, parent);
        notes = name_notes(item.group_path().substr(parent + 1), repository.groups(above), "groups");
      } else {
        notes = option_notes(repository, item.group_path(), option, item.replaced);
      }
    } else {
      message = fmt::format("In '{}': Could not load '{}'.", node.parent->config_path(), item.config_path());
      notes = model_notes(item.config_path(), repository.options(""), "available configs");
    }
    notes.push_back(search_path_note(repository));
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
  GroupChoices choices_;
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
