// Scalars as text: what PyYAML 6 with OmegaConf's float rule makes of an unquoted word, and Python's words for a value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/format.h"
#include "config/node.h"

namespace modelmeter::config {

// The typed value of a plain YAML scalar: `1_000` is 1000, `0777` is 511, `12:30` is 750, `yes` is true.
// Throws Error for an integer beyond 64 bits.
Node plain_scalar(std::string_view text, const Mark& mark);

// PyYAML would read the plain text as a string, without OmegaConf's changes: whether it may be printed unquoted.
bool is_plain_string(std::string_view text);

// str(value): None, True, 1.0, {'a': [1, 'x']}.
std::string python_str(const Node& value);
// repr(text): 'a', "it's".
std::string text_repr(const std::string& text);

// int(text) and float(text) of Python; nothing where it raises ValueError. int beyond 64 bits counts as an error too.
std::optional<int64_t> python_int(std::string_view text);
std::optional<double> python_float(std::string_view text);
// Whether int(text) would succeed, at any length.
bool is_python_int(std::string_view text);

}  // namespace modelmeter::config
