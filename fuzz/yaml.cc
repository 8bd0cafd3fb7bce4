// YAML in the dialect of OmegaConf. What is read and printed reads as the same again, but for the line breaks of
// YAML 1.1 beyond ASCII: PyYAML prints them in quotes as they are and reads them back as spaces, and so do we.
#include "config/yaml.h"

#include "fuzz_target.h"

namespace modelmeter::fuzz {
namespace {

// NEL, LS, PS.
bool has_other_breaks(const std::string& text) {
  for (const char* mark : {"\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"}) {
    if (text.find(mark) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

void run(const std::string& text) {
  const std::string once = config::to_yaml(config::parse_yaml(text, "input"));
  if (has_other_breaks(once)) return;
  const std::string again = config::to_yaml(config::parse_yaml(once, "printed"));
  require(once == again, "printed YAML reads as something else:\n" + once + "---\n" + again);
}

}  // namespace modelmeter::fuzz
