#include "base/fields.h"

#include <fmt/format.h>

namespace modelmeter {

std::string text_of(const FieldValue& value) {
  struct Show {
    std::string operator()(int64_t v) const { return fmt::format("{}", v); }
    std::string operator()(double v) const { return fmt::format("{}", v); }
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(const std::string& v) const { return v; }
    std::string operator()(std::nullptr_t) const { return ""; }
  };
  return std::visit(Show(), value);
}

}  // namespace modelmeter
