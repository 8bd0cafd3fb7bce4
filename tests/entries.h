// The entry files of configs/, composed and built as the program does.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "config/compose.h"
#include "model/registry.h"

namespace modelmeter::entries {

inline const std::string source = MODELMETER_SOURCE_DIR;

// The names of all, in order.
inline const std::vector<std::string>& all() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(source + "/configs")) {
      if (entry.path().extension() == ".yaml") out.push_back(entry.path().stem().string());
    }
    std::sort(out.begin(), out.end());
    return out;
  }();
  return names;
}

inline bool is_wan(const std::string& entry) { return entry.rfind("wan", 0) == 0; }
inline bool is_pipeline(const std::string& entry) { return entry.find("_pipeline") != std::string::npos; }

// Error as the program reports it.
inline std::unique_ptr<AnalyticModel> model(const std::string& entry, const std::vector<std::string>& overrides) {
  static const config::Repository repository(source + "/configs", {});
  const config::Node node = config::resolve(config::compose(repository, entry, overrides));
  return build_model(config::View(node), {source});
}

}  // namespace modelmeter::entries
