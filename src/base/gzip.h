// Files that may be gzipped.
#pragma once

#include <string>

namespace modelmeter {

// The text of a file, gzipped or not, without a byte order mark. Error where it cannot be read, is cut off, is UTF-16
// or larger than 2 GiB.
std::string read_gzipped(const std::string& path);

}  // namespace modelmeter
