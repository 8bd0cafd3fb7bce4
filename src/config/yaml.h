// YAML in and out, with the dialect of OmegaConf 2.3 over PyYAML 6 (YAML 1.1): `1e3` is a float, `0777` octal, `12:30`
// base 60, `yes` a bool, timestamps stay strings, a duplicate key is an error. JSON is read as the YAML it is.
#pragma once

#include <string>
#include <string_view>

#include "config/node.h"

namespace modelmeter::config {

// Parses one document. An empty text is an empty map, and a bare string `foo` is `{foo: null}`, as in OmegaConf.
// Throws Error with the place: broken syntax, duplicate keys, unknown tags, malformed interpolations, integers beyond
// 64 bits, more than limits.h allows.
Node parse_yaml(std::string text, std::string file_name);

// The same of a file that is no configuration, such as a config.json: `${` is text.
Node parse_data(std::string text, std::string file_name);

// The text that OmegaConf.to_yaml prints, byte for byte (PyYAML's block style, width 80), interpolations unresolved.
// A scalar is printed bare.
std::string to_yaml(const Node& node);

}  // namespace modelmeter::config
