// The defaults list: which config files make up a configuration, in what order, under which packages (Hydra 1.3.2; of
// 1.4: the last override in depth-first order wins, an override reaches only what stands before it, nested lists may
// interpolate outer choices, `group: sub/option` is `group/sub: option`).
//
// Always adds `_self_`, where Hydra loses the body of a primary config whose list has only overrides when something is
// appended on the command line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config_cache.h"
#include "config/override.h"

namespace modelmeter::config {

// One file of the final list.
struct DefaultsEntry {
  std::string config_path;  // db/mysql
  std::string package;      // "" is the root
  bool is_self = false;     // the body of a config that has a list of its own
  std::string parent;       // the config whose list names it
};

// The tree that the list is the depth-first walk of.
struct DefaultsTree {
  std::string text;  // "db: mysql", "base", "_self_"
  std::vector<DefaultsTree> children;

  // As `--info defaults-tree` prints it, without the title.
  std::vector<std::string> lines(int depth = 0) const;
};

struct DefaultsList {
  std::vector<DefaultsEntry> entries;
  std::vector<DefaultsTree> trees;                           // of the hydra config and of the primary
  std::vector<std::pair<std::string, std::string>> choices;  // override key and option, in order of first use
  std::vector<const Override*> config_overrides;             // those that set values and choose no group
};

// overrides must outlive the list. skip_missing lets `???` options be (multirun).
DefaultsList build_defaults_list(ConfigCache& configs, std::string_view config_name,
                                 const std::vector<Override>& overrides, bool skip_missing);

}  // namespace modelmeter::config
