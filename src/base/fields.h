// Named values of simple types, in order: what reports say of a model, a workload or a layer.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace modelmeter {

using FieldValue = std::variant<int64_t, double, bool, std::string>;
using Fields = std::vector<std::pair<std::string, FieldValue>>;

}  // namespace modelmeter
