#include "config/registry.h"

#include <fmt/format.h>

namespace modelmeter::config {

std::string target_of(const View& config, std::string_view what) {
  if (!config.has("_target_")) {
    throw config.error(fmt::format("no `_target_`, so there is no telling which {} this is", what));
  }
  return config.get<std::string>("_target_");
}

Error unknown_target(const View& config, std::string_view what, const std::string& target,
                     const std::vector<std::string>& known) {
  return config.at("_target_")
      .error(fmt::format("there is no {} '{}'", what, target), name_notes(target, known, "registered"));
}

}  // namespace modelmeter::config
