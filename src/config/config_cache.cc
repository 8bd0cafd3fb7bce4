#include "config/config_cache.h"

namespace modelmeter::config {

const ConfigFile* ConfigCache::load(const std::string& config_path) {
  auto found = files_.find(config_path);
  if (found == files_.end()) {
    std::optional<ConfigFile> file;
    if (config_path == kEmptyConfig) {
      file = ConfigFile{"", std::nullopt, Node::map()};
    } else {
      file = repository_.load(config_path);
    }
    found = files_.emplace(config_path, std::move(file)).first;
  }
  return found->second ? &*found->second : nullptr;
}

void ConfigCache::add_search_path(const std::vector<std::string>& directories, const std::string& provider) {
  repository_ = repository_.with_search_path(directories, provider);
  files_.clear();
}

}  // namespace modelmeter::config
