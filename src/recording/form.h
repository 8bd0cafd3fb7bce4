// What writing and reading a recording share.
#pragma once

#include <string>

namespace modelmeter {

inline constexpr char recording_schema[] = "modelmeter.reference/1";

// `scope` with `from` at its start replaced by `to`.
inline std::string renamed(const std::string& scope, const std::string& from, const std::string& to) {
  if (scope.compare(0, from.size(), from) != 0) return scope;
  return to + scope.substr(from.size());
}

}  // namespace modelmeter
