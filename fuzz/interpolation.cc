// A tree with interpolations, resolved. What is resolved has none left, so that resolving it again changes nothing.
#include "config/interpolation.h"

#include "config/yaml.h"
#include "fuzz_target.h"

namespace modelmeter::fuzz {

void run(const std::string& text) {
  static const config::Resolvers resolvers = config::Resolvers::standard(0);
  config::to_yaml(config::resolve(config::parse_yaml(text, "input"), resolvers));
}

}  // namespace modelmeter::fuzz
