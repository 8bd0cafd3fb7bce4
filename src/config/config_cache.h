// The configs that one composition has read: each file is read and parsed once.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/repository.h"

namespace modelmeter::config {

// The name of the empty primary config that stands in where there is none.
inline constexpr const char* kEmptyConfig = "_dummy_empty_config_";

class ConfigCache {
 public:
  explicit ConfigCache(Repository repository) : repository_(std::move(repository)) {}

  const Repository& repository() const { return repository_; }
  // nullptr if the search path does not have it.
  const ConfigFile* load(const std::string& config_path);
  // Adds directories to the search path, where others than before may have a config first.
  void add_search_path(const std::vector<std::string>& directories);

 private:
  Repository repository_;
  std::map<std::string, std::shared_ptr<const ConfigFile>> files_;
};

}  // namespace modelmeter::config
