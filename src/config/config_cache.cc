#include "config/config_cache.h"

namespace modelmeter::config {

const ConfigFile* ConfigCache::load(const std::string& config_path) {
  auto found = files_.find(config_path);
  if (found == files_.end()) {
    std::shared_ptr<const ConfigFile> file;
    if (config_path == kEmptyConfig) {
      file = std::make_shared<const ConfigFile>(ConfigFile{"", std::nullopt, Node::map()});
    } else {
      file = repository_.load_shared(config_path);
    }
    found = files_.emplace(config_path, std::move(file)).first;
  }
  return found->second.get();
}

void ConfigCache::add_search_path(const std::vector<std::string>& directories) {
  repository_ = repository_.with_search_path(directories);
  files_.clear();
}

}  // namespace modelmeter::config
