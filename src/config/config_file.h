// One config file: its YAML and the directives of its header (Hydra 1.3.2).
//
//   # @package a.b      the file's content is put at a.b; _global_ is the root
#pragma once

#include <optional>
#include <string>

#include "config/node.h"

namespace modelmeter::config {

struct ConfigFile {
  std::string file;                    // as messages name it
  std::optional<std::string> package;  // of the header
  Node content;                        // the whole file, `defaults` included
};

// Throws Error for broken YAML and for a malformed header.
ConfigFile parse_config_file(std::string text, std::string file);

}  // namespace modelmeter::config
