// Files that are written whole or not at all.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace modelmeter {

// Writes all of the files (path, content): each to a temporary beside it, and only when every one is on disk are they
// renamed. Makes folders as needed. On any failure the temporaries are removed and an Error says what failed.
//
// A folder that gets many of them is written as a whole beside its place and renamed once, together with whatever else
// was in it: a rename for each file costs more than the file, above all where one is replaced. Where all of them are
// there already as they would be written, it is left alone.
void write_files(const std::vector<std::pair<std::string, std::string>>& files);

// The content of a file; Error where there is none or it cannot be read.
std::string read_file(const std::string& path);

}  // namespace modelmeter
