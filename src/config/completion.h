// What may stand in the place of the last word of a command line, as Hydra 1.3.2 completes it: groups and their
// options, keys of the composed configuration, the value that a key has now, files behind key=./ and key=/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/compose.h"

namespace modelmeter::config {

// words: the overrides before it. Sorted, each once. What does not compose has no keys.
std::vector<std::string> complete(const Repository& repository, std::string_view config_name,
                                  const std::vector<std::string>& words, const std::string& word,
                                  const ComposeOptions& options);

// The files and folders whose path begins with a text.
std::vector<std::string> complete_files(const std::string& start);

}  // namespace modelmeter::config
