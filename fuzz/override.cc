// One word of the command line. A value written as an override reads as the same again, but for texts that str() made:
// they have no quotes, so that 1 of str(1) is a number again, as in Hydra.
#include "config/override.h"

#include "config/yaml.h"
#include "fuzz_target.h"

namespace modelmeter::fuzz {

void run(const std::string& text) {
  const config::Override word = config::parse_override(text);
  if (!word.value || word.is_sweep()) return;
  const std::string written = config::to_override(word.node());
  const config::OverrideValue read = config::parse_override_value(written);
  require(std::holds_alternative<config::Node>(read), "a value became a sweep: " + written);
  if (text.find("str") != std::string::npos) return;
  require(config::to_yaml(std::get<config::Node>(read)) == config::to_yaml(word.node()), "not the same: " + written);
}

}  // namespace modelmeter::fuzz
