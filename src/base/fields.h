// Named values of simple types, in order: what reports say of a model, a workload or a layer. nullptr: not known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace modelmeter {

using FieldValue = std::variant<int64_t, double, bool, std::string, std::nullptr_t>;
using Fields = std::vector<std::pair<std::string, FieldValue>>;

// As people read it: "true", "12", "0.5", the string itself; "" for what is not known.
std::string text_of(const FieldValue& value);

}  // namespace modelmeter
