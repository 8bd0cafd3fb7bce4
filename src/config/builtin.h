// The configs that Hydra 1.3.2 brings along and that every composition includes: the `hydra` node and its groups, word
// for word, so that what is printed and kept of it is what Hydra prints and keeps. joblib is the launcher of a plugin.
#pragma once

#include <memory>

#include "config/file_system.h"

namespace modelmeter::config {

// Where they are in builtin_files().
inline constexpr const char* kBuiltinDir = "pkg://hydra.conf";

std::shared_ptr<const FileSystem> builtin_files();

}  // namespace modelmeter::config
