// The program: finds the command, runs it, shows errors. Of the `modelmeter` that is installed, and of the one that
// comes with the Python package.
#pragma once

#include <string>
#include <vector>

namespace modelmeter::cli {

// arguments: after the program's name. Gives the exit code.
int program(const std::vector<std::string>& arguments);

}  // namespace modelmeter::cli
