// A DefaultItem is one line of a defaults list, and the rules for where its content goes: group path, config path,
// package, and the key it is overridden by (Hydra 1.3.2).
//
//   - base/config@pkg                        a config
//   - _self_                                 the body of the config that has the list
//   - optional override group@pkg: option    an option of a group; null, ???, a list of options
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config_file.h"

namespace modelmeter::config {

struct DefaultItem {
  enum class Form { self, config, group };

  Form form = Form::config;
  std::string name;                    // of a group or of a config, as written: "db", "/db", "/db/base"
  std::optional<std::string> package;  // behind the @
  // Of a group: exactly one of null, missing, an option, a list of options.
  Node value;
  bool optional = false;
  bool override_word = false;  // `override group: option`
  bool appended = false;       // by +group=option
  std::string replaced;        // the option in the list, where the command line or an override chose another
  Mark mark;

  // From the config that has the list, and the header of the file that the item names.
  std::string parent_group;
  std::string parent_package;
  std::optional<std::string> header_package;

  static DefaultItem config(std::string path);

  bool is_group() const { return form == Form::group; }
  bool is_options() const { return is_group() && value.is(Kind::list); }
  bool is_interpolation() const;
  std::string option() const;  // "null" and "???" too; "[a,b]"

  std::string group_path() const;
  std::string config_path() const;
  std::string final_package(bool use_header = true) const;
  std::string override_key() const;
  // "db: mysql", "base", "_self_"
  std::string text() const;

 private:
  std::string relative_group() const;
  std::string last_name() const;
};

// Reads `defaults` of a config; an empty list if it has none.
std::vector<DefaultItem> read_defaults(const ConfigFile& file, const std::string& config_path);

// One value of a group (of a list, or of an override): splits `sub/option` into the group and the option.
void set_option(DefaultItem& item, Node value);

}  // namespace modelmeter::config
