#include "config/default_item.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "base/edit_distance.h"
#include "config/override.h"
#include "config/scalar.h"

namespace modelmeter::config {
namespace {

constexpr std::string_view kGlobal = "_global_";

std::string dots(std::string path) {
  std::replace(path.begin(), path.end(), '/', '.');
  return path;
}

std::string without_slash(const std::string& path) { return !path.empty() && path[0] == '/' ? path.substr(1) : path; }

std::string python_type(const Node& node) {
  switch (node.kind()) {
    case Kind::null: return "NoneType";
    case Kind::boolean: return "bool";
    case Kind::integer: return "int";
    case Kind::floating: return "float";
    case Kind::list: return "list";
    case Kind::map: return "dict";
    case Kind::missing:
    case Kind::string: break;
  }
  return "str";
}

void check_path(const std::string& path, const Mark& mark) {
  std::istringstream parts(path);
  for (std::string part; std::getline(parts, part, '/');) {
    if (part == "..") throw Error(fmt::format("'..' is not supported in a defaults list: '{}'", path), mark.span());
  }
  if (path.find('\\') != std::string::npos) {
    throw Error(fmt::format("backslashes are not supported in a defaults list: '{}'", path), mark.span());
  }
}

// NAME@PACKAGE
void split_package(const std::string& text, DefaultItem& item) {
  const size_t at = text.find('@');
  item.name = text.substr(0, at);
  if (at != std::string::npos) item.package = text.substr(at + 1);
  if (item.package && item.package->find("_name_") != std::string::npos) {
    throw Error(fmt::format("'_name_' in a package is no longer supported: '{}'", text), item.mark.span(),
                {"write the package itself"});
  }
  check_path(item.name, item.mark);
}

DefaultItem read_group(const Node& node, const std::string& config_path) {
  const Map& entries = node.entries();
  if (entries.size() > 1) {
    throw Error(fmt::format("In {}: Too many keys in default item {}", config_path, python_str(node)), node.span());
  }
  if (entries.empty()) throw Error(fmt::format("In {}: Missing group name in {{}}", config_path), node.span());
  const Entry& entry = entries[0];
  DefaultItem item;
  item.form = DefaultItem::Form::group;
  item.mark = entry.key_mark;
  std::istringstream stream(entry.key.text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  if (words.empty()) throw Error(fmt::format("In {}: Missing group name", config_path), item.mark.span());
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "optional") {
      item.optional = true;
    } else if (words[i] == "override") {
      item.override_word = true;
    } else {
      throw Error(fmt::format("In '{}': Unsupported keyword '{}' in defaults list", config_path, words[i]),
                  item.mark.span(), name_notes(words[i], {"optional", "override"}, "keywords"));
    }
  }
  split_package(words.back(), item);
  const Node& value = entry.value;
  const bool known = value.is(Kind::null) || value.is(Kind::missing) || value.is(Kind::string) ||
                     (value.is(Kind::list) && std::all_of(value.items().begin(), value.items().end(),
                                                          [](const Node& option) { return option.is(Kind::string); }));
  if (!known) {
    throw Error(fmt::format("In '{}': Unsupported option of type {} for '{}' in the defaults list", config_path,
                            python_type(value), item.name),
                value.span(), {"an option is the name of a config; put it in quotes if it looks like a number"});
  }
  set_option(item, value);
  return item;
}

}  // namespace

void set_option(DefaultItem& item, Node value) {
  if (value.is(Kind::string) && !value.is_interpolation()) {
    const std::string& option = value.as_string();
    check_path(option, value.mark());
    if (const size_t slash = option.rfind('/'); slash != std::string::npos) {
      item.name += "/" + option.substr(0, slash);
      value = Node::string(option.substr(slash + 1), value.mark());
    }
  }
  item.value = std::move(value);
}

DefaultItem DefaultItem::config(std::string path) {
  DefaultItem item;
  item.name = std::move(path);
  return item;
}

bool DefaultItem::is_interpolation() const {
  return is_group() ? value.is_interpolation() : name.find("${") != std::string::npos;
}

std::string DefaultItem::option() const {
  if (value.is(Kind::null)) return "null";
  if (value.is(Kind::list)) return to_override(value);
  return python_str(value);
}

std::string DefaultItem::last_name() const {
  if (is_group()) return option();
  const size_t slash = name.rfind('/');
  return slash == std::string::npos ? name : name.substr(slash + 1);
}

std::string DefaultItem::relative_group() const {
  std::string path = without_slash(name);
  if (is_group()) return path;
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string DefaultItem::group_path() const {
  std::string group = relative_group();
  if (parent_group.empty() || appended || (!name.empty() && name[0] == '/')) return group;
  return group.empty() ? parent_group : parent_group + "/" + group;
}

std::string DefaultItem::config_path() const {
  const std::string group = group_path();
  return group.empty() ? last_name() : group + "/" + last_name();
}

std::string DefaultItem::final_package(bool use_header) const {
  std::string own;
  if (package) {
    own = *package == "_here_" ? "" : *package;
    if (const size_t at = own.find("_group_"); at != std::string::npos) {
      own = fmt::format("{}.{}{}{}", kGlobal, own.substr(0, at), dots(group_path()), own.substr(at + 7));
    }
  } else if (use_header && header_package) {
    own = header_package->compare(0, kGlobal.size(), kGlobal) == 0 ? *header_package
                                                                   : fmt::format("{}.{}", kGlobal, *header_package);
  } else {
    own = dots(relative_group());
  }
  std::string full = parent_package.empty() ? own
                     : own.empty()          ? parent_package
                                            : fmt::format("{}.{}", parent_package, own);
  const size_t global = full.rfind(kGlobal);
  if (global == std::string::npos) return full;
  const size_t rest = global + kGlobal.size() + 1;
  return rest < full.size() ? full.substr(rest) : "";
}

std::string DefaultItem::override_key() const {
  std::string key = group_path();
  const std::string package_path = final_package(false);
  if (package_path == dots(key)) return key;
  return fmt::format("{}@{}", key, package_path.empty() ? std::string(kGlobal) : package_path);
}

std::string DefaultItem::text() const {
  switch (form) {
    case Form::self: return "_self_";
    case Form::config: return config_path();
    case Form::group: break;
  }
  return fmt::format("{}: {}", override_key(), option());
}

std::vector<DefaultItem> read_defaults(const ConfigFile& file, const std::string& config_path) {
  const Node* defaults = file.content.find("defaults");
  if (!defaults) return {};
  if (!defaults->is(Kind::list)) {
    throw Error(fmt::format("Invalid defaults list in '{}', defaults must be a list (got {})", config_path,
                            defaults->is(Kind::map) ? "mapping" : python_type(*defaults)),
                defaults->span(), {"write `defaults:` and then one line `- group: option` for each"});
  }
  std::vector<DefaultItem> items;
  bool has_self = false;
  for (const Node& node : defaults->items()) {
    if (node.is(Kind::map)) {
      items.push_back(read_group(node, config_path));
      continue;
    }
    if (!node.is(Kind::string)) {
      throw Error(fmt::format("Unsupported type in defaults : {}", python_type(node)), node.span());
    }
    DefaultItem item;
    item.mark = node.mark();
    split_package(node.as_string(), item);
    if (item.name == "_self_") {
      if (item.package) throw Error("_self_ cannot have a package", node.span());
      if (has_self) throw Error(fmt::format("Duplicate _self_ defined in {}", config_path), node.span());
      has_self = true;
      item.form = DefaultItem::Form::self;
    }
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace modelmeter::config
