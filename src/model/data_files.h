// Where the files that come with modelmeter are: the folder that holds configs/ and models/.
#pragma once

#include <string>

#include "config/access.h"

namespace modelmeter {

struct DataFiles {
  std::string root;  // absolute

  // The absolute path of the file that `view` names: an absolute path as it is, a relative one below the working
  // directory or else below the root. Error at the view where there is none, saying where it was looked for.
  std::string find(const config::View& view) const;
};

// Reads a JSON (or YAML) file into a tree. Errors name the file and the line.
config::Node read_data_file(const std::string& path);

}  // namespace modelmeter
