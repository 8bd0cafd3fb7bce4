// Where a value of a composed configuration is from: every file and every word of the command line that set it, in the
// order in which they did, and what its interpolations read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/compose.h"

namespace modelmeter::config {

struct Setting {
  std::string place;  // configs/runtime/official.yaml:3:12, or <command line>
  std::string value;  // as it is written there, in one line
  // The config that has it and the configs whose lists lead there, up to the primary; or the word of the command line.
  std::vector<std::string> chain;
};

struct Explanation {
  std::string key;
  std::string value;              // in one line, as it is composed
  std::string resolved;           // the same without interpolations; empty where there are none
  std::vector<Setting> settings;  // the last one counts; of a map, each that has a part of it
  std::vector<Explanation> reads;
};

// Error where there is no such key, with a did-you-mean.
Explanation explain(const Repository& repository, const Composition& composition, const std::string& key);

// As text, a line for each.
std::string explanation_text(const Explanation& explanation);

}  // namespace modelmeter::config
