// A whole composition: overrides, one to a line, then files, each behind a line "=== path" ("=== config.yaml" is the
// primary config).
#include <map>
#include <memory>
#include <sstream>
#include <vector>

#include "config/compose.h"
#include "config/yaml.h"
#include "fuzz_target.h"

namespace modelmeter::fuzz {

void run(const std::string& text) {
  std::vector<std::string> overrides;
  std::map<std::string, std::string> files;
  std::string* file = nullptr;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("=== ", 0) == 0) {
      file = &files["conf/" + line.substr(4)];
    } else if (file != nullptr) {
      *file += line + "\n";
    } else if (!line.empty()) {
      overrides.push_back(line);
    }
  }
  files["conf/README"] = "";  // the directory is there
  const config::Repository repository(std::make_shared<config::MemoryFileSystem>(std::move(files)), "conf");
  const config::Composition composition = config::compose(repository, "config", overrides);
  config::to_yaml(config::resolve(composition, config::Resolvers::standard(0)));
}

}  // namespace modelmeter::fuzz
