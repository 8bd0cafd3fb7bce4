// Files that are written whole or not at all.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace modelmeter {

// Writes all of the files (path, content): each to a temporary beside it, and only when every one is on disk are they
// renamed. Makes folders as needed. On any failure the temporaries are removed and an Error says what failed.
void write_files(const std::vector<std::pair<std::string, std::string>>& files);

// The content of a file; Error where there is none or it cannot be read.
std::string read_file(const std::string& path);

}  // namespace modelmeter
