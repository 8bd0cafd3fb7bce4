#include "config/config_file.h"

#include <fmt/format.h>

#include <sstream>
#include <vector>

#include "config/yaml.h"

namespace modelmeter::config {
namespace {

// Directives must stand in the first bytes of a file.
constexpr size_t kHeaderBytes = 512;

std::optional<std::string> package_of(const std::string& text, const std::string& file) {
  std::istringstream lines(text.substr(0, kHeaderBytes));
  std::string line;
  std::optional<std::string> package;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const size_t hash = line.find_first_not_of(" \t");
    if (hash == std::string::npos) continue;
    if (line[hash] != '#') break;
    const size_t at = line.find_first_not_of(" \t", hash + 1);
    if (at == std::string::npos || line[at] != '@') break;
    std::istringstream words(line.substr(at + 1));
    std::vector<std::string> parts;
    for (std::string word; words >> word;) parts.push_back(word);
    const SourceSpan span{file, number, static_cast<int>(at) + 1, line};
    if (parts.size() < 2) throw Error(fmt::format("Expected header format: KEY VALUE, got '{}'", line), span);
    if (parts.size() > 2) throw Error(fmt::format("Too many components in '{}'", line), span);
    if (parts[0] != "package") continue;
    if (parts[1].find("_group_") != std::string::npos || parts[1].find("_name_") != std::string::npos) {
      throw Error(fmt::format("'{}' in a package header is no longer supported", parts[1]), span,
                  {"leave the header out for the package of the group, or write the package itself"});
    }
    package = parts[1];
  }
  return package;
}

}  // namespace

ConfigFile parse_config_file(std::string text, std::string file) {
  ConfigFile out;
  out.package = package_of(text, file);
  out.content = parse_yaml(std::move(text), file);
  out.file = std::move(file);
  return out;
}

}  // namespace modelmeter::config
