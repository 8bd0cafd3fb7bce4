#include "config/override.h"

#include <fmt/format.h>

#include "config/override_parser.h"
#include "config/scalar.h"

namespace modelmeter::config {

Node Override::node() const {
  if (!value) return Node::null(mark);
  return std::get<Node>(*value);
}

std::string Override::key_element() const { return package ? fmt::format("{}@{}", key, *package) : key; }

Override parse_override(std::string_view text) {
  return OverrideParser(std::make_shared<Source>(Source{"<command line>", std::string(text)})).override_word();
}

OverrideValue parse_override_value(std::string_view text) {
  OverrideParser parser(std::make_shared<Source>(Source{"<command line>", std::string(text)}));
  OverrideValue out = parser.value();
  parser.expect_end();
  return out;
}

namespace {

// Of a list or a map: there an empty text needs quotes.
std::string part_of_override(const Node& value) {
  return value.is(Kind::string) && value.as_string().empty() ? "''" : to_override(value);
}

}  // namespace

std::string to_override(const Node& value) {
  switch (value.kind()) {
    case Kind::null: return "null";
    case Kind::string: break;
    case Kind::list: {
      std::string out;
      for (const Node& item : value.items()) out += (out.empty() ? "" : ",") + part_of_override(item);
      return "[" + out + "]";
    }
    case Kind::map: {
      std::string out;
      for (const Entry& entry : value.entries()) {
        out += fmt::format("{}{}:{}", out.empty() ? "" : ",", to_override(Node::literal(entry.key.text)),
                           part_of_override(entry.value));
      }
      return "{" + out + "}";
    }
    default: return python_str(value);
  }
  std::string out;
  if (const char quote = value.quote()) {
    // Backslashes before a quote, or at the end, are read back halved.
    out += quote;
    size_t backslashes = 0;
    for (const char c : value.as_string()) {
      if (c == quote) out += std::string(backslashes + 1, '\\');
      out += c;
      backslashes = c == '\\' ? backslashes + 1 : 0;
    }
    return out + std::string(backslashes, '\\') + quote;
  }
  for (const char c : value.as_string()) {
    if (std::string_view("\\()[]{}:=, \t").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace modelmeter::config
