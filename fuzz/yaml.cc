// YAML in the dialect of OmegaConf. What is read and printed reads as the same again.
#include "config/yaml.h"

#include "fuzz_target.h"

namespace modelmeter::fuzz {

void run(const std::string& text) {
  const std::string once = config::to_yaml(config::parse_yaml(text, "input"));
  const std::string again = config::to_yaml(config::parse_yaml(once, "printed"));
  require(once == again, "printed YAML reads as something else:\n" + once + "---\n" + again);
}

}  // namespace modelmeter::fuzz
