// What the files in configs/ say, by fingerprint, in golden/composed.csv: each entry file composed, as it stands and
// resolved, and each option of each group, composed into an entry that takes it. A changed number, key or comment-free
// word anywhere in configs/ is noticed, whatever it costs; `modelmeter analyze --config-name ENTRY --cfg job` shows it.
#include <gtest/gtest.h>

#include "config/yaml.h"
#include "fingerprint.h"
#include "table_file.h"

namespace modelmeter {
namespace {

const config::Repository& repository() {
  static const config::Repository configs(entries::source + "/configs", {});
  return configs;
}

std::string composed(const std::string& entry, const entries::Overrides& overrides) {
  const config::Composition run = config::compose(repository(), entry, overrides);
  return fingerprint(config::to_yaml(run.config)) + "," + fingerprint(config::to_yaml(config::resolve(run)));
}

// The row of an option: the first entry that takes it.
std::string option_row(const std::string& choice) {
  for (const char* sign : {"", "+"}) {
    for (const std::string& entry : entries::all()) {
      try {
        return entry + "," + sign + choice + "," + composed(entry, {sign + choice});
      } catch (const Error&) {
        continue;
      }
    }
  }
  return "," + choice + ",no entry takes it,";
}

TEST(Composed, FilesSayWhatIsPinned) {
  std::string text = "entry,overrides,composed,resolved\n";
  for (const std::string& entry : entries::all()) text += entry + ",," + composed(entry, {}) + "\n";
  for (const std::string& group : repository().groups("")) {
    if (group == "hydra") continue;
    for (const std::string& option : repository().options(group)) text += option_row(group + "=" + option) + "\n";
  }
  entries::expect_text("composed.csv", text);
}

}  // namespace
}  // namespace modelmeter
