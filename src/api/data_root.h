// Where the files that come with modelmeter are found: beside whatever of it is running, so that an installed tree may
// be moved as a whole.
#pragma once

#include <string>

namespace modelmeter {

// The folder that holds configs/ and models/, absolute: $MODELMETER_DATA_DIR; else, of the shared library that this
// code is in and then of the program, data/ beside it (a Python package), share/modelmeter under its install prefix, or
// the source tree that it was built in. Error saying where it was looked for.
std::string find_data_root();

}  // namespace modelmeter
